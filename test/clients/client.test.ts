import t from 'tap'
import { NoPeerError, PeerClient, ProblemError, Publisher } from '../../clients/typescript/src/index.ts'
import { type Answer, cut, FakePeer, goneUrl, json, problem, silent } from './fake-peer.ts'

const PUBLISHED = {
  topic: 'a',
  offset: 1,
  id: '1-1',
  cursor: '1-1',
  time: '2025-01-31T12:00:00.000Z',
  replicas: 3,
}
type Teardown = { teardown(run: () => unknown): unknown }

const QUICK = { retryMinMs: 1, retryMaxMs: 2, attemptTimeoutMs: 5_000 }
const AT_ONCE = { 'retry-after': '0' }

async function peersOf(t: Teardown, ...answers: Answer[][]): Promise<FakePeer[]> {
  const peers = await Promise.all(answers.map(some => FakePeer.start(...some)))
  t.teardown(() => Promise.all(peers.map(peer => peer.stop())))
  return peers
}

async function clientOf(t: Teardown, answers: Answer[][], options: object = {}) {
  const peers = await peersOf(t, ...answers)
  const client = new PeerClient(
    peers.map(peer => peer.url),
    { ...QUICK, ...options },
  )
  return { client, peers }
}

async function rejection(promise: Promise<unknown>): Promise<ProblemError & NoPeerError> {
  return promise.then(
    () => {
      throw new Error('it did not reject')
    },
    error => error,
  )
}

t.test('topics are created, described and deleted', async t => {
  const topic = { name: 'a b/ж', slot: 1 }
  const { client, peers } = await clientOf(t, [
    [json(201, topic), json(200, topic), response => response.writeHead(204).end()],
  ])
  t.match(await client.createTopic('a b/ж'), topic)
  t.match(await client.describeTopic('a b/ж'), topic)
  t.equal(await client.deleteTopic('a b/ж'), undefined)
  const path = '/v1/topics/a%20b%2F%D0%B6'
  t.same(
    peers[0]?.requests.map(({ method, url, body }) => [method, url, body]),
    [
      ['PUT', path, ''],
      ['GET', path, ''],
      ['DELETE', path, ''],
    ],
  )
})

t.test('settings go along as JSON', async t => {
  const { client, peers } = await clientOf(t, [[json(201, {})]])
  await client.createTopic('a', { maxEvents: 5, maxAgeMs: null })
  t.match(peers[0]?.requests, [
    { body: '{"maxEvents":5,"maxAgeMs":null}', headers: { 'content-type': 'application/json' } },
  ])
})

t.test('an event is published as it is, under a random key', async t => {
  const { client, peers } = await clientOf(t, [[json(201, PUBLISHED)]])
  t.match(await client.publish('a', 'Match Update "1"'), { offset: 1 })
  await client.publish('a', { goal: 1 }, { id: 'i', type: 'goal', attributes: { source: '/стадион' } })
  await client.publish('a', '', { idempotencyKey: 'my "key"' })
  const [first, second, third] = peers[0]!.requests
  t.match(first, { method: 'POST', url: '/v1/topics/a/publish', body: 'Match Update "1"' })
  t.match(first?.headers, {
    'content-type': 'text/plain; charset=utf-8',
    'idempotency-key': /^"[0-9a-f]{32}"$/,
  })
  t.match(second, {
    body: '{"goal":1}',
    headers: { 'content-type': 'application/json', 'ce-id': 'i', 'ce-type': 'goal' },
  })
  t.equal(second?.headers['ce-source'], '/%D1%81%D1%82%D0%B0%D0%B4%D0%B8%D0%BE%D0%BD')
  t.not(second?.headers['idempotency-key'], first?.headers['idempotency-key'])
  t.match(third, { body: '', headers: { 'idempotency-key': '"my \\"key\\""', 'content-length': '0' } })
})

t.test('bytes arrive as they were given', async t => {
  const { client, peers } = await clientOf(t, [[json(201, PUBLISHED)]])
  await client.publish('a', new TextEncoder().encode('[1]'), { contentType: 'application/json' })
  t.match(peers[0]?.requests, [{ body: '[1]', headers: { 'content-type': 'application/json' } }])
})

t.test('a publisher is bound to its topic and publishes batches as lines', async t => {
  const { client, peers } = await clientOf(t, [[json(201, PUBLISHED)]])
  const publisher = new Publisher(client, 'b')
  await publisher.publish(7)
  await publisher.publishBatch([{ data: 'x' }, { data: [1], type: 'y' }])
  t.match(peers[0]?.requests, [
    { url: '/v1/topics/b/publish', body: '7' },
    {
      url: '/v1/topics/b/batch',
      body: '{"data":"x"}\n{"type":"y","data":[1]}\n',
      headers: { 'content-type': 'application/x-ndjson', 'idempotency-key': /./ },
    },
  ])
})

t.test('a refusal is a ProblemError with what the peer said', async t => {
  const { client, peers } = await clientOf(t, [[problem(404, 'UNKNOWN_TOPIC')]])
  const error = await rejection(client.publish('a', 'x'))
  t.ok(error instanceof ProblemError)
  t.match(error, { code: 'UNKNOWN_TOPIC', status: 404, detail: 'detail of UNKNOWN_TOPIC', definite: true })
  t.match(error.problem, { remedy: 'Do it right.' })
  t.match(error.message, /UNKNOWN_TOPIC: detail of UNKNOWN_TOPIC Do it right\./)
  t.equal(peers[0]?.requests.length, 1)
})

t.test('an error without a document is a ProblemError too', async t => {
  const html: Answer = response => response.writeHead(418).end('<h1>teapot</h1>')
  const { client } = await clientOf(t, [[html]])
  t.match(await rejection(client.cube()), { code: 'HTTP_418', status: 418, problem: {} })
})

t.test('when a peer is gone the next one is asked, and stays', async t => {
  const peers = await peersOf(t, [json(200, { clusterId: 'c' })])
  const client = new PeerClient([await goneUrl(), peers[0]!.url], QUICK)
  t.match(await client.cube(), { clusterId: 'c' })
  t.equal(client.peers.current, peers[0]?.url)
})

t.test('a publish whose connection breaks is tried at the next peer under the same key', async t => {
  const { client, peers } = await clientOf(t, [[cut], [json(201, PUBLISHED)]])
  t.match(await client.publish('a', 'x'), { offset: 1 })
  const [first, second] = peers.map(peer => peer.requests[0])
  t.equal(first?.headers['idempotency-key'], second?.headers['idempotency-key'])
  t.same([first?.body, second?.body], ['x', 'x'])
})

t.test('an answer that breaks off in its body is no answer', async t => {
  const half: Answer = response => {
    response.writeHead(201, { 'content-type': 'application/json', 'content-length': '1000' })
    response.write('{"offset":', () => response.destroy())
  }
  const { client } = await clientOf(t, [[half], [json(201, PUBLISHED)]])
  t.match(await client.publish('a', 'x'), { offset: 1 })
})

t.test('a peer that does not answer in time is left for the next', async t => {
  const { client } = await clientOf(t, [[silent], [json(201, PUBLISHED)]], { attemptTimeoutMs: 50 })
  t.match(await client.publish('a', 'x'), { offset: 1 })
})

t.test('503, 504 and a key in flight are tried again', async t => {
  const answers = [
    problem(503, 'NO_PRIMARY', AT_ONCE),
    problem(504, 'OUTCOME_UNKNOWN', AT_ONCE),
    problem(409, 'IDEMPOTENCY_KEY_IN_FLIGHT', AT_ONCE),
    json(201, PUBLISHED),
  ]
  const { client, peers } = await clientOf(t, [answers])
  t.match(await client.publish('a', 'x'), { offset: 1 })
  t.equal(new Set(peers[0]?.requests.map(request => request.headers['idempotency-key'])).size, 1)
})

t.test('a POST without a key is not sent twice when it may have been carried out', async t => {
  const { client, peers } = await clientOf(t, [[cut], [json(200, {})]])
  const error = await rejection(client.sendRequest('post', '/v1/topics/a/publish', { body: 'x' }))
  t.ok(error instanceof NoPeerError)
  t.match(error, { code: 'NO_PEER', definite: false })
  t.equal(peers[1]?.requests.length, 0)
})

t.test('a POST without a key goes on after a definite 503 and after a refused connection', async t => {
  const peers = await peersOf(
    t,
    [problem(503, 'STOPPING', { 'retry-after': '1' })],
    [json(201, { ok: true })],
  )
  const client = new PeerClient([await goneUrl(), ...peers.map(peer => peer.url)], QUICK)
  const response = await client.sendRequest('POST', '/v1/topics/a/publish', {
    body: 'x',
    headers: { 'content-type': 'text/plain' },
  })
  t.same(await response.json(), { ok: true })
  t.match(peers[1]?.requests, [{ body: 'x', headers: { 'content-type': 'text/plain' } }])
})

t.test('an error says whether an earlier attempt may have been carried out', async t => {
  const doubtful = await clientOf(t, [[cut], [problem(404, 'UNKNOWN_TOPIC')]])
  t.match(await rejection(doubtful.client.publish('a', 'x')), { code: 'UNKNOWN_TOPIC', definite: false })
  const clear = await clientOf(t, [[problem(503, 'NO_PRIMARY', AT_ONCE)], [problem(404, 'UNKNOWN_TOPIC')]])
  t.match(await rejection(clear.client.publish('a', 'x')), { code: 'UNKNOWN_TOPIC', definite: true })
})

t.test('a topic that is gone after a doubtful attempt to delete it is deleted', async t => {
  const { client } = await clientOf(t, [[cut], [problem(404, 'UNKNOWN_TOPIC')]])
  t.equal(await client.deleteTopic('a'), undefined)
  t.match(
    await rejection(client.deleteTopic('a')),
    { code: 'UNKNOWN_TOPIC' },
    'without a doubt it is an error',
  )
})

t.test('patience ends with the last refusal, or with no peer', async t => {
  const busy = await clientOf(t, [[problem(503, 'NO_PRIMARY', { 'retry-after': '60' })]], {
    patienceMs: 1_000,
  })
  const refused = await rejection(busy.client.publish('a', 'x'))
  t.match(refused, { code: 'NO_PRIMARY', status: 503, retryAfterMs: 60_000, definite: true })
  const gone = new PeerClient([await goneUrl(), await goneUrl()], { ...QUICK, patienceMs: 20 })
  const error = await rejection(gone.publish('a', 'x'))
  t.match(error, { code: 'NO_PEER', definite: true, message: /None of 2 peers .* ECONNREFUSED/ })
})

t.test('a call is ended by its signal', async t => {
  const { client, peers } = await clientOf(t, [[silent]])
  const controller = new AbortController()
  const failed = rejection(client.publish('a', 'x', { signal: controller.signal }))
  await peers[0]?.received(1)
  controller.abort(new Error('enough'))
  t.match(await failed, { message: 'enough' })
  t.match(await rejection(client.cube({ signal: AbortSignal.abort() })), { name: 'AbortError' })
  t.equal(peers[0]?.requests.length, 1)
})

t.test('a peer’s URL may have a path', async t => {
  const [peer] = await peersOf(t, [json(200, {})])
  await new PeerClient(`${peer?.url}/cube/`).describeTopic('a')
  t.equal(peer?.requests[0]?.url, '/cube/v1/topics/a')
})

t.test('every operation of the contract is there, typed', async t => {
  const { client, peers } = await clientOf(t, [[json(200, { topics: [] })]])
  const { data } = await client.api.GET('/v1/topics', { params: { query: { limit: 2 } } })
  t.same(data, { topics: [] })
  t.equal(peers[0]?.requests[0]?.url, '/v1/topics?limit=2')
})
