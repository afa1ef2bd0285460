import t, { type Test } from 'tap'
import type { SlotMessage } from '../../services/peer/engine/types.ts'
import type { Message } from '../../services/peer/raft/types.ts'
import { slotPrefix, TABLES } from '../../services/peer/store/keys.ts'
import { MemoryDisk } from '../../services/peer/store/memory.ts'
import type { SlotWrite, Tombstone } from '../../services/peer/store/types.ts'
import type { Request } from '../../services/peer/topics/types.ts'
import { anyTime, Engines, text } from './engines.ts'

const SLOTS = 4
/** Of three peers all hold this slot; of four `00` does not. */
const MOVED = 3
/** The peer it moves away from and back to, and its number. */
const PEER = '00'
const NUMBER = 1

type RosterRequest = Extract<Request, { kind: 'roster' }>
const because = { by: 'test', why: 'a test' } as const
const join: RosterRequest['change'] = { kind: 'join', uid: 'uid-11', url: 'http://11.test', ...because }
const leave: RosterRequest['change'] = { kind: 'leave', id: '11', ...because }

/** A cube in which the slot has moved away from a peer; only its tombstone is left there. */
async function movedAway(t: Test): Promise<{ cube: Engines; tombstone: Tombstone }> {
  const cube = new Engines(['00', '01', '10'], SLOTS)
  await cube.start()
  await publish(cube, 'before')
  const { result } = await cube.append({ kind: 'roster', change: join }, cube.primary(SLOTS), SLOTS)
  if (result.kind === 'roster') await cube.boot('11', new MemoryDisk(), result.roster)
  await cube.clock.advance(8_000)
  const tombstone = cube.peer(PEER).store.tombstone(MOVED)
  if (tombstone === undefined || tombstone.vote === 0) throw new Error('it has promised nothing')
  t.notOk(cube.peer(PEER).engine.holds(MOVED))
  return { cube, tombstone }
}

/** The fourth peer leaves, and what it took over moves back. */
async function moveBack(cube: Engines): Promise<void> {
  await cube.append({ kind: 'roster', change: leave }, cube.primary(SLOTS), SLOTS)
  await cube.clock.advance(8_000)
}

/** Publishes one event in the slot, at its primary. */
async function publish(cube: Engines, data: string) {
  const primary = cube.primary(MOVED)
  await cube.append({ kind: 'create', topic: 'a', settings: anyTime }, primary, MOVED)
  return cube.append({ kind: 'publish', topic: 'a', events: text(data) }, primary, MOVED)
}

/** What the peer sends while it takes in one message of the slot. */
async function answersTo(cube: Engines, message: Message): Promise<Message[]> {
  const sent: Message[] = []
  cube.onSend = (from, _to, messages: readonly SlotMessage[]) => {
    if (from === PEER) sent.push(...messages.filter(({ slot }) => slot === MOVED).map(one => one.message))
    return true
  }
  const from = cube.peer(PEER).engine.rosters.peerOf(message.from)!
  const taken = cube.peer(PEER).engine.receive(from, [{ slot: MOVED, message }])
  await cube.clock.advance(20)
  await taken
  cube.onSend = () => true
  return sent
}

t.test(
  'a late append of a leader of the past is refused by a replica that remembers its promises',
  async t => {
    const { cube, tombstone } = await movedAway(t)
    const { term, vote } = tombstone
    const others = [2, 3, 4].filter(number => number !== vote)
    const late = { type: 'append', from: others[0]!, to: NUMBER, term: term - 1, commit: 1 } as const
    const entry = { index: 1, term: term - 1, type: 'data', data: new Uint8Array(0) } as const
    const answers = await answersTo(cube, { ...late, prevIndex: 0, prevTerm: 0, entries: [entry] })
    t.match(answers, [{ type: 'appendResponse', rejected: true, term }], 'it names the later term')
    t.equal(answers.length, 1)
    const { engine, store, fatal } = cube.peer(PEER)
    t.same(store.slots().includes(MOVED) && store.log(MOVED).lastIndex(), 0, 'nothing of it was taken')
    t.notOk(engine.holds(MOVED), 'it serves nobody')
    t.match(engine.status(MOVED), { primary: null, raft: { term, role: 'follower', commit: 0 } })

    const refused = [{ type: 'voteResponse', granted: false }]
    const wish = { type: 'vote', to: NUMBER, lastIndex: 1_000, lastTerm: term, transfer: true } as const
    for (const from of others)
      t.match(await answersTo(cube, { ...wish, from, term }), refused, `asked by ${from}`)
    t.match(store.load(MOVED).hardState, { term, vote })
    const empty = { ...wish, from: others[0]!, term: term + 1, lastIndex: 0, lastTerm: 0 }
    t.match(await answersTo(cube, empty), refused, 'nor does it vote for a log without what it once held')

    await cube.clock.advance(5_000)
    t.notOk(store.slots().includes(MOVED), 'it is deleted again')
    t.same(store.tombstone(MOVED), { ...tombstone, term: term + 1, vote: 0 })
    t.same(fatal, [])
  },
)

t.test('a replica that comes back goes on from the term and vote of its tombstone', async t => {
  const { cube, tombstone } = await movedAway(t)
  const { store, engine, fatal } = cube.peer(PEER)
  const begun: SlotWrite[] = []
  const write = store.write.bind(store)
  store.write = writes => {
    begun.push(...writes.filter(({ slot, found }) => slot === MOVED && found))
    return write(writes)
  }
  await moveBack(cube)
  const { term, vote } = tombstone
  t.match(begun, [{ found: { number: NUMBER }, hardState: { term, vote, commit: 0 } }])
  t.equal(begun.length, 1)
  t.ok(engine.holds(MOVED))
  t.equal(store.tombstone(MOVED), undefined)
  await publish(cube, 'after')
  await cube.clock.advance(500)
  t.equal(engine.topic(MOVED, 'a')?.latest, 2)
  t.same(fatal, [])
})

t.test('a slot whose tombstone cannot be read stays away, and its peer goes on with the others', async t => {
  const { cube } = await movedAway(t)
  cube.crash(PEER)
  const { disk } = cube.peer(PEER)
  const beginning = slotPrefix(TABLES.tombstone, MOVED)
  const damage = (row: Uint8Array) => row.with(row.length - 1, row.at(-1)! ^ 1)
  t.equal(
    disk.corrupt(key => key.startsWith(beginning), damage),
    1,
  )
  await cube.restart(PEER)
  await cube.clock.advance(2_000)
  await moveBack(cube)
  const { engine, store, fatal, errors } = cube.peer(PEER)
  t.same(fatal, [])
  t.notOk(store.slots().includes(MOVED), 'it might break what it promised')
  t.match(errors, [/what this peer promised for a slot cannot be read/])
  t.equal(errors.length, 1, 'said once')
  t.same(engine.held, [0, 1, 2, SLOTS])
  t.equal(cube.primary(0), PEER, 'it is primary where it is at home')
  const taken = await cube.append({ kind: 'create', topic: 'b', settings: anyTime })
  t.match(taken, { result: { kind: 'created' } })
  t.match(
    await publish(cube, 'after'),
    { result: { kind: 'published', first: 2 } },
    'the others serve the slot',
  )
})
