import { connect } from 'node:net'
import t from 'tap'
import { ask } from '../../scripts/lib/http.ts'
import { TestCube } from '../../scripts/lib/test-cube.ts'

/** Sends bytes as they are and resolves with what came back until the peer closed. */
function sendRaw(port: number, bytes: string | Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    let received = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes))
    socket.setEncoding('utf8').setTimeout(20_000, () => socket.destroy(new Error('the peer did not close')))
    socket.on('data', (text: string) => {
      received += text
    })
    socket.on('close', () => resolve(received))
    socket.on('error', error =>
      (error as NodeJS.ErrnoException).code === 'ECONNRESET' ? resolve(received) : reject(error),
    )
  })
}

interface Case {
  readonly what: string
  readonly method?: string
  readonly path: string
  readonly body?: string
  readonly headers?: Record<string, string>
  readonly status: number
  readonly code: string
}

const PUBLISH = '/v1/topics/sports/publish'
const NDJSON = { 'content-type': 'application/x-ndjson' }

const CASES: readonly Case[] = [
  { what: 'an unknown topic', path: '/v1/topics/nobody', status: 404, code: 'UNKNOWN_TOPIC' },
  {
    what: 'events of an unknown topic',
    path: '/v1/topics/nobody/events',
    status: 404,
    code: 'UNKNOWN_TOPIC',
  },
  {
    what: 'a publish to an unknown topic',
    method: 'POST',
    path: '/v1/topics/nobody/publish',
    body: 'x',
    status: 404,
    code: 'UNKNOWN_TOPIC',
  },
  ...Object.entries({
    'a name of 256 bytes': 'n'.repeat(256),
    'a name of control characters': 'a%00b',
    'a name that is a pattern': 'a*',
    'a name of the system': '%24sys',
    'a name that is no UTF-8': '%ff',
    'a bad percent sign': '50%',
  }).map(([what, name]) => ({
    ...{ what, method: 'PUT', path: `/v1/topics/${name}`, status: 400, code: 'INVALID_TOPIC_NAME' },
  })),
  {
    what: 'bad JSON',
    method: 'POST',
    path: '/v1/topics',
    body: '{"name":',
    headers: { 'content-type': 'application/json' },
    status: 400,
    code: 'INVALID_REQUEST',
  },
  {
    what: 'a bad line of a batch',
    method: 'POST',
    path: '/v1/topics/sports/batch',
    body: '{"data":1}\nnot json',
    headers: NDJSON,
    status: 400,
    code: 'INVALID_EVENT',
  },
  {
    what: 'an empty batch',
    method: 'POST',
    path: '/v1/topics/sports/batch',
    body: '\n',
    headers: NDJSON,
    status: 400,
    code: 'EMPTY_BATCH',
  },
  {
    what: 'a batch of another type',
    method: 'POST',
    path: '/v1/topics/sports/batch',
    body: 'x',
    headers: { 'content-type': 'text/csv' },
    status: 415,
    code: 'UNSUPPORTED_MEDIA_TYPE',
  },
  {
    what: 'a body over the limit',
    method: 'POST',
    path: PUBLISH,
    body: 'x'.repeat(1_048_577),
    status: 413,
    code: 'PAYLOAD_TOO_LARGE',
  },
  {
    what: 'a reserved type',
    method: 'POST',
    path: PUBLISH,
    body: 'x',
    headers: { 'ce-type': 'gap' },
    status: 400,
    code: 'INVALID_EVENT',
  },
  {
    what: 'a malformed cursor',
    path: '/v1/topics/sports/events?lastEventId=yesterday',
    status: 400,
    code: 'INVALID_CURSOR',
  },
  {
    what: 'an unknown query parameter',
    path: '/v1/topics/sports/events?form=earliest',
    status: 400,
    code: 'UNKNOWN_PARAMETER',
  },
  ...(
    [
      ['no topic at all', '', 'INVALID_REQUEST'],
      ['a pattern within a segment', '?topic=a*', 'INVALID_REQUEST'],
      ['a topic that is no UTF-8', '?topic=%ff', 'INVALID_REQUEST'],
      ['an empty topic', '?topic=a&topic', 'INVALID_TOPIC_NAME'],
      ['a cursor of one topic for several', '?topic=a&lastEventId=3-1', 'INVALID_CURSOR'],
      ['a cursor of a larger cluster', '?topic=a&lastEventId=zz.1.1', 'INVALID_CURSOR'],
      ['an offset for several', '?topic=a&from=3', 'INVALID_REQUEST'],
      ['a parameter of another path', '?topic=a&named=true', 'UNKNOWN_PARAMETER'],
    ] as const
  ).map(([what, query, code]) => ({ what, path: `/v1/events${query}`, status: 400, code })),
  {
    what: 'several topics as JSON',
    path: '/v1/events?topic=a',
    headers: { accept: 'application/json' },
    status: 406,
    code: 'NOT_ACCEPTABLE',
  },
  { what: 'an unknown path', path: '/v2', status: 404, code: 'NOT_FOUND' },
  { what: 'a wrong method', method: 'DELETE', path: '/v1/cube', status: 405, code: 'METHOD_NOT_ALLOWED' },
  {
    what: 'a foreign origin',
    method: 'POST',
    path: PUBLISH,
    body: 'x',
    headers: { origin: 'https://evil.example' },
    status: 403,
    code: 'FOREIGN_ORIGIN',
  },
]

t.test('a real peer answers what is wrong clearly, and goes on', async t => {
  const cube = await TestCube.start({ peers: 1, environment: { HYPERCAST_REQUEST_TIMEOUT: '1s' } })
  t.teardown(() => cube.close())
  const { url, port } = cube.plans[0]!
  await cube.createTopic('sports')

  for (const { what, method, path, body, headers, status, code } of CASES) {
    const answer = await ask(`${url}${path}`, { method, headers, body })
    t.equal(answer.status, status, `${what}: ${answer.body}`)
    t.match(answer.headers['content-type'], /^application\/problem\+json/, what)
    const problem = JSON.parse(answer.body)
    t.match(problem, { code, status, type: /./, title: /./, remedy: /./ }, what)
    t.notMatch(answer.body, /\bat .*\.(ts|js):\d+/, 'no stack trace leaves')
  }

  await t.test('names of 1 and 255 bytes and percent-encoding of every kind are good', async t => {
    for (const name of [
      'n',
      'n'.repeat(255),
      'ж'.repeat(127),
      'a/b',
      'a b',
      'a%2Fb',
      '100%',
      '?&#',
      '+',
      '🏉',
      '..a',
      '%',
    ]) {
      const topic = `${url}/v1/topics/${encodeURIComponent(name)}`
      t.equal((await ask(topic, { method: 'PUT' })).status, 201, name)
      t.equal(JSON.parse((await ask(topic)).body).name, name)
      t.equal((await ask(topic, { method: 'DELETE' })).status < 300, true, name)
    }
  })

  await t.test('bytes that are no HTTP are answered 400, also behind a good request', async t => {
    t.match(await sendRaw(port, 'garbage\r\n\r\n'), /^HTTP\/1\.1 400 /)
    const get = 'GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n'
    t.match(await sendRaw(port, `${get}\0\x01\x02garbage\r\n\r\n`), /^HTTP\/1\.1 200 [\s\S]*HTTP\/1\.1 400 /)
    t.match(
      await sendRaw(port, Buffer.from([22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3])),
      /^HTTP\/1\.1 400 /,
      'TLS',
    )
  })

  await t.test('a publish followed by garbage is answered for what became of it', async t => {
    await cube.createTopic('pipelined')
    const publish = 'POST /v1/topics/pipelined/publish HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nkept'
    t.match(await sendRaw(port, `${publish}garbage\r\n\r\n`), /^HTTP\/1\.1 201 [\s\S]*HTTP\/1\.1 400 /)
    t.equal((await cube.topic('pipelined')).latest, 1)
  })

  await t.test('a header of 1 MB is answered 431', async t => {
    const request = `GET /health/live HTTP/1.1\r\nhost: x\r\nx-big: ${'x'.repeat(1_048_576)}\r\n\r\n`
    t.match(await sendRaw(port, request), /^HTTP\/1\.1 431 /)
  })

  await t.test('a body that never ends is answered 408 after the time set', async t => {
    const request = `POST ${PUBLISH} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf`
    t.match(await sendRaw(port, request), /^HTTP\/1\.1 408 /)
  })

  t.equal((await ask(`${url}/health/ready`)).status, 200, 'the peer is as well as before')
  t.equal((await cube.topic('sports')).latest, 0, 'nothing was published')
})
