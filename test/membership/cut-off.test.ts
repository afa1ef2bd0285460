import t, { type Test } from 'tap'
import { isLevel } from '../../services/peer/engine/mover.ts'
import type { Dispatcher } from '../../services/peer/links/types.ts'
import { Departures } from '../../services/peer/membership/departures.ts'
import { MemoryDisk } from '../../services/peer/store/memory.ts'
import { Engines } from '../engine/engines.ts'

const FOUR = ['00', '01', '10', '11']
const REST = FOUR.slice(0, 3)
/** Slot 0 is not on the fourth peer, slot 1 is. */
const SLOTS = 2
/** The roster's own slot, on all four. */
const ROSTER = SLOTS
const EVICT_AFTER_MS = 3_000
const quiet = { debug() {}, info() {}, warn() {}, error() {} }

/** Finds the primaries as the links would. */
function dispatcherOf(cube: Engines): Dispatcher {
  const failed = { result: { kind: 'failed', code: 'NO_PRIMARY', definite: true }, path: [] } as const
  return {
    append: async (request, deadlineMs) => {
      const primary = cube.primary(ROSTER)
      if (primary === undefined) return { ...failed, slot: ROSTER }
      const appended = await cube.peer(primary).engine.append(ROSTER, request, deadlineMs)
      return { result: { kind: 'appended', ...appended, primary }, path: [], slot: ROSTER }
    },
    dispatch: async (operation, deadlineMs) => {
      if (operation.kind !== 'members') throw new Error(`nobody answers ${operation.kind}`)
      const primary = cube.primary(operation.slot)
      if (primary === undefined) return failed
      const { engine } = cube.peer(primary)
      await engine.barrier(operation.slot, deadlineMs)
      const configuration = engine.members(operation.slot)
      const { raft } = engine.status(operation.slot)
      const level = [...raft.progress.keys()].filter(number => isLevel(raft, { number }))
      return { result: { kind: 'members', configuration, level: [raft.number, ...level], primary }, path: [] }
    },
  }
}

/** Lets a peer see to those that leave and are dead, as it does in a process of its own. */
function watch(t: Test, cube: Engines, id: string): void {
  const { engine } = cube.peer(id)
  const departures = new Departures({
    self: id,
    rosters: engine.rosters,
    dispatcher: dispatcherOf(cube),
    clock: cube.clock,
    log: quiet,
    isRosterPrimary: () => cube.primary(ROSTER) === id,
    silentForMs: peer => engine.silentForMs(peer),
    isLost: () => engine.isLost(),
    askForRoster: peer => engine.askForRoster(peer),
    reaches: async () => false,
    evictAfterMs: EVICT_AFTER_MS,
  })
  departures.start()
  t.teardown(() => departures.stop())
}

const listed = (cube: Engines, id: string) => cube.peer(id).engine.roster.peers.map(peer => peer.id)

t.test('a dead peer is evicted also when all others have started anew and never heard it', async t => {
  const cube = new Engines(FOUR, SLOTS)
  await cube.start()
  for (const id of FOUR) cube.crash(id)
  for (const id of REST) await cube.restart(id)
  for (const id of REST) watch(t, cube, id)
  await cube.clock.advance(EVICT_AFTER_MS - 500)
  for (const id of REST) t.same(listed(cube, id), FOUR, `${id} waits`)
  await cube.clock.advance(10_000)
  for (const id of REST) {
    const { engine, fatal } = cube.peer(id)
    t.same(listed(cube, id), REST, `${id} goes by a roster without it`)
    t.equal(engine.roster.version, 3, 'evicted once, removed once, whoever saw to it')
    t.same(fatal, [])
  }
  for (let slot = 0; slot <= SLOTS; slot++) {
    t.same(
      [...cube.peer('00').engine.status(slot).replicas].sort(),
      REST,
      `slot ${slot} is on those that are left`,
    )
  }
})

t.test('the silence of a store that has taken the place of another begins anew', async t => {
  const cube = new Engines(FOUR, SLOTS)
  await cube.start()
  cube.crash('11')
  await cube.clock.advance(4_000)
  const { engine } = cube.peer('00')
  t.ok(engine.silentForMs('11') >= 3_900)
  const because = { by: 'test', why: 'its disk is lost' }
  const url = 'http://11.test'
  const change = { kind: 'replace', id: '11', uid: 'another', replaces: 'uid-11', url, ...because } as const
  await cube.append({ kind: 'roster', change }, cube.primary(ROSTER), ROSTER)
  await cube.clock.advance(1_000)
  const silentMs = engine.silentForMs('11')
  t.ok(silentMs >= 1_000 && silentMs < 1_500, `${silentMs} ms`)
})

t.test(
  'a peer that was evicted while it was cut off asks until somebody tells it that it is out',
  async t => {
    const cube = new Engines(FOUR, SLOTS)
    await cube.start()
    const links = (to: string) => [`11>${to}`, `${to}>11`]
    for (const id of REST) for (const link of links(id)) cube.cut.add(link)
    t.notOk(cube.peer('11').engine.isLost())
    for (const id of REST) watch(t, cube, id)
    await cube.clock.advance(13_000)
    for (const id of REST) t.same(listed(cube, id), REST)
    t.ok(cube.peer('11').engine.isLost(), 'its slots have no primary')

    for (const id of ['01', '10']) for (const link of links(id)) cube.cut.delete(link)
    await cube.clock.advance(5_000)
    t.notOk(cube.peer('11').removed, 'nobody tells one that is not listed')
    watch(t, cube, '11')
    await cube.clock.advance(5_000)
    t.ok(cube.peer('11').removed, 'though the first one asked does not answer')
    t.same(listed(cube, '11'), REST)
  },
)

t.test('a newcomer that was evicted before it heard anybody learns that it is out', async t => {
  const cube = new Engines(REST, SLOTS)
  await cube.start()
  const because = { by: 'test', why: 'it asked to' }
  const change = { kind: 'join', uid: 'uid-11', url: 'http://11.test', id: '11', ...because } as const
  const { result } = await cube.append({ kind: 'roster', change }, cube.primary(ROSTER), ROSTER)
  if (result.kind !== 'roster') throw new Error(JSON.stringify(result))
  for (const id of REST) cube.cut.add(`11>${id}`).add(`${id}>11`)
  await cube.boot('11', new MemoryDisk(), result.roster)
  for (const id of REST) watch(t, cube, id)
  await cube.clock.advance(13_000)
  for (const id of REST) t.same(listed(cube, id), REST)
  t.same(cube.peer('11').store.slots(), [], 'it holds nothing that it could miss a primary of')
  t.ok(cube.peer('11').engine.isLost(), 'its partners are silent')

  cube.cut.clear()
  await cube.clock.advance(5_000)
  t.notOk(cube.peer('11').removed, 'the others begin the heartbeats, and do not list it')
  watch(t, cube, '11')
  await cube.clock.advance(5_000)
  t.ok(cube.peer('11').removed)
})

t.test('a peer whose slots have primaries, or just lost them, is not lost', async t => {
  const cube = new Engines(FOUR, SLOTS)
  await cube.start()
  await cube.clock.advance(5_000)
  for (const id of FOUR) t.notOk(cube.peer(id).engine.isLost(), id)
  cube.crash('00')
  cube.crash('01')
  await cube.clock.advance(1_500)
  t.notOk(cube.peer('11').engine.isLost(), 'an election may be under way')
  await cube.clock.advance(5_000)
  t.ok(cube.peer('11').engine.isLost())
})
