import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import type { SlotMessage } from '../../services/peer/engine/types.ts'
import { LIMITS } from '../../services/peer/limits.ts'
import { type FakeEngine, patient, settings, signal, startCube, type TestCube } from './support/cube.ts'

const append = (index: number, sizeBytes = 0): SlotMessage => ({
  slot: 1,
  message: {
    type: 'append',
    from: 1,
    to: 2,
    term: 1,
    prevIndex: index,
    prevTerm: 1,
    commit: 0,
    entries: sizeBytes ? [{ index: index + 1, term: 1, type: 'data', data: Buffer.alloc(sizeBytes) }] : [],
  },
})
const response = (index: number): SlotMessage => ({
  slot: 1,
  message: {
    type: 'appendResponse',
    from: 2,
    to: 1,
    term: 1,
    index,
    rejected: false,
    hintIndex: 0,
    hintTerm: 0,
  },
})
const beat = {
  uid: 'u',
  boot: 1,
  to: 'uid',
  rosterVersion: 1,
  nowMs: 5,
  lowDisk: false,
  stopping: false,
  leads: [],
  follows: [],
}
const indexOf = ({ message }: SlotMessage) => (message.type === 'append' ? message.prevIndex : -1)
/** The error a promise rejects with. */
const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    error => error,
  )
const answered = (engine: FakeEngine) =>
  engine.received.flatMap(({ messages }) => messages).map(({ message }) => message.type)

/** Two peers, the second told to answer each append, and a wait for a number of answers at the first. */
async function pair(
  t: Test,
  timeouts = settings,
): Promise<{ cube: TestCube; a: ReturnType<TestCube['peer']>; b: ReturnType<TestCube['peer']> }> {
  const cube = await startCube(2, 1, timeouts)
  t.teardown(() => cube.close())
  const [a, b] = [cube.peer('0'), cube.peer('1')]
  b.engine.onReceive = (from, messages) => {
    const answers = messages.filter(({ message }) => message.type === 'append').map(m => response(indexOf(m)))
    b.transport.send(from, answers)
  }
  return { cube, a, b }
}

function answersAt(engine: FakeEngine, count: number): Promise<void> {
  const { promise, resolve } = signal()
  engine.onReceive = () => {
    if (answered(engine).length >= count) resolve()
  }
  return promise
}

t.test('batches sent one after the other arrive in order without waiting for answers', async t => {
  const { a, b } = await pair(t)
  const count = 300
  const all = answersAt(a.engine, count)
  for (let i = 0; i < count; i += 1) {
    a.transport.send('1', [append(i, i % 7 === 0 ? 100_000 : 10)])
    if (i % 3 === 0) await null
  }
  await all
  const order = b.engine.received.flatMap(({ messages }) => messages.map(indexOf))
  t.same(
    order,
    Array.from({ length: count }, (_, i) => i),
  )
  t.equal(b.count('lane'), 1)
  t.same(a.engine.lost, [])
})

t.test('an answer comes back on the lane that brought its append', async t => {
  const { a, b } = await pair(t)
  const all = answersAt(a.engine, 1)
  a.transport.send('1', [append(5)])
  await all
  t.match(a.engine.received, [{ from: '1', messages: [{ message: { type: 'appendResponse', index: 5 } }] }])
  t.equal(b.count('lane'), 1)
  t.equal(a.count('lane'), 0)
})

/** A lane from the first to the second that is open and has carried one append. */
async function open({ a, b }: Awaited<ReturnType<typeof pair>>): Promise<void> {
  const first = answersAt(a.engine, 1)
  a.transport.send('1', [append(0)])
  await first
  for (const engine of [a.engine, b.engine]) engine.received.length = 0
}

t.test('appends follow each other before the first is answered', async t => {
  const peers = await pair(t)
  const { a, b } = peers
  await open(peers)
  const gate = signal()
  const third = signal()
  const answer = b.engine.onReceive
  b.engine.onReceive = async (from, messages) => {
    if (b.engine.received.length === 3) third.resolve()
    await gate.promise
    await answer(from, messages)
  }
  const all = answersAt(a.engine, 3)
  for (let i = 0; i < 3; i += 1) a.transport.send('1', [append(i)])
  await third.promise
  t.same(a.engine.received, [])
  gate.resolve()
  await all
  t.equal(answered(a.engine).length, 3)
})

t.test('a frame that brings no answer is told to have been taken in: the peer is not silent', async t => {
  const peers = await pair(t)
  const { a, b } = peers
  await open(peers)
  b.engine.onReceive = () => {}
  for (let i = 0; i < 3 * LIMITS.MAX_LINK_INFLIGHT; i += 1) {
    a.transport.send('1', [append(i)])
    await new Promise(resolve => setImmediate(resolve))
  }
  await new Promise(resolve => setTimeout(resolve, 2 * settings.replicateTimeoutMs))
  t.equal(b.engine.received.length, 3 * LIMITS.MAX_LINK_INFLIGHT, 'all arrived')
  t.same(a.engine.lost, [])
})

t.test('what is no answer leaves on an own lane', async t => {
  const { a, b } = await pair(t)
  const arrived = signal()
  b.engine.onReceive = from => b.transport.send(from, [response(1), append(9)])
  a.engine.onReceive = () => {
    if (answered(a.engine).length === 2) arrived.resolve()
  }
  a.transport.send('1', [append(1)])
  await arrived.promise
  t.same([...answered(a.engine)].sort(), ['append', 'appendResponse'])
  t.equal(a.count('lane'), 1)
})

t.test('an answer to a peer that has no lane here leaves on an own one', async t => {
  const { a, b } = await pair(t)
  const arrived = signal()
  a.engine.onReceive = () => arrived.resolve()
  b.transport.send('0', [response(3)])
  await arrived.promise
  t.equal(a.count('lane'), 1)
})

t.test('of two lanes of a peer the newer one counts, and the other is closed', async t => {
  const peers = await pair(t)
  const { a, b } = peers
  await open(peers)
  const lost = signal()
  a.engine.onLost = () => lost.resolve()
  const socket = await openRaw(b.url, { 'hypercast-from': '0' })
  await lost.promise
  t.same(a.engine.lost, ['1'])
  socket.destroy()
})

t.test('a lane that breaks is told, and the next message opens another', async t => {
  const peers = await pair(t)
  const { a, b } = peers
  await open(peers)
  const broken = signal()
  a.engine.onLost = () => broken.resolve()
  b.cut()
  await broken.promise
  a.transport.heard('1')
  const all = answersAt(a.engine, 1)
  a.transport.send('1', [append(2)])
  await all
  t.equal(b.count('lane'), 2)
})

t.test('what is no frame ends a lane and nothing else', async t => {
  const { b } = await pair(t)
  const garbage = [
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    Buffer.from([0, 0, 0, 3, 1, 2, 3]),
    Buffer.from([0xff, 0xff, 0xff, 0xff]),
    Buffer.from([0, 0, 0, 0]),
  ]
  for (const bytes of garbage) {
    const socket = await openRaw(b.url, { 'hypercast-from': '0' })
    const closed = new Promise(resolve => socket.once('close', resolve))
    socket.write(bytes)
    await closed
  }
  t.same(b.engine.received, [])
  t.equal(b.transport.size, 0, 'nothing is held for them')
})

t.test('more answers than a frame may hold come in several', async t => {
  const peers = await pair(t)
  const { a, b } = peers
  await open(peers)
  const count = 2 * LIMITS.MAX_MESSAGES_PER_BATCH + 1
  b.engine.onReceive = from =>
    b.transport.send(
      from,
      Array.from({ length: count }, (_, i) => response(i)),
    )
  const all = answersAt(a.engine, count)
  a.transport.send('1', [append(1)])
  await all
  t.equal(answered(a.engine).length, count)
  t.same(a.engine.lost, [])
})

t.test('a peer that closes takes no lane any more', async t => {
  const peers = await pair(t)
  const { a, b } = peers
  await open(peers)
  b.transport.closeLanes()
  const socket = await openRaw(b.url, { 'hypercast-from': '0' })
  if (!socket.closed) await new Promise(resolve => socket.once('close', resolve))
  t.equal(b.transport.size, 0)
  t.same(a.engine.lost, ['1'])
})

t.test('answers that are not taken end the lane', async t => {
  const { a, b } = await pair(t)
  const socket = await openRaw(b.url, { 'hypercast-from': '0' })
  socket.pause()
  const arrived = signal()
  a.engine.onReceive = () => arrived.resolve()
  const many = Array.from({ length: 4_096 }, (_, i) => response(i))
  const closed = new Promise(resolve => socket.once('close', resolve))
  for (let sent = 0; sent < 2_000 && a.engine.received.length === 0; sent += 1) {
    b.transport.send('0', many)
    await new Promise(resolve => setImmediate(resolve))
  }
  await arrived.promise
  t.ok(answered(a.engine).length > 0, 'later ones leave on an own lane')
  socket.resume()
  await closed
})

/** Opens a lane by hand. */
async function openRaw(url: string, headers: Record<string, string>): Promise<Socket> {
  const { hostname, port } = new URL(url)
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => {})
  socket.write(
    `POST /v1/replicate HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: hypercast-lane\r\n${lines.join('')}\r\n`,
  )
  await new Promise(resolve => socket.once('data', resolve))
  return socket
}

t.test('a refused connection is told once and what comes right after is dropped', async t => {
  const { a, b } = await pair(t)
  await b.kill()
  const lost = signal()
  a.engine.onLost = () => lost.resolve()
  for (let i = 0; i < 10; i += 1) a.transport.send('1', [append(i)])
  await lost.promise
  a.transport.send('1', [append(10)])
  t.same(a.engine.lost, ['1'])
})

t.test('a connection that breaks is told, and the link works again as soon as the peer is heard', async t => {
  const { a, b } = await pair(t)
  const broken = signal()
  a.engine.onLost = () => broken.resolve()
  b.cutFrom.add('0')
  a.transport.send('1', [append(1)])
  await broken.promise
  b.cutFrom.clear()
  a.transport.heard('1')
  const all = answersAt(a.engine, 1)
  a.transport.send('1', [append(2)])
  await all
  t.same(
    b.engine.received.flatMap(({ messages }) => messages.map(indexOf)),
    [2],
    'what was under way is not sent again behind newer messages',
  )
})

t.test('a peer that takes messages and never answers is given up', async t => {
  const { a, b } = await pair(t)
  b.frozen = true
  const lost = signal()
  a.engine.onLost = () => lost.resolve()
  for (let i = 0; i < 100; i += 1) a.transport.send('1', [append(i)])
  await lost.promise
  t.same(a.engine.lost, ['1'])
  b.frozen = false
  a.transport.heard('1')
  const all = answersAt(a.engine, 1)
  a.transport.send('1', [append(200)])
  await all
})

t.test('what waits for a link is bounded and the oldest is dropped', async t => {
  const { a, b } = await pair(t, patient)
  const gate = signal()
  const answer = b.engine.onReceive
  b.engine.onReceive = async (from, messages) => {
    await gate.promise
    await answer(from, messages)
  }
  const sizeBytes = 1_000_000
  const count = LIMITS.MAX_LINK_INFLIGHT + Math.ceil(LIMITS.MAX_LINK_QUEUE_BYTES / sizeBytes) + 20
  const last = signal()
  a.engine.onReceive = (_from, messages) => {
    if (messages.some(({ message }) => message.type === 'appendResponse' && message.index === count - 1)) {
      last.resolve()
    }
  }
  const data = append(0, sizeBytes).message
  for (let i = 0; i < count; i += 1) {
    a.transport.send('1', [{ slot: 1, message: { ...data, prevIndex: i } as never }])
  }
  gate.resolve()
  await last.promise
  const order = b.engine.received.flatMap(({ messages }) => messages.map(indexOf))
  t.ok(order.length < count, `${count - order.length} were dropped`)
  t.same(
    order,
    [...order].sort((x, y) => x - y),
  )
})

t.test('an answer that takes too long does not hold the request for ever', async t => {
  const { a, b } = await pair(t)
  b.engine.onReceive = () => new Promise(() => {})
  let ring = () => {}
  let waitMs = 0
  const clock = {
    nowMs: () => 0,
    monotonicMs: () => 0,
    endOfTurn: (run: () => void) => setImmediate(run),
    after: (delayMs: number, run: () => void) => {
      waitMs = delayMs
      ring = run
      return () => {}
    },
  }
  const { HttpTransport } = await import('../../services/peer/links/transport.ts')
  const transport = new HttpTransport({ ...optionsOf(a), clock } as never)
  t.teardown(() => transport.close())
  transport.attach(b.engine)
  const answers = transport.handleReplicate('1', [append(1)])
  transport.send('1', [response(1)])
  const { replicateTimeoutMs } = optionsOf(a).settings
  t.ok(waitMs < replicateTimeoutMs / 2, 'a slow disk must not look like a lost message')
  ring()
  t.match(await answers, [response(1)])
})

const optionsOf = (peer: { id: string }) => ({
  self: peer.id,
  uid: 'u',
  clusterId: 'test',
  url: 'http://here',
  whereabouts: { urlOf: () => undefined, missed() {}, uidOf: () => undefined },
  random: Math.random,
  log: { debug() {}, warn() {}, error() {} },
  settings: { heartbeatTimeoutMs: 100, connectTimeoutMs: 100, replicateTimeoutMs: 100, acceptTimeoutMs: 100 },
})

t.test('answers in the making are bounded', async t => {
  const { b } = await pair(t)
  const gate = signal()
  b.engine.onReceive = () => gate.promise
  const all = Array.from({ length: LIMITS.MAX_PARKED_ANSWERS }, (_, i) =>
    b.transport.handleReplicate('0', [append(i)]),
  )
  t.match(await failureOf(b.transport.handleReplicate('0', [append(0)])), { code: 'OVERLOADED' })
  gate.resolve()
  await Promise.all(all)
  t.same(await b.transport.handleReplicate('0', [append(0)]), [])
})

t.test('a heartbeat is exchanged on a connection of its own', async t => {
  const { a, b } = await pair(t)
  t.match(await a.transport.heartbeat('1', beat), { uid: 'answer', boot: 1 })
  t.equal(b.count('/v1/heartbeat'), 1)
})

t.test(
  'a heartbeat that is not answered in time is an error, and no evidence of a closed connection',
  async t => {
    const { a, b } = await pair(t)
    await a.transport.heartbeat('1', beat)
    b.frozen = true
    t.match(await failureOf(a.transport.heartbeat('1', beat)), { failure: 'silent' })
    b.frozen = false
    t.match(await a.transport.heartbeat('1', beat), { uid: 'answer' })
    t.same(a.engine.closed, [])
  },
)

t.test('the end of a process is seen at once on the heartbeat connections of both directions', async t => {
  const { a, b } = await pair(t)
  await a.transport.heartbeat('1', beat)
  const seenByA = signal()
  a.engine.onClosed = () => seenByA.resolve()
  await b.kill()
  await seenByA.promise
  t.same(a.engine.closed, ['1'], 'the connection it opened itself')
  t.match(await failureOf(a.transport.heartbeat('1', beat)), { failure: 'refused' })

  const { a: c, b: d } = await pair(t)
  await d.transport.heartbeat('0', beat)
  const seenByC = signal()
  c.engine.onClosed = () => seenByC.resolve()
  await d.close()
  await seenByC.promise
  t.same(c.engine.closed, ['1'], 'the connection the other side opened')
})

t.test('a peer that stops takes the end of its connections for nothing', async t => {
  const { a, b } = await pair(t)
  await b.transport.heartbeat('0', beat)
  await a.close()
  t.same(a.engine.closed, [])
})

t.test('a dial tells an open port from a refused one and from silence', async t => {
  const { a, b } = await pair(t)
  t.equal(await a.transport.dial('1'), 'open')
  await b.kill()
  t.equal(await a.transport.dial('1'), 'refused')
  t.equal(await a.transport.dial('unknown'), 'silent')
})

t.test('a port that takes connections only to reset them until it is gone is refused in the end', async t => {
  const { dial } = await import('../../services/peer/links/dial.ts')
  const { systemClock } = await import('../../services/peer/engine/clock.ts')
  const server = createServer(socket => {
    socket.resetAndDestroy()
    server.close()
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  t.equal(await dial(`http://127.0.0.1:${port}`, 1_000, systemClock), 'refused')
})

t.test('a snapshot is pulled in chunks', async t => {
  const { a, b } = await pair(t)
  b.engine.onChunk = (slot, afterIndex) => ({
    records: [
      {
        run: {
          logIndex: afterIndex + 1,
          incarnation: slot,
          first: 1,
          count: 1,
          sequence: 1,
          timeMs: 1,
          bytes: 3,
        },
        data: Buffer.from('abc'),
      },
    ],
  })
  const chunk = await a.transport.snapshot('1', 4, 9)
  t.match(chunk, { records: [{ run: { logIndex: 10, incarnation: 4 } }] })
  t.equal(Buffer.from(chunk.records[0]!.data).toString(), 'abc')
  b.engine.onChunk = () => {
    throw new Error('no')
  }
  t.match(await failureOf(a.transport.snapshot('1', 4, 9)), { failure: 'broken', status: 500 })
})

t.test('messages to a peer that is not in the roster go nowhere', async t => {
  const { a } = await pair(t)
  const lost = signal()
  a.engine.onLost = () => lost.resolve()
  a.transport.send('11', [append(1)])
  await lost.promise
  t.match(await failureOf(a.transport.heartbeat('11', beat)), { failure: 'unsent' })
  t.equal(a.transport.size, 0, 'nothing is held for it')
})
