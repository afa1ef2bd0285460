import t, { type Test } from 'tap'
import { Mover } from '../../services/peer/engine/mover.ts'
import { Rosters } from '../../services/peer/engine/rosters.ts'
import type { Slot } from '../../services/peer/engine/slot.ts'
import type { SlotMessage } from '../../services/peer/engine/types.ts'
import { LIMITS } from '../../services/peer/limits.ts'
import type { Configuration, MembershipTarget, ProgressStatus } from '../../services/peer/raft/types.ts'
import { MemoryDisk } from '../../services/peer/store/memory.ts'
import { withLimits } from '../support/limits.ts'
import { anyTime, Engines, text } from './engines.ts'

const quiet = { debug() {}, info() {}, warn() {}, error() {} }
const WITHIN = LIMITS.LEVEL_WITHIN_ENTRIES
const COMMIT = 1_000

/** What a mover makes of a slot led here, whose learner is so far; undefined when it lets the slot be. */
function step(learner: Partial<ProgressStatus>, lastIndex = COMMIT): MembershipTarget | undefined {
  const peers = ['0', '1'].map((id, at) => ({
    id,
    uid: `uid-${id}`,
    number: at + 1,
    url: `http://${id}.test`,
  }))
  const rosters = new Rosters({ version: 2, clusterId: 'test', dimension: 1, slots: 1, peers })
  const [own, missing] = rosters.membersOf(['0', '1'])
  const configuration: Configuration = { rosterVersion: 2, voters: [own!], learners: [missing!] }
  const follower: ProgressStatus = { match: COMMIT, state: 'replicate', recentActive: true, ...learner }
  const progress = new Map([[2, follower]])
  const ours = { number: 1, role: 'leader', changing: false, transferee: 0, commit: COMMIT, lastIndex }
  let target: MembershipTarget | undefined
  const raft = {
    configuration,
    status: () => ({ ...ours, configuration, progress }),
    changeMembers(asked: MembershipTarget) {
      target = asked
      return { index: lastIndex + 1, term: 1 }
    },
  }
  const slot = { slot: 0, isPrimary: true, raft, settle() {} } as unknown as Slot
  new Mover({ rosters, slots: new Map([[0, slot]]), log: quiet }).look(slot)
  return target
}

/** A peer alone that leads `slots` slots and the roster's, and one that joins it, to which nothing comes yet. */
async function joined(t: Test, slots: number): Promise<Engines> {
  const cube = new Engines(['0'], slots)
  await cube.start()
  await cube.append({ kind: 'create', topic: 'a', settings: anyTime })
  cube.onSend = (_from, to) => to !== '1'
  const change = { kind: 'join', uid: 'uid-1', url: 'http://1.test', by: 'test', why: 'a test' } as const
  const { result } = await cube.append({ kind: 'roster', change }, '0', slots)
  if (result.kind !== 'roster') t.fail(`joining is ${result.kind}`)
  else await cube.boot('1', new MemoryDisk(), result.roster)
  return cube
}

/** Members by number, of a slot as peer 0 has it. */
function membersOf(cube: Engines, slot = 0) {
  const { voters, learners = [] } = cube.peer('0').engine.status(slot).raft.configuration
  return { voters: voters.map(({ number }) => number), learners: learners.map(({ number }) => number) }
}

t.test('a learner becomes a voter when it is level with what is committed', t => {
  const voters = [{ number: 1 }, { number: 2 }]
  t.match(step({ match: COMMIT - WITHIN }), { voters, learners: [] })
  t.equal(step({ match: COMMIT - WITHIN - 1 }), undefined)
  t.match(
    step({ match: COMMIT - WITHIN }, COMMIT + 10 * WITHIN),
    { voters },
    'whatever of the log is not committed yet: under load that never ends',
  )
  t.equal(step({ state: 'probe' }), undefined, 'what its log holds is not known')
  t.equal(step({ state: 'snapshot' }), undefined)
  t.equal(step({ recentActive: false }), undefined, 'one that is silent would hold the next commit up')
  t.end()
})

t.test('a learner that is too far behind keeps the change waiting, and nothing else', async t => {
  withLimits(t, { LEVEL_WITHIN_ENTRIES: 5, MAX_APPEND_BYTES: 100 })
  const cube = await joined(t, 1)
  for (let at = 0; at < 30; at++) await cube.append({ kind: 'publish', topic: 'a', events: text('x') }, '0')
  // A few entries arrive there at a time, and what it answers behind the tenth is lost.
  let upTo = 10
  const isLost = ({ message }: SlotMessage) =>
    message.type === 'appendResponse' && !message.rejected && message.index > upTo
  cube.onSend = (from, _to, messages) => from !== '1' || !messages.some(isLost)
  await cube.clock.advance(10_000)
  const { raft } = cube.peer('0').engine.status(0)
  t.match(raft.progress.get(2), { state: 'replicate', recentActive: true })
  t.ok(raft.progress.get(2)!.match <= upTo, 'it is behind')
  t.same(membersOf(cube), { voters: [1], learners: [2] })
  t.notOk(cube.peer('1').engine.holds(0))
  upTo = Number.POSITIVE_INFINITY
  await cube.clock.advance(3_000)
  t.same(membersOf(cube), { voters: [1, 2], learners: [] })
  t.ok(cube.peer('1').engine.holds(0))
})

t.test('one primary moves only so many slots at once, and all in the end', async t => {
  withLimits(t, { MAX_MOVING_SLOTS: 3 })
  const slots = 8
  const cube = await joined(t, slots)
  const all = Array.from({ length: slots + 1 }, (_, slot) => slot)
  const moving = () => all.filter(slot => membersOf(cube, slot).learners.length > 0)
  await cube.clock.advance(3_000)
  t.equal(moving().length, 3, 'the others wait')
  cube.onSend = () => true
  let most = 0
  for (let waited = 0; waited < 100; waited++) {
    await cube.clock.advance(50)
    most = Math.max(most, moving().length)
  }
  t.equal(most, 3)
  for (const slot of all) t.same(membersOf(cube, slot), { voters: [1, 2], learners: [] }, `slot ${slot}`)
})
