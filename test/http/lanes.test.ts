import t from 'tap'
import { listen, makeApp, RawClient } from '../support/app.ts'

const PEER = { 'hypercast-cluster': 'c1', 'hypercast-from': '010', 'hypercast-uid': 'uid-010' }
const LANE = { connection: 'upgrade', upgrade: 'hypercast-lane' }

function request(line: string, headers: Record<string, string>, body = ''): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return `${line} HTTP/1.1\r\nhost: x\r\n${lines.join('')}\r\n${body}`
}

t.test('a peer opens a lane, and the connection is its own from then on', async t => {
  const { app, peer } = await makeApp(t)
  const { port } = await listen(app)
  const client = new RawClient(port).send(request('POST /v1/replicate', { ...PEER, ...LANE }, 'first'))
  const text = await client.until('first')
  t.match(text, /^HTTP\/1\.1 101 Switching Protocols\r\n/)
  t.match(text, /upgrade: hypercast-lane\r\n\r\n010:first$/)
  t.same(peer.links.lanes, ['010'])
})

t.test('who is not a peer of this cluster gets no lane, but a problem that says why', async t => {
  const { app, peer } = await makeApp(t)
  const { port } = await listen(app)
  const ask = (headers: Record<string, string>) =>
    new RawClient(port).send(request('POST /v1/replicate', { ...headers, ...LANE })).closed()
  const stranger = await ask({ ...PEER, 'hypercast-uid': 'another' })
  t.match(stranger, /^HTTP\/1\.1 403 Forbidden\r\n/)
  t.match(stranger, /"code":"STRANGER"/)
  t.match(await ask({ ...PEER, 'hypercast-to': 'another' }), /^HTTP\/1\.1 421 /)
  t.match(await ask({}), /"code":"STRANGER"/)
  peer.current = null
  t.match(await ask(PEER), /"code":"NOT_FOUNDED"/)
  t.same(peer.links.lanes, [])
})

t.test('other upgrades are not taken up: the request is served as it is (RFC 9110, 7.8)', async t => {
  const { app } = await makeApp(t)
  const { port } = await listen(app)
  await app.inject({ method: 'PUT', url: '/v1/topics/sports' })
  const h2c = { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'AAMAAABkAAQAAP__' }
  const published = new RawClient(port).send(
    request('POST /v1/topics/sports/publish', { ...h2c, 'content-length': '1' }, 'x'),
  )
  t.match(await published.until('"offset":1'), /^HTTP\/1\.1 201 Created/)
  const elsewhere = new RawClient(port).send(
    request('POST /v1/heartbeat', { ...LANE, 'content-length': '0' }),
  )
  t.match(await elsewhere.until('"code"'), /^HTTP\/1\.1 403 /)
  for (const client of [published, elsewhere]) client.socket.destroy()
})
