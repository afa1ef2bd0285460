import t, { type Test } from 'tap'
import type { RosterChange } from '../../services/peer/cube/roster-change.ts'
import { LIMITS } from '../../services/peer/limits.ts'
import { OwnAddress } from '../../services/peer/membership/address.ts'
import { World } from './world.ts'

const urlOf = (port: number) => `http://127.0.0.1:${port}`

/** The peer `uid-0` at an address, which watches over it; who answers there; and what it writes. */
function watched(t: Test, world: World, port: number) {
  const stop = new AbortController()
  const listeners = new Set<() => void>()
  const peer = {
    /** By address; nobody answers elsewhere. */
    answers: new Map([[urlOf(port), { uid: 'uid-0', run: 'this' }]]),
    warnings: [] as unknown[],
    asked: [] as string[],
    /** The peer goes over to what is committed. */
    hear() {
      world.rosters.adopt(world.committed)
      for (const listener of [...listeners]) listener()
    },
    url: (uid = 'uid-0') => world.committed.peers.find(one => one.uid === uid)?.url,
  }
  const warn = (fields: object) => peer.warnings.push(fields)
  const address = new OwnAddress({
    uid: 'uid-0',
    url: urlOf(port),
    run: 'this',
    rosters: world.rosters,
    dispatcher: world.dispatcher,
    clock: world.clock,
    log: { debug() {}, info() {}, warn, error() {} },
    signal: stop.signal,
    identify: async url => {
      const found = peer.answers.get(url)
      if (!found) throw new Error('connect ECONNREFUSED')
      return found
    },
    adopt: () => peer.hear(),
    askForRoster: id => peer.asked.push(id),
    onRoster(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  })
  const watching = address.watch()
  t.teardown(async () => {
    stop.abort()
    await watching
    if (listeners.size > 0) throw new Error('it listens on')
  })
  return peer
}

const elsewhere = (uid: string, port: number, displaces?: string): RosterChange => {
  const url = urlOf(port)
  return { kind: 'address', uid, url, ...(displaces && { displaces }), by: uid, why: 'moved' }
}

t.test('a peer at another address than the listed one says so, once', async t => {
  const world = new World(3)
  const peer = watched(t, world, 99)
  await world.clock.advance(1_000)
  t.equal(peer.url(), urlOf(99))
  t.same(world.applied, ['address'])
  await world.clock.advance(60_000)
  t.same(world.applied, ['address'], 'and then nothing')
})

t.test('two that swap addresses wait for nobody', async t => {
  const world = new World(3)
  const peer = watched(t, world, 2)
  await world.clock.advance(1_000)
  t.equal(peer.url(), urlOf(2))
  t.equal(peer.url('uid-1'), urlOf(1), 'the one that was listed there is where the mover was')
  t.same(world.applied, ['address'])
})

t.test('a peer that was given another’s address says that it is right, or where it is', async t => {
  for (const port of [1, 99]) {
    const world = new World(3)
    world.apply(elsewhere('uid-1', 1, 'uid-0'))
    world.apply(elsewhere('uid-1', 50))
    world.apply(elsewhere('uid-2', 2, 'uid-0'))
    world.apply(elsewhere('uid-2', 51))
    world.apply(elsewhere('uid-1', 3))
    world.rosters.adopt(world.committed)
    const own = () => world.committed.peers.find(({ uid }) => uid === 'uid-0')
    watched(t, world, port)
    await world.clock.advance(5_000)
    t.match(own(), { url: urlOf(port), given: undefined })
  }
})

t.test('an address at which the others reach another peer is not taken from it', async t => {
  const world = new World(3)
  const peer = watched(t, world, 2)
  world.reached.add('01')
  await world.clock.advance(30_000)
  t.same(world.applied, [])
  t.match(peer.warnings, [{ error: /peer 01 is reached there/ }])
  world.reached.clear()
  await world.clock.advance(2 * LIMITS.JOIN_RETRY_MAX_MS)
  t.same(world.applied, ['address'])
})

t.test('a listed peer that is reached elsewhere does not hold the address', async t => {
  const world = new World(3)
  watched(t, world, 2)
  world.reached.add('01')
  world.places.set('01', urlOf(2))
  await world.clock.advance(30_000)
  t.same(world.applied, [], 'it is there, and says so')
  world.places.set('01', urlOf(50))
  await world.clock.advance(2 * LIMITS.JOIN_RETRY_MAX_MS)
  t.same(world.applied, ['address'])
})

t.test('three that go around the ring are right when each has said so', async t => {
  const world = new World(3)
  world.apply(elsewhere('uid-1', 3, 'uid-2'))
  world.rosters.adopt(world.committed)
  const peer = watched(t, world, 2)
  await world.clock.advance(1_000)
  t.same(['uid-0', 'uid-1', 'uid-2'].map(peer.url), [urlOf(2), urlOf(3), urlOf(1)])
})

t.test('a peer whose address the roster gives away says it again, at a measured pace', async t => {
  const world = new World(3)
  const peer = watched(t, world, 1)
  await world.clock.advance(100)
  t.same(world.applied, [])
  for (let round = 0; round < 50; round++) {
    world.apply(elsewhere('uid-1', 1, peer.url() === urlOf(1) ? 'uid-0' : undefined))
    peer.hear()
    await world.clock.advance(1_000)
  }
  await world.clock.advance(10_000)
  t.equal(peer.url(), urlOf(1))
  const own = world.applied.length / 2
  t.ok(own >= 5 && own <= 15, `against a peer that insists it said so ${own} times in a minute`)
})

t.test('an address where somebody else answers, or nobody, is never asked for', async t => {
  for (const [found, words] of [
    [{ uid: 'uid-1', run: 'that' }, /another store answers there \(uid uid-1\)/],
    [{ uid: 'uid-0', run: 'that' }, /on a copy of this store/],
    [undefined, /nobody answers there: connect ECONNREFUSED/],
  ] as const) {
    const world = new World(3)
    const peer = watched(t, world, 2)
    if (found) peer.answers.set(urlOf(2), found)
    else peer.answers.clear()
    await world.clock.advance(30_000)
    t.same(world.applied, [])
    t.match(peer.warnings, [{ url: urlOf(2), error: words }], 'it is told once')
    peer.answers.set(urlOf(2), { uid: 'uid-0', run: 'this' })
    await world.clock.advance(2 * LIMITS.JOIN_RETRY_MAX_MS)
    t.same(world.applied, ['address'], 'when it answers there itself it says so')
  }
})

t.test(
  'a wish that goes by an old roster displaces nobody else, and another roster is asked for',
  async t => {
    const world = new World(4)
    const peer = watched(t, world, 2)
    world.apply(elsewhere('uid-1', 98))
    world.apply(elsewhere('uid-2', 2))
    await world.clock.advance(1_500)
    t.equal(peer.url('uid-2'), urlOf(2))
    t.equal(peer.url(), urlOf(1))
    t.same(peer.asked.slice(0, 2), ['01', '10'], 'of one peer after the other')
    peer.hear()
    await world.clock.advance(2 * LIMITS.JOIN_RETRY_MAX_MS)
    t.equal(peer.url(), urlOf(2))
  },
)

t.test('a peer off the list has no address to correct', async t => {
  const world = new World(3)
  world.apply({ kind: 'leave', id: '00', by: 'test', why: '' })
  world.apply({ kind: 'remove', uid: 'uid-0', by: 'test', why: '' })
  world.rosters.adopt(world.committed)
  watched(t, world, 99)
  await world.clock.advance(30_000)
  t.same(world.applied, ['leave', 'remove'])
})
