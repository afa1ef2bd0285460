import t from 'tap'
import { LIMITS } from '../../services/peer/limits.ts'
import { Admission } from '../../services/peer/membership/admission.ts'
import { World } from './world.ts'

const URL_OF_NEW = 'http://127.0.0.1:99'
const wish = { uid: 'new', url: URL_OF_NEW, format: 1, by: 'test' }

/** An admission, and who answers at which address. */
function admission(world: World, answers: Record<string, { uid: string; clusterId: string | null }> = {}) {
  const at: typeof answers = { [URL_OF_NEW]: { uid: 'new', clusterId: null }, ...answers }
  return new Admission({
    rosters: world.rosters,
    dispatcher: world.dispatcher,
    clock: world.clock,
    identify: async url => {
      const identity = at[url]
      if (!identity) throw new Error('connect ECONNREFUSED')
      return identity
    },
    isUp: peer => world.up.has(peer),
    reaches: async (peer, deadlineMs) => {
      const forMs = deadlineMs - world.clock.monotonicMs()
      if (!world.reached.has(peer)) await new Promise<void>(resolve => world.clock.after(forMs, resolve))
      return world.reached.has(peer)
    },
    adopt: roster => void world.rosters.adopt(roster),
  })
}

/** Lets time pass until it is decided. */
async function decided<T>(world: World, promise: Promise<T>): Promise<T> {
  let isDone = false
  const done = promise.finally(() => {
    isDone = true
  })
  done.catch(() => {})
  for (let step = 0; step < 200 && !isDone; step++) await world.clock.advance(100)
  return done
}

const deadline = (world: World, ms = 5_000) => world.clock.monotonicMs() + ms

t.test('a store joins on the lowest free corner, and asking again gives the same answer', async t => {
  const world = new World(3)
  const gate = admission(world)
  const first = await decided(world, gate.join(wish, deadline(world)))
  t.match(first, { fresh: true, peer: { id: '11', uid: 'new', number: 4 }, roster: { version: 2 } })
  const again = await decided(world, gate.join(wish, deadline(world)))
  t.match(again, { fresh: false, peer: { id: '11' }, roster: { version: 2 } })
  t.equal(world.rosters.current.version, 2, 'this peer goes by it at once')
})

t.test('bad joins are refused in words that say what to do, and change nothing', async t => {
  const world = new World(3)
  const gate = admission(world, {
    'http://127.0.0.1:50': { uid: 'another', clusterId: null },
    'http://127.0.0.1:51': { uid: 'new', clusterId: 'other' },
  })
  for (const [bad, code, words] of [
    [{ id: '01' }, 'LABEL_TAKEN', /01/],
    [{ slots: 8 }, 'JOIN_REFUSED', /has 4 slots and not 8/],
    [{ oldestFormat: 2, format: 3 }, 'JOIN_REFUSED', /format 1 .* none before 2: run a version in between/],
    [{ url: 'http://127.0.0.1:52' }, 'ADDRESS_UNREACHABLE', /Nobody answers at .*--advertise/],
    [{ url: 'http://127.0.0.1:50' }, 'ADDRESS_UNREACHABLE', /another store answers/],
    [{ url: 'http://127.0.0.1:51' }, 'JOIN_REFUSED', /belongs to cluster other/],
  ] as const) {
    const joining = gate.join({ ...wish, ...bad }, deadline(world))
    await t.rejects(decided(world, joining), { code, message: words }, JSON.stringify(bad))
  }
  t.same(world.applied, [])
})

t.test('another store at a listed address takes the place of the one before', async t => {
  const world = new World(4)
  const gate = admission(world, { 'http://127.0.0.1:2': { uid: 'new', clusterId: null } })
  const replacing = gate.join({ ...wish, url: 'http://127.0.0.1:2' }, deadline(world))
  t.match(await decided(world, replacing), { peer: { id: '01', uid: 'new', number: 5 } })
  t.same(world.applied, ['replace'])
})

t.test('a listed store at another address has moved', async t => {
  const world = new World(4)
  const gate = admission(world, { [URL_OF_NEW]: { uid: 'uid-2', clusterId: 'c' } })
  const moved = await decided(world, gate.join({ ...wish, uid: 'uid-2' }, deadline(world)))
  t.match(moved, { peer: { id: '10', url: URL_OF_NEW, number: 3 } })
  t.same(world.applied, ['address'])
})

t.test('a listed store that answers where another is listed has taken its address', async t => {
  const world = new World(4)
  const gate = admission(world, { 'http://127.0.0.1:2': { uid: 'uid-2', clusterId: 'c' } })
  const wanted = { ...wish, uid: 'uid-2', url: 'http://127.0.0.1:2' }
  t.match(await decided(world, gate.join(wanted, deadline(world))), {
    peer: { id: '10', url: 'http://127.0.0.1:2', number: 3 },
    roster: { peers: [{}, { id: '01', uid: 'uid-1', url: 'http://127.0.0.1:3' }, {}, {}] },
  })
  t.same(world.applied, ['address'])
})

t.test('nobody comes or goes while slots are on the move, nor while one has no primary', async t => {
  const world = new World(4)
  const gate = admission(world)
  world.stuck.set(2, { rosterVersion: 1, voters: [{ number: 1, uid: 'uid-0' }] })
  await t.rejects(decided(world, gate.join(wish, deadline(world))), { code: 'CHANGE_UNDER_WAY' })
  await t.rejects(decided(world, gate.leave('01', 'test', false, deadline(world))), {
    code: 'CHANGE_UNDER_WAY',
  })
  world.stuck.clear()
  world.lost.add(1)
  await t.rejects(decided(world, gate.join(wish, deadline(world))), { code: 'NO_PRIMARY' })
  await t.rejects(decided(world, gate.leave('01', 'test', false, deadline(world))), { code: 'NO_PRIMARY' })
  t.same(world.applied, [])
  await decided(world, gate.leave('01', 'test', true, deadline(world)))
  t.same(world.applied, ['evict'], 'by force it goes all the same')
})

t.test('a join that waits goes on as soon as the slots have settled', async t => {
  const world = new World(4)
  world.stuck.set(0, { rosterVersion: 1, voters: [{ number: 1, uid: 'uid-0' }] })
  const joining = admission(world).join(wish, deadline(world))
  await world.clock.advance(1_000)
  t.same(world.applied, [])
  world.stuck.clear()
  t.match(await decided(world, joining), { fresh: true })
})

t.test('what was judged under a roster that is no longer the last is judged again', async t => {
  const world = new World(2)
  world.onAppend = () => {
    world.onAppend = () => {}
    // Another peer's ingress is a moment faster; heartbeats tell of it soon.
    world.apply({ kind: 'join', uid: 'other', url: 'http://127.0.0.1:98', by: 'other', why: 'joins' })
    world.clock.after(300, () => world.rosters.adopt(world.committed))
  }
  const joined = await decided(world, admission(world).join(wish, deadline(world)))
  t.match(joined, { fresh: true })
  t.same(world.applied, ['join', 'join'])
  t.equal(new Set(world.committed.peers.map(({ id }) => id)).size, 4)
})

t.test('a store that is listed and asks again is answered though its slots wait for it', async t => {
  const world = new World(3)
  const gate = admission(world)
  await decided(world, gate.join(wish, deadline(world)))
  world.stuck.set(1, {
    rosterVersion: 1,
    voters: [{ number: 1, uid: 'uid-0' }],
    learners: [{ number: 4, uid: 'new' }],
  })
  t.match(await decided(world, gate.join(wish, deadline(world))), { fresh: false, peer: { id: '11' } })
})

t.test('a peer that is heard of is not replaced by whoever answers at its address', async t => {
  const world = new World(4)
  world.up.add('01')
  const gate = admission(world, { 'http://127.0.0.1:2': { uid: 'new', clusterId: null } })
  const joining = gate.join({ ...wish, url: 'http://127.0.0.1:2' }, deadline(world))
  await t.rejects(decided(world, joining), { code: 'CHANGE_UNDER_WAY', message: /is heard of/ })
  t.same(world.applied, [])
})

t.test('nor one that somebody reaches, though this peer has not heard it yet', async t => {
  const world = new World(4)
  world.reached.add('01')
  const url = 'http://127.0.0.1:2'
  const gate = admission(world, { [url]: { uid: 'new', clusterId: null } })
  const joining = () => decided(world, gate.join({ ...wish, url }, deadline(world)))
  await t.rejects(joining(), { code: 'CHANGE_UNDER_WAY', message: /is heard of/ })
  t.same(world.applied, [])
  world.reached.delete('01')
  const sinceMs = world.clock.monotonicMs()
  t.match(await joining(), { peer: { id: '01', uid: 'new' } })
  const tookMs = world.clock.monotonicMs() - sinceMs
  t.ok(tookMs >= LIMITS.REPLACE_PATIENCE_MS && tookMs < 2 * LIMITS.REPLACE_PATIENCE_MS, `${tookMs} ms`)
})

t.test('two stores that join at once are both taken in, the second when the slots have settled', async t => {
  const world = new World(2)
  const other = { ...wish, uid: 'other', url: 'http://127.0.0.1:98' }
  const gate = admission(world, { [other.url]: { uid: 'other', clusterId: null } })
  world.onAppend = () => world.stuck.set(0, { rosterVersion: 1, voters: [{ number: 1, uid: 'uid-0' }] })
  const both = Promise.all([gate.join(wish, deadline(world)), gate.join(other, deadline(world))])
  await world.clock.advance(2_000)
  t.same(world.applied, ['join'], 'both were judged at version 1')
  world.onAppend = () => {}
  world.stuck.clear()
  const taken = await decided(world, both)
  t.same(world.applied, ['join', 'join'])
  t.same(taken.map(({ peer, roster }) => [peer.id, roster.version]).sort(), [
    ['10', 2],
    ['11', 3],
  ])
})

t.test('a peer leaves only when what came in between has settled', async t => {
  const world = new World(4)
  world.onAppend = () => {
    world.onAppend = () => {}
    // Another peer's ingress is a moment faster; heartbeats tell of it soon.
    world.apply({ kind: 'leave', id: '10', by: 'other', why: 'leaves' })
    world.clock.after(300, () => world.rosters.adopt(world.committed))
  }
  const leaving = admission(world).leave('01', 'test', false, deadline(world, 10_000))
  await world.clock.advance(3_000)
  t.same(world.applied, ['leave'], 'the other one')
  world.apply({ kind: 'remove', uid: 'uid-2', by: 'other', why: 'it holds nothing' })
  world.rosters.adopt(world.committed)
  t.match(await decided(world, leaving), { peer: { id: '01', leaving: true }, roster: { version: 4 } })
  t.same(world.applied, ['leave', 'remove', 'leave'])
})

t.test('a change that others always come before is refused when its time is over', async t => {
  const world = new World(4)
  let at = 10
  world.onAppend = () => {
    at += 1
    world.apply({ kind: 'address', uid: 'uid-3', url: `http://127.0.0.1:${at}`, by: 'other', why: 'moves' })
    world.clock.after(100, () => world.rosters.adopt(world.committed))
  }
  for (const change of [
    admission(world).leave('01', 'test', false, deadline(world)),
    admission(world).join(wish, deadline(world)),
  ]) {
    await t.rejects(decided(world, change), { code: 'CHANGE_UNDER_WAY', message: /was judged at version/ })
  }
  t.same(new Set(world.applied), new Set(['address']))
})
