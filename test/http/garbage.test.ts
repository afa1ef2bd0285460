import t from 'tap'
import { listen, makeApp, RawClient } from '../support/app.ts'

function problemIn(text: string): { status: number; code: string } {
  t.match(text, /content-type: application\/problem\+json/i)
  return JSON.parse(text.slice(text.lastIndexOf('\r\n\r\n') + 4))
}

t.test('bytes that are not HTTP are a 400 and the connection ends', async t => {
  const { app } = await makeApp(t)
  const { port } = await listen(app)
  for (const garbage of [
    'hello\r\n\r\n',
    '\0\0\0\0\r\n',
    'GET\r\n\r\n',
    'GET / HTTP/9.9\r\n\r\n',
    'GET /a b HTTP/1.1\r\n\r\n',
    'FROB / HTTP/1.1\r\nHost: x\r\n\r\n',
    'GET / HTTP/1.1\r\nHost x\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n',
    'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
    'POST /v1/topics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
  ]) {
    const text = await new RawClient(port).send(garbage).closed()
    t.match(text, /^HTTP\/1\.1 400 Bad Request\r\n/, JSON.stringify(garbage))
    t.match(problemIn(text), { code: 'BAD_HTTP', status: 400 })
  }
})

t.test('garbage behind a good request is refused after the good one was answered', async t => {
  const { app } = await makeApp(t)
  const { port } = await listen(app)
  const client = new RawClient(port).send('GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n')
  await client.until('"status":"ok"')
  const text = await client.send('garbage garbage\r\n\r\n').closed()
  t.match(text, /^HTTP\/1\.1 200 OK/)
  t.match(text, 'HTTP/1.1 400 Bad Request')
})

t.test('garbage behind a stream only ends it', async t => {
  const { app } = await makeApp(t)
  const { port } = await listen(app)
  const client = new RawClient(port).send('GET /v1/cube/events HTTP/1.1\r\nHost: x\r\n\r\n')
  await client.until('retry: ')
  const text = await client.send('garbage garbage\r\n\r\n').closed()
  t.notMatch(text, '400')
})

t.test('a header of 1 MB is 431', async t => {
  const { app } = await makeApp(t)
  const { port } = await listen(app)
  const text = await new RawClient(port)
    .send(`GET /health/live HTTP/1.1\r\nHost: x\r\nX-Big: ${'x'.repeat(1_048_576)}\r\n\r\n`)
    .closed()
  t.match(text, /^HTTP\/1\.1 431 /)
  t.match(problemIn(text), { code: 'HEADERS_TOO_LARGE' })
})

t.test('a request that never arrives whole is 408; an open stream is not', async t => {
  const { app } = await makeApp(t, { requestTimeoutMs: 400 })
  const { port } = await listen(app)
  const stream = new RawClient(port).send('GET /v1/cube/events HTTP/1.1\r\nHost: x\r\n\r\n')
  t.teardown(() => stream.socket.destroy())
  const head = 'POST /v1/topics/sports/publish HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n'
  const [body, header] = await Promise.all([
    new RawClient(port).send(`${head}some`).closed(),
    new RawClient(port).send('GET /health/live HTTP/1.1\r\nHost: ').closed(),
  ])
  for (const text of [body, header]) {
    t.match(text, /^HTTP\/1\.1 408 Request Timeout\r\n/)
    t.match(problemIn(text), { code: 'REQUEST_TIMEOUT' })
  }
  t.notOk(stream.socket.closed, 'the stream goes on')
})

t.test('a body longer than allowed is 413 before it has arrived', async t => {
  const { app } = await makeApp(t, { maxPayloadBytes: 1_000 })
  const { port } = await listen(app)
  const path = '/v1/topics/sports/publish'
  const said = new RawClient(port)
  said.send(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n`)
  const chunked = new RawClient(port)
  chunked.send(`POST ${path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`)
  chunked.send(`7d0\r\n${'x'.repeat(2_000)}\r\n`)
  for (const client of [said, chunked]) {
    const text = await client.until('PAYLOAD_TOO_LARGE')
    t.match(text, /^HTTP\/1\.1 413 /)
    client.socket.destroy()
  }
})

t.test('CONNECT is not taken', async t => {
  const { app } = await makeApp(t)
  const { port } = await listen(app)
  const text = await new RawClient(port).send('CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n').closed()
  t.match(problemIn(text), { code: 'METHOD_NOT_ALLOWED', status: 405 })
})

t.test('a client that goes away in the middle of its body harms nobody', async t => {
  const { app, peer } = await makeApp(t)
  const { port } = await listen(app)
  const client = new RawClient(port)
  client.send('POST /v1/topics/sports/publish HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nsome')
  client.socket.resetAndDestroy()
  await client.closed()
  t.equal((await app.inject('/health/live')).statusCode, 200)
  t.same(peer.logged, [])
})

t.test('a client that sends its whole body before it reads gets its 413 all the same', async t => {
  const { app } = await makeApp(t, { maxPayloadBytes: 1_000 })
  const { url } = await listen(app)
  const chunk = new Uint8Array(65_536)
  const stream = () => {
    let left = 100
    return new ReadableStream({
      pull: controller => (left-- > 0 ? controller.enqueue(chunk) : controller.close()),
    })
  }
  for (const body of [new Uint8Array(20_000_000), stream(), new Uint8Array(20_000_000), stream()]) {
    const answer = await fetch(`${url}/v1/topics/sports/publish`, {
      method: 'POST',
      body,
      duplex: 'half',
      headers: { 'content-type': 'application/octet-stream' },
    } as RequestInit)
    t.equal(answer.status, 413)
    t.match(await answer.json(), { code: 'PAYLOAD_TOO_LARGE' })
  }
})

t.test('a body that goes on and on after its 413 is cut off', async t => {
  const { app } = await makeApp(t, { maxPayloadBytes: 1_000 })
  const { port } = await listen(app)
  const client = new RawClient(port)
  client.send('POST /v1/topics/sports/publish HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n')
  const text = await client.closed()
  t.match(text, /^HTTP\/1\.1 413 /)
  t.equal(text.match(/HTTP\/1\.1/g)?.length, 1)
})

t.test('HTTP/1.1 without a Host is a 400 with a problem; HTTP/1.0 needs none', async t => {
  const { app } = await makeApp(t)
  const { port } = await listen(app)
  const without = new RawClient(port)
  await without.send('GET /health/live HTTP/1.1\r\n\r\n').until('BAD_HTTP')
  without.socket.destroy()
  t.match(problemIn(without.text), { code: 'BAD_HTTP', status: 400, detail: /Host/ })
  const old = await new RawClient(port).send('GET /health/live HTTP/1.0\r\n\r\n').closed()
  t.match(old, /^HTTP\/1\.1 200 OK/)
})

t.test('an expectation nobody knows does not stop a request', async t => {
  const { app } = await makeApp(t)
  const { port } = await listen(app)
  const client = new RawClient(port)
  await client.send('GET /health/live HTTP/1.1\r\nHost: x\r\nExpect: miracles\r\n\r\n').until('"status":"ok"')
  client.socket.destroy()
  t.match(client.text, /^HTTP\/1\.1 200 OK/)
})

t.test('a body in a transfer coding other than chunked is refused', async t => {
  const { app } = await makeApp(t)
  const { port } = await listen(app)
  const client = new RawClient(port)
  client.send(
    'POST /v1/topics/sports/publish HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n',
  )
  await client.send('3\r\nabc\r\n0\r\n\r\n').until('gzip, chunked')
  client.socket.destroy()
  t.match(problemIn(client.text), { code: 'UNSUPPORTED_MEDIA_TYPE', status: 415 })
})
