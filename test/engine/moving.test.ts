import t, { type Test } from 'tap'
import type { RosterChange } from '../../services/peer/cube/roster-change.ts'
import { MemoryDisk } from '../../services/peer/store/memory.ts'
import { anyTime, Engines, text } from './engines.ts'

const SLOTS = 4
/** The roster's own slot. */
const ROSTER = SLOTS

type Change = Exclude<RosterChange, { kind: 'found' }>
type Wish = Change extends infer C ? (C extends Change ? Omit<C, 'by' | 'why'> : never) : never

async function change(cube: Engines, wish: Wish) {
  const request = { kind: 'roster', change: { ...wish, by: 'test', why: 'a test' } as Change } as const
  const { result } = await cube.append(request, cube.primary(ROSTER), ROSTER)
  return result
}

/** A new store joins, and its peer starts with the roster it was given. */
async function join(t: Test, cube: Engines, id: string): Promise<void> {
  const result = await change(cube, { kind: 'join', uid: `uid-${id}`, url: `http://${id}.test`, id })
  t.match(result, { kind: 'roster', changed: true }, `${id} joins`)
  if (result.kind === 'roster') await cube.boot(id, new MemoryDisk(), result.roster)
}

/** Every slot stands where the roster of the first peer places it, and nowhere else. */
function settled(t: Test, cube: Engines, what: string): void {
  const alive = [...cube.peers.values()].filter(peer => peer.alive)
  const { version } = alive[0]!.engine.roster
  for (let slot = 0; slot <= SLOTS; slot++) {
    const primary = cube.primary(slot)
    if (primary === undefined) {
      t.fail(`${what}: slot ${slot} has no primary`)
      continue
    }
    const { home, replicas } = cube.peer(primary).engine.status(slot)
    t.equal(primary, home, `${what}: slot ${slot} is led by its home`)
    const holding = alive.filter(peer => peer.store.slots().includes(slot)).map(({ id }) => id)
    t.same(holding.sort(), [...replicas].sort(), `${what}: slot ${slot} is on its replicas only`)
    t.equal(replicas.length, Math.min(slot === ROSTER ? 5 : 3, staying(cube)), `${what}: slot ${slot}`)
  }
  for (const peer of alive) t.equal(peer.engine.roster.version, version, `${what}: ${peer.id} has the roster`)
  for (const peer of alive) t.same(peer.fatal, [], `${what}: ${peer.id} is well`)
}

function staying(cube: Engines): number {
  const { engine } = [...cube.peers.values()].find(peer => peer.alive)!
  return engine.roster.peers.filter(({ leaving }) => !leaving).length
}

t.test('a peer alone grows to five, and each slot moves to the peers nearest its corner', async t => {
  const cube = new Engines(['000'], SLOTS)
  await cube.start()
  await cube.append({ kind: 'create', topic: 'a', settings: anyTime })
  for (let at = 0; at < 20; at++) await cube.append({ kind: 'publish', topic: 'a', events: text(`${at}`) })
  for (const id of ['001', '010', '011', '100']) {
    await join(t, cube, id)
    await cube.clock.advance(8_000)
    settled(t, cube, `with ${id}`)
    await cube.append({ kind: 'publish', topic: 'a', events: text(`with ${id}`) }, cube.primary(0))
  }
  for (const peer of cube.peers.values()) {
    if (!peer.engine.holds(0)) continue
    t.equal(peer.engine.read(0, 1, 1, 100, 1e9).length, 24, `${peer.id} has all events`)
  }
})

t.test(
  'a learner that shares nothing else with the primary is told again when the first append was lost',
  async t => {
    // Nothing goes home: 11 stays the primary of the slot that it is to leave.
    const cube = new Engines(['00', '01', '10', '11'], SLOTS, { reclaimAfterMs: 1e9 })
    await cube.start()
    const slot = 3
    t.equal(cube.primary(slot), '11')
    cube.onSend = (_from, to, messages) => to !== '00' || messages.every(message => message.slot !== slot)
    t.match(await change(cube, { kind: 'leave', id: '11' }), { kind: 'roster', changed: true })
    await cube.clock.advance(8_000)
    const { raft, primary } = cube.peer('11').engine.status(slot)
    t.equal(primary, '11', 'the slot waits for the learner')
    t.match(raft.configuration.learners, [{ uid: 'uid-00' }])
    cube.onSend = () => true
    await cube.clock.advance(8_000)
    const home = cube.primary(slot)!
    t.same([...cube.peer(home).engine.status(slot).replicas].sort(), ['00', '01', '10'], 'it has moved')
  },
)

t.test('no slot goes over to voters of which no majority is there', async t => {
  const cube = new Engines(['00', '01', '10'], SLOTS)
  await cube.start()
  await cube.append({ kind: 'create', topic: 'a', settings: anyTime })
  cube.crash('00')
  await cube.clock.advance(3_000)
  t.match(await change(cube, { kind: 'leave', id: '01' }), { kind: 'roster', changed: true })
  await cube.clock.advance(8_000)
  for (let slot = 0; slot <= SLOTS; slot++) t.ok(cube.primary(slot), `slot ${slot} has a primary`)
  const published = await cube.append({ kind: 'publish', topic: 'a', events: text('still') })
  t.match(published.result, { kind: 'published' })
  await cube.restart('00')
  await cube.clock.advance(12_000)
  settled(t, cube, 'when it is back')
})

t.test('a peer that was away while a slot moved on is ready without it', async t => {
  const cube = new Engines(['00', '01', '10', '11'], SLOTS)
  await cube.start()
  cube.crash('01')
  await cube.clock.advance(2_000)
  // Nearer to corner 000 than 01 is.
  await join(t, cube, '100')
  await cube.clock.advance(8_000)
  const { events } = cube.peer('01')
  events.length = 0
  await cube.restart('01')
  t.ok(cube.peer('01').store.slots().includes(0), 'it has a replica and nobody leads it there')
  await cube.clock.advance(8_000)
  settled(t, cube, 'when it is back')
  t.equal(events.filter(({ kind }) => kind === 'ready').length, 1)
})

t.test('peers that share nothing any more exchange no heartbeats and do not miss each other', async t => {
  const cube = new Engines(['000', '001', '010', '011', '100'], 8)
  await cube.start()
  const [one, other] = ['011', '100'] as const
  t.same([cube.peer(one).engine.peerState(other), cube.peer(other).engine.peerState(one)], ['up', 'up'])
  // Both held the slot of this corner; the new peer takes the place of one of them.
  const change = {
    kind: 'join',
    uid: 'uid-101',
    url: 'http://101.test',
    id: '101',
    by: 'test',
    why: 'a test',
  } as const
  const { result } = await cube.append({ kind: 'roster', change }, cube.primary(8), 8)
  if (result.kind === 'roster') await cube.boot('101', new MemoryDisk(), result.roster)
  await cube.clock.advance(8_000)
  const before = cube.beats.get(`${one}>${other}`)
  await cube.clock.advance(2_000)
  t.equal(cube.beats.get(`${one}>${other}`), before)
  t.same(
    [cube.peer(one).engine.peerState(other), cube.peer(other).engine.peerState(one)],
    ['unknown', 'unknown'],
  )
  const told = [...cube.peers.values()].flatMap(({ events }) =>
    events.filter(({ kind }) => kind === 'suspected'),
  )
  t.same(told, [])
})

t.test('a peer that leaves hands its slots on before it is taken off the list', async t => {
  const cube = new Engines(['00', '01', '10', '11'], SLOTS)
  await cube.start()
  await cube.append({ kind: 'create', topic: 'a', settings: anyTime })
  await cube.append({ kind: 'publish', topic: 'a', events: text('x') })
  await change(cube, { kind: 'leave', id: '00' })
  await cube.clock.advance(8_000)
  t.same(cube.peer('00').store.slots(), [], 'it holds nothing any more')
  settled(t, cube, 'after it')
  t.equal(cube.peer('01').engine.topic(0, 'a')?.latest, 1)
  t.match(await change(cube, { kind: 'remove', uid: 'uid-00' }), { kind: 'roster', changed: true })
  cube.crash('00')
  await cube.clock.advance(2_000)
  settled(t, cube, 'without it')
})
