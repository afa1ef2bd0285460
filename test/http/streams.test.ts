import { once } from 'node:events'
import t from 'tap'
import { listen, makeApp, RawClient } from '../support/app.ts'

async function makeTopic(t: Parameters<typeof makeApp>[0]) {
  const made = await makeApp(t)
  await made.app.inject({ method: 'PUT', url: '/v1/topics/sports' })
  const { port } = await listen(made.app)
  const publish = (payload: string) =>
    made.app.inject({ method: 'POST', url: '/v1/topics/sports/publish', payload })
  const open = (query = '', headers = '') => {
    const client = new RawClient(port)
    t.teardown(() => client.socket.destroy())
    return client.send(`GET /v1/topics/sports/events${query} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`)
  }
  return { ...made, port, publish, open }
}

t.test('a stream opens with an id, and what is published reaches it live', async t => {
  const { publish, open } = await makeTopic(t)
  const client = open('', 'Accept: */*\r\n')
  const head = await client.until('id: 0-1\n\n')
  t.match(head, /^HTTP\/1\.1 200 OK\r\n/)
  t.match(head, /content-type: text\/event-stream\r\n/i)
  t.match(head, /cache-control: no-cache, no-transform\r\n/i)
  t.match(head, /vary: Accept\r\n/i)
  t.match(head, /access-control-allow-origin: \*\r\n/i)
  await publish('Match Update 1')
  await client.until('id: 1-1\ndata: Match Update 1\n\n')
})

t.test('a stream resumes behind Last-Event-ID without gap or double', async t => {
  const { publish, open } = await makeTopic(t)
  for (let at = 1; at <= 4; at++) await publish(`update ${at}`)
  const client = open('?from=earliest', 'Last-Event-ID: 2-1\r\n')
  const text = await client.until('data: update 4\n\n')
  t.notMatch(text, 'data: update 2\n')
  t.match(text, 'data: update 3\n')
})

t.test('an ended topic is told in band and 204 to the reconnect', async t => {
  const { app, publish, open } = await makeTopic(t)
  await publish('update 1')
  const client = open('?from=earliest')
  await client.until('data: update 1\n\n')
  await app.inject({ method: 'DELETE', url: '/v1/topics/sports' })
  await client.until('event: end\n')
  await client.until('0\r\n\r\n')
  const again = open('', 'Last-Event-ID: 1-1\r\n')
  t.match(await again.until('\r\n\r\n'), /^HTTP\/1\.1 204 /)
})

t.test('a client of HTTP/1.0 gets a stream without chunks', async t => {
  const { port, publish } = await makeTopic(t)
  await publish('update 1')
  const client = new RawClient(port)
  t.teardown(() => client.socket.destroy())
  client.send('GET /v1/topics/sports/events?from=1 HTTP/1.0\r\n\r\n')
  t.notMatch(await client.until('data: update 1\n\n'), /transfer-encoding/i)
})

t.test(
  'a peer that cannot serve now answers a stream with 200, a reason, and an end, so that EventSource returns',
  async t => {
    const { peer, port, open } = await makeTopic(t)
    const expectLater = async (why: string) => {
      const text = await open('', 'Connection: close\r\n').closed()
      t.match(text, /^HTTP\/1\.1 200 OK\r\n/)
      t.match(text, `retry: 500\n: ${why}`)
    }
    peer.isStopping = true
    await expectLater('This peer is stopping')
    peer.isStopping = false
    peer.current = null
    await expectLater('This peer does not know its cube yet')
    const cube = new RawClient(port).send(
      'GET /v1/cube/events HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    )
    t.match(await cube.closed(), 'retry: 500\n: This peer does not know its cube yet')
  },
)

t.test('a stream opens and waits while the topic cannot be looked up', async t => {
  const { peer, publish, open } = await makeTopic(t)
  await publish('update 1')
  peer.failing = { code: 'NO_PRIMARY', definite: true }
  const client = open('?lastEventId=5-2')
  t.match(await client.until('\r\n\r\n'), /^HTTP\/1\.1 200 OK/)
})

t.test('closing the app ends open streams at once', async t => {
  const { app, port, open } = await makeTopic(t)
  const stream = open()
  const cube = new RawClient(port).send('GET /v1/cube/events HTTP/1.1\r\nHost: x\r\n\r\n')
  await Promise.all([stream.until('id: 0-1\n\n'), cube.until('retry: ')])
  await app.close()
  const [one, other] = await Promise.all([stream.closed(), cube.closed()])
  t.ok(one.endsWith('0\r\n\r\n'), 'the stream ended in order')
  t.ok(other.endsWith('0\r\n\r\n'), 'the stream of the cube too')
})

t.test('what happens to the cube is streamed, and listened for only while somebody reads', async t => {
  const { peer, port } = await makeTopic(t)
  t.equal(peer.slots.cubeListeners, 0)
  const client = new RawClient(port).send('GET /v1/cube/events HTTP/1.1\r\nHost: x\r\n\r\n')
  t.teardown(() => client.socket.destroy())
  t.match(await client.until('retry: 500\n\n'), /content-type: text\/event-stream/i)
  t.equal(peer.slots.cubeListeners, 1)
  peer.slots.happen({ timeMs: 0, kind: 'takeover', slot: 30, peer: '010', from: '110', term: 4 })
  await client.until(
    'data: {"time":"1970-01-01T00:00:00.000Z","kind":"takeover","slot":30,"peer":"010","from":"110","term":4}\n\n',
  )
  peer.slots.happen({ timeMs: 0, kind: 'moving', peer: '000', slots: 3, bytes: 5_000 })
  await client.until(
    'data: {"time":"1970-01-01T00:00:00.000Z","kind":"moving","peer":"000","slots":3,"bytes":5000}\n\n',
  )
  client.socket.destroy()
  while (peer.slots.cubeListeners > 0) await new Promise(resolve => setImmediate(resolve))
  t.equal(peer.slots.cubeListeners, 0)
})

t.test('a history that nobody reads on is given up', async t => {
  const { peer, port, publish } = await makeTopic(t)
  const big = 'x'.repeat(500_000)
  for (let at = 0; at < 40; at++) await publish(big)
  const client = new RawClient(port)
  client.send('GET /v1/topics/sports/events HTTP/1.1\r\nHost: x\r\nAccept: application/x-ndjson\r\n\r\n')
  await client.until('"offset":1')
  client.socket.pause()
  client.socket.destroy()
  await once(client.socket, 'close')
  t.same(peer.logged, [])
})
