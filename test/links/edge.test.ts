import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { systemClock } from '../../services/peer/engine/clock.ts'
import { answerBody, operationsBody, WIRE_FORMAT } from '../../services/peer/engine/wire.ts'
import { AnswerStream } from '../../services/peer/links/answers.ts'
import { Edge } from '../../services/peer/links/edge.ts'
import { LinkError } from '../../services/peer/links/errors.ts'
import { EMPTY_FRAME, FRAME_HEAD_BYTES, FrameReader, sealFrame } from '../../services/peer/links/frames.ts'
import { PeerPools } from '../../services/peer/links/pools.ts'
import { packedHeaders } from '../../services/peer/links/replicate.ts'
import type { Forwarded, ForwardedAnswer } from '../../services/peer/links/types.ts'
import { signal } from './support/cube.ts'

const asking = (topic: string): Forwarded => ({
  operation: { kind: 'describe', slot: 1, topic },
  target: '1',
  path: ['0'],
  visited: ['0'],
  patienceMs: 5_000,
})
const answer = (offset: number): ForwardedAnswer => ({
  kind: 'answered',
  path: ['0', '1'],
  result: { kind: 'offset', offset },
})
const frame = (index: number, of: ForwardedAnswer) =>
  sealFrame(answerBody.encode({ index, answer: of }, 'msgpack', WIRE_FORMAT, FRAME_HEAD_BYTES))

type Serve = (operations: readonly Forwarded[], response: ServerResponse) => void

/** An edge to a server that deals with each request as `serve` says; `requests` counts them. */
async function edgeTo(t: Test, serve: Serve, acceptTimeoutMs = 300) {
  const requests: (readonly Forwarded[])[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const operations = operationsBody.decode(Buffer.concat(chunks))
    requests.push(operations)
    serve(operations, response)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const pools = new PeerPools({ urlOf: () => url, connectTimeoutMs: 300, onClosed: () => {} })
  const edge = new Edge({
    clock: systemClock,
    headers: packedHeaders({}),
    wireFormat: () => WIRE_FORMAT,
    acceptTimeoutMs,
    connection: () => pools.operations('1'),
  })
  t.teardown(async () => {
    await pools.close()
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  })
  return { edge, requests, server }
}

const answerAll: Serve = (operations, response) => {
  response.write(EMPTY_FRAME)
  operations.forEach((_, i) => {
    response.write(frame(i, answer(i)))
  })
  response.end()
}

t.test('operations that take an edge in the same turn travel in one request', async t => {
  const { edge, requests } = await edgeTo(t, answerAll)
  const outcomes = await Promise.all(Array.from({ length: 50 }, (_, i) => edge.forward(asking(`t${i}`))))
  t.equal(requests.length, 1)
  t.equal(requests[0]?.length, 50)
  outcomes.forEach((outcome, i) => {
    t.match(outcome, { kind: 'answer', answer: { result: { offset: i } } })
  })
  await edge.forward(asking('later'))
  t.equal(requests.length, 2)
})

t.test('a slow answer does not delay the others of its request, nor later requests', async t => {
  const slow = signal()
  const { edge } = await edgeTo(t, (operations, response) => {
    response.write(EMPTY_FRAME)
    operations.forEach(({ operation }, i) => {
      if (operation.kind === 'describe' && operation.topic === 'slow') {
        slow.promise.then(() => response.end(frame(i, answer(99))))
      } else response.write(frame(i, answer(i)))
    })
    if (!operations.some(({ operation }) => operation.kind === 'describe' && operation.topic === 'slow'))
      response.end()
  })
  const waiting = edge.forward(asking('slow'))
  t.match(await edge.forward(asking('fast')), { kind: 'answer' })
  t.match(await edge.forward(asking('next turn')), { kind: 'answer' })
  slow.resolve()
  t.match(await waiting, { kind: 'answer', answer: { result: { offset: 99 } } })
})

t.test('what was answered before a connection broke counts, the rest is broken', async t => {
  const { edge } = await edgeTo(t, (_operations, response) => {
    response.write(EMPTY_FRAME)
    response.write(frame(0, answer(0)), () => response.socket?.resetAndDestroy())
  })
  const [first, second] = await Promise.all([edge.forward(asking('a')), edge.forward(asking('b'))])
  t.match(first, { kind: 'answer' })
  t.same(second, { kind: 'failed', failure: 'broken' })
})

t.test('an answer that ends too early leaves the rest broken', async t => {
  const { edge } = await edgeTo(t, (_operations, response) => response.end(EMPTY_FRAME))
  t.same(await edge.forward(asking('a')), { kind: 'failed', failure: 'broken' })
})

t.test('garbage in an answer is a broken answer', async t => {
  const { edge } = await edgeTo(t, (_operations, response) => {
    response.write(Buffer.from([0, 0, 0, 3, 1, 2, 3]))
  })
  t.same(await edge.forward(asking('a')), { kind: 'failed', failure: 'broken' })
  const { edge: other } = await edgeTo(t, (_operations, response) => {
    response.write(Buffer.from([0xff, 0xff, 0xff, 0xff, 1]))
  })
  t.same(await other.forward(asking('a')), { kind: 'failed', failure: 'broken' })
})

t.test('a peer that says nothing at all is silent, one that took the request is waited for', async t => {
  const { edge } = await edgeTo(t, () => {}, 100)
  t.same(await edge.forward(asking('a')), { kind: 'failed', failure: 'silent' })
  const { edge: patient } = await edgeTo(
    t,
    (_operations, response) => {
      response.write(EMPTY_FRAME)
      setTimeout(() => response.end(frame(0, answer(1))), 250)
    },
    100,
  )
  t.match(await patient.forward(asking('a')), { kind: 'answer' })
})

t.test('a peer that took the request and never answers is given up when its patience is over', async t => {
  const { edge } = await edgeTo(t, (_operations, response) => {
    response.write(EMPTY_FRAME)
  })
  t.same(await edge.forward({ ...asking('a'), patienceMs: 20 }), { kind: 'failed', failure: 'silent' })
})

t.test('a refused connection means that nothing was sent', async t => {
  const { edge, server } = await edgeTo(t, answerAll)
  await new Promise(resolve => server.close(resolve))
  t.same(await edge.forward(asking('a')), { kind: 'failed', failure: 'refused' })
})

t.test('an error status before anything was done is a rejection, of any other nothing is known', async t => {
  const { edge } = await edgeTo(t, ([first], response) => {
    response.statusCode = first?.target === '1' ? 400 : 500
    response.end('no')
  })
  t.same(await edge.forward(asking('a')), { kind: 'failed', failure: 'rejected' })
  t.same(await edge.forward({ ...asking('a'), target: '0' }), { kind: 'failed', failure: 'broken' })
})

t.test('a dropped edge gives up what is under way at once', async t => {
  const here = signal()
  const { edge } = await edgeTo(t, (_operations, response) => {
    response.write(EMPTY_FRAME)
    here.resolve()
  })
  const waiting = edge.forward(asking('a'))
  await here.promise
  const queued = edge.forward(asking('b'))
  edge.drop(new LinkError('broken', 'gone'))
  t.same(await waiting, { kind: 'failed', failure: 'broken' })
  t.same(await queued, { kind: 'failed', failure: 'unsent' })
})

t.test('frames come out whole however the bytes are cut', async t => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 }),
      fc.array(fc.nat(400), { maxLength: 12 }),
      (bodies, cuts) => {
        const bytes = Buffer.concat(
          bodies.map(body => sealFrame(Buffer.concat([Buffer.alloc(FRAME_HEAD_BYTES), body]))),
        )
        const edges = [0, ...cuts.map(cut => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length]
        const reader = new FrameReader()
        const out = edges.slice(1).flatMap((end, i) => reader.push(bytes.subarray(edges[i], end)))
        return out.length === bodies.length && out.every((body, i) => body.equals(bodies[i]!))
      },
    ),
    { verbose: true },
  )
  t.pass('no counterexample')
})

t.test('a stream of answers gives what is ready as one part and ends after the last', async t => {
  const stream = new AnswerStream(Buffer.from('-'), 3, systemClock)
  stream.push(Buffer.from('a'))
  stream.push(Buffer.from('b'))
  t.same(await stream.next(), { done: false, value: Buffer.from('ab') })
  const last = stream.next()
  stream.push(Buffer.from('c'))
  t.same(await last, { done: false, value: Buffer.from('c') })
  t.match(await stream.next(), { done: true })
})

t.test('a stream of answers nobody reads any more is cancelled', async t => {
  const stream = new AnswerStream(Buffer.from('-'), 1, systemClock)
  const waiting = stream.next()
  await stream.return()
  t.match(await waiting, { done: true })
  t.equal(stream.cancelled, true)
  stream.push(Buffer.from('late'))
})

t.test('a stream of answers that take a while says that the request is here', async t => {
  const stream = new AnswerStream(Buffer.from('-'), 2, systemClock)
  t.same(await stream.next(), { done: false, value: Buffer.from('-') })
  stream.push(Buffer.from('a'))
  stream.push(Buffer.from('b'))
  t.same(await stream.next(), { done: false, value: Buffer.from('ab') })
  t.match(await stream.next(), { done: true })
})
