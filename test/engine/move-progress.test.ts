import t from 'tap'
import { MoveProgress } from '../../services/peer/engine/move-progress.ts'
import { Rosters } from '../../services/peer/engine/rosters.ts'
import type { Slot } from '../../services/peer/engine/slot.ts'
import type { CubeEvent } from '../../services/peer/engine/types.ts'
import type { Configuration, ProgressStatus } from '../../services/peer/raft/types.ts'
import { MemoryDisk } from '../../services/peer/store/memory.ts'
import { rosterOf } from '../membership/world.ts'
import { anyTime, Engines, text } from './engines.ts'

const members = (...numbers: number[]) => numbers.map(number => ({ number, uid: `uid-${number - 1}` }))
const at = (match: number, state: ProgressStatus['state'] = 'replicate'): ProgressStatus => ({
  match,
  state,
  recentActive: true,
})

/** A slot of 1,000 bytes led by member 1 of a cube of four, its first event in entry 101 and its last in entry 200. */
class Moving {
  readonly events: CubeEvent[] = []
  readonly rosters = new Rosters(rosterOf(4))
  readonly placed = this.rosters.membersOf(this.rosters.order(0))
  readonly progress = new Map<number, ProgressStatus>()
  configuration: Configuration = { rosterVersion: 1, voters: members(1) }
  isPrimary = true
  readonly moves: MoveProgress
  readonly slot: Slot

  constructor() {
    const raft = () => this.configuration
    const isPrimary = () => this.isPrimary
    const isSettled = () => this.rosters.settles(0, this.configuration)
    const row = { name: 'a', incarnation: 1, settings: anyTime, earliest: 1, latest: 1, createdMs: 0 }
    this.slot = {
      slot: 0,
      get isPrimary() {
        return isPrimary()
      },
      get isSettled() {
        return isSettled()
      },
      raft: {
        get configuration() {
          return raft()
        },
        status: () => ({ commit: 200, configuration: this.configuration, progress: this.progress }),
      },
      machine: {
        topics: () => [
          { ...row, bytes: 700 },
          { ...row, bytes: 300 },
        ],
      },
    } as unknown as Slot
    const run = { logIndex: 101, incarnation: 1, first: 1, count: 1, sequence: 1, timeMs: 0, bytes: 1 }
    this.moves = new MoveProgress({
      self: '00',
      rosters: this.rosters,
      slots: new Map([[0, this.slot]]),
      store: { runsAfter: () => [{ run, data: Buffer.alloc(1) }] },
      clock: { nowMs: () => 7 },
      event: event => this.events.push(event),
      guard: (_slot, work) => work(),
    })
  }

  get bytes(): number {
    return this.moves.bytesToMove(this.slot)
  }
}

t.test('each peer that is to be a voter and is none lacks what it has not got of the log', t => {
  const moving = new Moving()
  const [, two, three] = moving.placed.map(({ number }) => number)
  t.equal(moving.bytes, 2_000, 'a move that has not begun copies all to two peers')
  moving.configuration = { ...moving.configuration, learners: members(two!, three!) }
  moving.progress.set(two!, at(0, 'probe'))
  moving.progress.set(three!, at(125))
  t.equal(moving.bytes, 1_750)
  moving.progress.set(two!, at(50))
  t.equal(moving.bytes, 1_750, 'what retention removed is no part of it')
  moving.progress.set(two!, at(150))
  moving.progress.set(three!, at(200))
  t.equal(moving.bytes, 500)
  moving.configuration = { rosterVersion: 1, voters: moving.placed, outgoing: members(1) }
  t.equal(moving.bytes, 0, 'in a joint configuration all are level')
  moving.configuration = { rosterVersion: 1, voters: moving.placed }
  t.equal(moving.bytes, 0, 'a slot that is settled has nothing to move')
  moving.configuration = { rosterVersion: 1, voters: members(1) }
  moving.isPrimary = false
  t.equal(moving.bytes, 0, 'nor has one that is led elsewhere')
  t.end()
})

t.test('what a learner has pulled of a snapshot counts while it pulls', t => {
  const moving = new Moving()
  const [one, two, three] = moving.placed
  moving.configuration = { rosterVersion: 1, voters: [one!, two!], learners: [three!] }
  const { id } = moving.rosters.current.peers.find(({ number }) => number === three!.number)!
  moving.progress.set(three!.number, at(0, 'snapshot'))
  t.equal(moving.bytes, 1_000)
  moving.moves.pulls(moving.slot, id, 0)
  t.equal(moving.bytes, 1_000)
  moving.moves.pulls(moving.slot, id, 180)
  t.equal(moving.bytes, 200)
  moving.moves.pulls(moving.slot, '01', 200)
  moving.moves.pulls(moving.slot, 'nobody', 200)
  t.equal(moving.bytes, 200, 'who is no learner does not count')
  moving.progress.set(three!.number, at(0, 'probe'))
  t.equal(moving.bytes, 1_000, 'a pull that is over says nothing of what is there')
  t.end()
})

t.test('it is told when the number of slots on the move that are led here changes', t => {
  const moving = new Moving()
  moving.moves.look()
  moving.moves.look()
  moving.configuration = { rosterVersion: 1, voters: moving.placed }
  moving.moves.look()
  moving.moves.look()
  t.same(moving.events, [
    { kind: 'moving', peer: '00', slots: 1, bytes: 2_000, timeMs: 7 },
    { kind: 'moving', peer: '00', slots: 0, bytes: 0, timeMs: 7 },
  ])
  t.end()
})

t.test('a peer that joins is told of in slots and bytes until all have moved', async t => {
  const cube = new Engines(['0'], 4)
  await cube.start()
  await cube.append({ kind: 'create', topic: 'a', settings: anyTime })
  const events = text('x'.repeat(10_000))
  for (let event = 0; event < 20; event += 1) await cube.append({ kind: 'publish', topic: 'a', events })
  const { engine, events: told } = cube.peer('0')
  t.equal(engine.bytesToMove(0), 0)
  let isCut = true
  cube.onSend = (_from, to) => !isCut || to !== '1'
  const change = { kind: 'join', uid: 'uid-1', url: 'http://1.test', id: '1', by: 't', why: '' } as const
  const { result } = await cube.append({ kind: 'roster', change }, '0', 4)
  if (result.kind !== 'roster') return t.fail('it does not join')
  await cube.boot('1', new MemoryDisk(), result.roster)
  await cube.clock.advance(1_000)
  t.equal(engine.bytesToMove(0), 200_000, 'nothing has arrived')
  t.equal(engine.bytesToMove(1), 0, 'there is nothing in it')
  t.throws(() => engine.bytesToMove(9), { message: 'unavailable' })
  isCut = false
  await cube.clock.advance(8_000)
  for (const peer of ['0', '1']) t.equal(cube.peer(peer).engine.bytesToMove(0), 0)
  const moving = told.filter(event => event.kind === 'moving')
  t.match(moving[0], { peer: '0', slots: 5, bytes: 200_000 })
  t.match(moving.at(-1), { peer: '0', slots: 0, bytes: 0 })
})
