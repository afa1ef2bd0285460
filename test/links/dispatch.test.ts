import t, { type Test } from 'tap'
import { neighbours } from '../../services/peer/cube/neighbours.ts'
import { SlotError } from '../../services/peer/engine/types.ts'
import type { Operation } from '../../services/peer/links/types.ts'
import type { Request } from '../../services/peer/topics/types.ts'
import { inMs, patient, settings, signal, startCube, type TestCube } from './support/cube.ts'

// On the full 3-cube `sports` lives in a slot whose corner is 110, `news` at 100, `a` at 011 (DESIGN 4).
const publish = (topic: string): Request => ({ kind: 'publish', topic, events: [{ data: Buffer.from('x') }] })
const OPERATIONS = '/v1/relay/operations'

async function cubeOf(t: Test, count = 8, dimension = 3, timeouts = patient): Promise<TestCube> {
  const cube = await startCube(count, dimension, timeouts)
  t.teardown(() => cube.close())
  return cube
}

const hops = (cube: TestCube) =>
  [...cube.peers.values()].reduce((sum, peer) => sum + peer.count(OPERATIONS), 0)

t.test('a publish goes hop by hop to the home and the answer says which way', async t => {
  const cube = await cubeOf(t)
  const { result, path, slot } = await cube.peer('001').dispatcher.append(publish('sports'), inMs(2_000))
  t.equal(slot, 6)
  t.match(result, { kind: 'appended', primary: '110', result: { first: 1 } })
  t.equal(path[0], '001')
  t.equal(path.at(-1), '110')
  t.ok(path.length - 1 <= 3, `${path.join(' > ')}`)
  for (let i = 1; i < path.length; i += 1) {
    t.ok(
      neighbours(path[i - 1]!, cube.roster).includes(path[i]!),
      `${path[i - 1]} and ${path[i]} share a link`,
    )
  }
  t.equal(cube.logs.get(6)?.applied.length, 1)
})

t.test('what this peer can answer itself costs no request', async t => {
  const cube = await cubeOf(t)
  const { result, path } = await cube.peer('110').dispatcher.append(publish('sports'), inMs(2_000))
  t.match(result, { kind: 'appended', primary: '110' })
  t.same(path, ['110'])
  t.equal(hops(cube), 0)
})

t.test('a replica that knows the primary goes straight to it', async t => {
  const cube = await cubeOf(t)
  cube.logs.get(6)!.elect('010')
  // 100 and 010 are both replicas of 110's slot, two dimensions apart.
  const { result, path } = await cube.peer('100').dispatcher.append(publish('sports'), inMs(2_000))
  t.match(result, { kind: 'appended', primary: '010' })
  t.same(path, ['100', '010'])
})

t.test('a primary that is off the list is forgotten', async t => {
  const cube = await cubeOf(t)
  const { dispatcher } = cube.peer('001')
  await dispatcher.append(publish('sports'), inMs(2_000))
  dispatcher.retain(peer => peer !== '000')
  t.equal(dispatcher.primaryOf(6), '110')
  dispatcher.retain(peer => peer !== '110')
  t.equal(dispatcher.primaryOf(6), null)
})

t.test('publishes that take the same edge in the same turn are one request', async t => {
  const cube = await cubeOf(t)
  const { dispatcher } = cube.peer('001')
  const outcomes = await Promise.all(
    Array.from({ length: 200 }, () => dispatcher.append(publish('sports'), inMs(2_000))),
  )
  const hopsOfOne = outcomes[0]!.path.length - 1
  t.ok(outcomes.every(({ result }) => result.kind === 'appended'))
  t.equal(cube.logs.get(6)?.applied.length, 200)
  t.ok(hops(cube) <= hopsOfOne * 4, `${hops(cube)} requests over ${hopsOfOne} hops`)
})

t.test('every pair of live peers that is connected finds a way around the dead ones', async t => {
  for (const dead of [['010'], ['100', '010'], ['100', '010', '101'], ['000', '011', '101']]) {
    const cube = await cubeOf(t)
    for (const id of dead) await cube.peer(id).close()
    const alive = [...cube.peers.keys()].filter(id => !dead.includes(id))
    for (const from of alive) {
      const component = reachable(cube, from, alive)
      for (const slot of [6, 7, 1]) {
        const primary = cube.logs.get(slot)!.primary!
        if (dead.includes(primary)) continue
        const request = { ...publish('x') }
        const { result, path } = await cube
          .peer(from)
          .dispatcher.dispatch({ kind: 'append', slot, request }, inMs(component.has(primary) ? 3_000 : 200))
        const way = `${from} to ${primary} without ${dead.join()}: ${path.join(' > ')}`
        if (component.has(primary)) t.match(result, { kind: 'appended', primary }, way)
        else t.match(result, { kind: 'failed' }, way)
      }
    }
  }
})

/** Peers that can be reached over links between live ones. */
function reachable(cube: TestCube, from: string, alive: readonly string[]): Set<string> {
  const found = new Set([from])
  for (const id of found) {
    for (const next of neighbours(id, cube.roster)) if (alive.includes(next)) found.add(next)
  }
  return found
}

t.test('a cut link is walked around although its other end lives', async t => {
  const cube = await cubeOf(t)
  cube.peer('110').cutFrom.add('111').add('010')
  const { result, path } = await cube.peer('111').dispatcher.append(publish('sports'), inMs(3_000))
  t.match(result, { kind: 'appended', primary: '110' })
  t.same(path.slice(-2), ['100', '110'], path.join(' > '))
  t.equal(cube.logs.get(6)?.applied.length, 1, 'tried more than once, applied once')
})

t.test('a stopped neighbour costs its time once and is passed by afterwards', async t => {
  const cube = await cubeOf(t, 8, 3, settings)
  const peer = cube.peer('001')
  const { path } = await peer.dispatcher.append(publish('sports'), inMs(3_000))
  const frozen = cube.peer(path[1]!)
  frozen.frozen = true
  const before = frozen.count(OPERATIONS)
  for (let i = 0; i < 3; i += 1) {
    const { result, path } = await peer.dispatcher.append(publish('sports'), inMs(3_000))
    t.match(result, { kind: 'appended' })
    t.notOk(path.includes(frozen.id), path.join(' > '))
  }
  t.equal(frozen.count(OPERATIONS), before + 1)
  t.ok(peer.engine.closed.includes(frozen.id), 'and is looked at')
})

t.test('a request under way to a peer that is suspected looks for another way at once', async t => {
  const cube = await cubeOf(t)
  const peer = cube.peer('111')
  const primary = cube.peer('110')
  const here = signal()
  primary.slots.hook = () => {
    here.resolve()
    return new Promise(() => {})
  }
  const outcome = peer.dispatcher.append(publish('sports'), inMs(20_000))
  await here.promise
  cube.logs.get(6)!.elect('010')
  peer.isUp = id => id !== '110'
  peer.slots.emit({ kind: 'suspected', peer: '110', why: 'silent', timeMs: 0 })
  t.match((await outcome).result, { kind: 'appended', primary: '010' })
})

t.test('a publish in flight waits for the next primary and does not fail', async t => {
  const cube = await cubeOf(t)
  const log = cube.logs.get(6)!
  log.elect(null)
  await cube.peer('110').close()
  const outcomes = [...cube.peers.values()]
    .filter(({ id }) => id !== '110')
    .map(({ dispatcher }) => dispatcher.append(publish('sports'), inMs(10_000)))
  setTimeout(() => log.elect('100'), 400)
  for (const { result } of await Promise.all(outcomes)) t.match(result, { kind: 'appended', primary: '100' })
  t.equal(log.applied.length, 7)
})

t.test('a pausing request goes on as soon as a primary is seen', async t => {
  const cube = await cubeOf(t)
  const peer = cube.peer('100')
  const log = cube.logs.get(6)!
  log.elect(null)
  const outcome = peer.dispatcher.append(publish('sports'), inMs(10_000))
  log.elect('100')
  peer.slots.emit({ kind: 'primary', slot: 6, peer: '100', term: 2, timeMs: 0 })
  t.match((await outcome).result, { kind: 'appended', primary: '100' })
  t.equal(peer.dispatcher.primaryOf(6), '100')
})

t.test('without a primary nothing is published, and nobody is told that it was', async t => {
  const cube = await cubeOf(t)
  cube.logs.get(6)!.elect(null)
  const ask = (id: string) => cube.peer(id).dispatcher.append(publish('sports'), inMs(600))
  for (const { result } of await Promise.all([ask('001'), ask('110')])) t.equal(result.kind, 'failed')
  t.equal(cube.logs.get(6)?.applied.length, 0)
})

t.test('a peer that reaches nobody says so, definitely', async t => {
  const cube = await cubeOf(t)
  for (const peer of cube.peers.values()) if (peer.id !== '001') await peer.close()
  const { dispatcher } = cube.peer('001')
  const { result } = await dispatcher.append(publish('sports'), inMs(300))
  t.match(result, { kind: 'failed', definite: true })
  const described = await dispatcher.dispatch({ kind: 'describe', slot: 6, topic: 'sports' }, inMs(300))
  t.match(described.result, { kind: 'failed', definite: true })
})

t.test('what was appended and whose fate was not seen is unknown, not refused', async t => {
  const cube = await cubeOf(t)
  cube.peer('110').slots.hook = async () => {
    throw new SlotError({ kind: 'unknown' })
  }
  for (const id of ['001', '110']) {
    const { result } = await cube.peer(id).dispatcher.append(publish('sports'), inMs(500))
    t.same(result, { kind: 'failed', code: 'OUTCOME_UNKNOWN', definite: false }, id)
  }
})

t.test('a refusal after an attempt whose fate is unknown proves nothing', async t => {
  const cube = await cubeOf(t)
  let calls = 0
  cube.peer('110').slots.hook = async () => {
    calls += 1
    throw new SlotError(calls === 1 ? { kind: 'unknown' } : { kind: 'refused', code: 'DISK_FULL' })
  }
  const { result } = await cube.peer('001').dispatcher.append(publish('sports'), inMs(500))
  t.same(result, { kind: 'failed', code: 'OUTCOME_UNKNOWN', definite: false })
  t.ok(calls > 1)
})

t.test('a request that was sent and not answered is unknown although nobody else knows of it', async t => {
  const cube = await cubeOf(t, 8, 3, settings)
  const peer = cube.peer('111')
  const primary = cube.peer('110')
  primary.slots.hook = async () => {
    primary.slots.hook = async () => {
      throw new SlotError({ kind: 'refused', code: 'DISK_FULL' })
    }
    peer.edges.drop('110')
    return undefined
  }
  const broken = await peer.dispatcher.append(publish('sports'), inMs(400))
  t.same(broken.result, { kind: 'failed', code: 'OUTCOME_UNKNOWN', definite: false })
  t.equal(cube.logs.get(6)?.applied.length, 1)

  const other = await cubeOf(t, 8, 3, settings)
  other.logs.get(6)!.elect(null)
  other.peer('110').frozen = true
  const silent = await other.peer('111').dispatcher.append(publish('sports'), inMs(1_500))
  t.same(silent.result, { kind: 'failed', code: 'OUTCOME_UNKNOWN', definite: false })
})

t.test('a refusal on its own is definite and told at once', async t => {
  const cube = await cubeOf(t)
  let calls = 0
  cube.peer('110').slots.hook = async () => {
    calls += 1
    throw new SlotError({ kind: 'refused', code: 'DISK_FULL' })
  }
  const { result } = await cube.peer('001').dispatcher.append(publish('sports'), inMs(5_000))
  t.same(result, { kind: 'failed', code: 'DISK_FULL', definite: true })
  t.equal(calls, 1)
})

t.test('an answer of the log itself is definite whatever went before', async t => {
  const cube = await cubeOf(t)
  let calls = 0
  cube.peer('110').slots.hook = async () => {
    calls += 1
    if (calls === 1) throw new SlotError({ kind: 'unknown' })
    return { kind: 'refused', code: 'UNKNOWN_TOPIC' }
  }
  const { result } = await cube.peer('001').dispatcher.append(publish('sports'), inMs(5_000))
  t.match(result, { kind: 'appended', result: { kind: 'refused', code: 'UNKNOWN_TOPIC' } })
})

t.test('an own earlier attempt that is in flight is waited for, a stranger’s is told', async t => {
  const cube = await cubeOf(t)
  let calls = 0
  cube.peer('110').slots.hook = async () => {
    calls += 1
    if (calls === 1) throw new SlotError({ kind: 'notPrimary', primary: null })
    if (calls < 4) throw new SlotError({ kind: 'refused', code: 'KEY_IN_FLIGHT' })
    return undefined
  }
  const { dispatcher } = cube.peer('001')
  t.match((await dispatcher.append(publish('sports'), inMs(5_000))).result, { kind: 'appended' })
  cube.peer('110').slots.hook = async () => {
    throw new SlotError({ kind: 'refused', code: 'KEY_IN_FLIGHT' })
  }
  const { result } = await dispatcher.append(publish('sports'), inMs(5_000))
  t.same(result, { kind: 'failed', code: 'IDEMPOTENCY_KEY_IN_FLIGHT', definite: true })
})

t.test('a connection that breaks after the append does not double it', async t => {
  const cube = await cubeOf(t)
  const peer = cube.peer('111')
  const primary = cube.peer('110')
  const log = cube.logs.get(6)!
  primary.slots.hook = async (_slot, request) => {
    primary.slots.hook = undefined
    const result = log.apply(request)
    peer.edges.drop('110')
    return result
  }
  const { result } = await peer.dispatcher.append(publish('sports'), inMs(5_000))
  t.match(result, { kind: 'appended', result: { first: 1 } })
  t.equal(log.applied.length, 1)
  t.ok(primary.count(OPERATIONS) > 1, 'it was sent again')
})

t.test('the deadline is kept although a peer on the way never answers', async t => {
  const cube = await cubeOf(t, 8, 3, settings)
  cube.peer('110').slots.hook = () => new Promise(() => {})
  const { result } = await cube.peer('001').dispatcher.append(publish('sports'), inMs(400))
  t.same(result, { kind: 'failed', code: 'OUTCOME_UNKNOWN', definite: false })
})

t.test('reads are answered by a replica, the nearest first', async t => {
  const cube = await cubeOf(t)
  const read: Operation = {
    kind: 'read',
    slot: 6,
    topic: 'sports',
    incarnation: 1,
    from: 5,
    maxEvents: 10,
    maxBytes: 1_000,
  }
  const here = await cube.peer('100').dispatcher.dispatch(read, inMs(2_000))
  t.same(here.path, ['100'])
  const { result, path } = await cube.peer('011').dispatcher.dispatch(read, inMs(2_000))
  t.match(result, { kind: 'events', events: [{ offset: 5 }] })
  t.same(path, ['011', '010'])
  cube.peer('011').isUp = id => id !== '010'
  const around = await cube.peer('011').dispatcher.dispatch(read, inMs(2_000))
  t.match(around.result, { kind: 'events' })
  t.notOk(around.path.includes('010'))
})

t.test('a slot is read and placed in by any replica, once every peer knows how', async t => {
  const cube = await cubeOf(t)
  const { dispatcher } = cube.peer('011')
  const position = { sequence: 0, index: 0 }
  const read = { kind: 'readSlot', slot: 6, wants: ['a'], position, maxEvents: 1, maxBytes: 1 } as const
  const place = { kind: 'placeSlot', slot: 6, wants: ['a'], start: { kind: 'latest' } } as const
  const glance = { kind: 'glance', slot: 6, topic: 'a' } as const
  Object.assign(cube.roster, { format: 2 })
  for (const operation of [read, place, glance]) {
    const { result, path } = await dispatcher.dispatch(operation, inMs(2_000))
    t.match(result, { kind: 'failed', code: 'UPGRADE_UNDER_WAY', definite: true })
    t.same(path, [], 'it does not go on its way')
  }
  Object.assign(cube.roster, { format: 3 })
  const results = [
    { kind: 'slice', events: [{ topic: 'a', event: { offset: 1 } }], latest: 9 },
    { kind: 'placed', position: { sequence: 9, index: 9 } },
    { kind: 'described', view: { topic: { name: 'a' } } },
  ]
  for (const [at, operation] of [read, place, glance].entries()) {
    const { result, path } = await dispatcher.dispatch(operation, inMs(2_000))
    t.match(result, results[at]!)
    t.same(path, ['011', '010'], 'the nearest replica, which is not the primary')
  }
  const fresh = await dispatcher.dispatch({ ...place, fresh: true }, inMs(2_000))
  t.match(fresh.result, results[1]!)
  t.equal(fresh.path.at(-1), '110', 'the primary')
  const ahead = { ...read, position: { sequence: 10, index: 9 } }
  const { result } = await dispatcher.dispatch(ahead, inMs(300))
  t.match(result, { kind: 'failed', definite: true }, 'no replica is so far')
})

t.test('describe, offsetAt and list find somebody who knows', async t => {
  const cube = await cubeOf(t)
  const { dispatcher } = cube.peer('001')
  const described = await dispatcher.dispatch({ kind: 'describe', slot: 6, topic: 'sports' }, inMs(2_000))
  t.match(described.result, { kind: 'described', view: { topic: { name: 'sports' }, primary: '110' } })
  const none = await dispatcher.dispatch({ kind: 'describe', slot: 6, topic: 'none' }, inMs(2_000))
  t.match(none.result, { kind: 'described', view: { incarnation: 1, primary: '110' } })
  const offset = await dispatcher.dispatch({ kind: 'offsetAt', slot: 6, topic: 'a', timeMs: 1 }, inMs(2_000))
  t.match(offset.result, { kind: 'offset', offset: 7 })
  const list = await dispatcher.dispatch({ kind: 'list', slots: [6], after: '', limit: 10 }, inMs(2_000))
  t.match(list.result, { kind: 'topics', topics: [{ name: 'topic-of-6' }], primaries: ['110'] })
})

t.test('sequences of a slot are dense and the low watermark is the lowest unanswered one', async t => {
  const cube = await cubeOf(t)
  const gate = signal()
  let first = true
  cube.peer('110').slots.hook = async () => {
    if (first) {
      first = false
      await gate.promise
    }
    return undefined
  }
  const { dispatcher } = cube.peer('110')
  const slow = dispatcher.append(publish('sports'), inMs(5_000))
  await dispatcher.append(publish('sports'), inMs(5_000))
  await dispatcher.append(publish('sports'), inMs(5_000))
  gate.resolve()
  await slow
  await dispatcher.append(publish('sports'), inMs(5_000))
  const stamps = cube.logs.get(6)!.applied.map(({ producer }) => [producer!.sequence, producer!.low])
  t.same(stamps, [
    [2, 1],
    [3, 1],
    [1, 1],
    [4, 4],
  ])
})

t.test('cubes of any number of peers are served from every peer', async t => {
  for (const [count, dimension] of [
    [1, 1],
    [2, 1],
    [3, 2],
    [5, 3],
  ] as const) {
    const cube = await cubeOf(t, count, dimension)
    for (const peer of cube.peers.values()) {
      for (let slot = 0; slot < 8; slot += 1) {
        const operation: Operation = { kind: 'append', slot, request: publish('x') }
        const { result } = await peer.dispatcher.dispatch(operation, inMs(2_000))
        t.match(result, { kind: 'appended' }, `${count} peers, ${peer.id}, slot ${slot}`)
      }
    }
  }
})

t.test('who listens is asked of the peer itself, wherever it is, and of nobody else', async t => {
  const cube = await cubeOf(t)
  cube.peer('111').listeners.set('sports', 3)
  cube.peer('000').listeners.set('sports', 1)
  const { dispatcher } = cube.peer('000')
  const ask = (peer: string, topic = 'sports') =>
    dispatcher.dispatch({ kind: 'listeners', peer, topic }, inMs(2_000))
  const there = await ask('111')
  t.same(there.result, { kind: 'listeners', count: 3 })
  t.equal(there.path.at(-1), '111')
  t.match(await ask('000'), { result: { count: 1 }, path: ['000'] })
  t.match(await ask('111', 'news'), { result: { count: 0 } })
})

t.test('a peer that is gone is not answered for by another', async t => {
  const cube = await cubeOf(t, 8, 3, settings)
  await cube.peer('111').kill()
  const { result } = await cube
    .peer('000')
    .dispatcher.dispatch({ kind: 'listeners', peer: '111', topic: 'sports' }, inMs(300))
  t.match(result, { kind: 'failed', definite: true })
})

t.test('nobody is asked who listens while a program in the cluster does not know the question', async t => {
  const cube = await startCube(2, 1, patient, 2)
  t.teardown(() => cube.close())
  const question = { kind: 'listeners', peer: '1', topic: 'sports' } as const
  const { result } = await cube.peer('0').dispatcher.dispatch(question, inMs(2_000))
  t.match(result, { kind: 'failed', code: 'UPGRADE_UNDER_WAY', detail: /needs format 3.*\(0, 1\)/ })
  t.equal(hops(cube), 0)
})
