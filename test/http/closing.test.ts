import { once } from 'node:events'
import { createConnection } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { listen, makeApp, RawClient } from '../support/app.ts'

t.test('a connection whose answer ends while the app closes does not hold it open', async t => {
  const { app } = await makeApp(t)
  await app.inject({ method: 'PUT', url: '/v1/topics/sports' })
  const { port } = await listen(app)
  const client = new RawClient(port)
  const isUnderWay = once(app.server, 'request')
  client.send('POST /v1/topics/sports/publish HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab')
  // Its head is read, its body is not all there.
  await isUnderWay
  const closed = app.close().then(() => 'closed')
  while (app.server.listening) await delay(5)
  client.send('cd')
  t.match(await client.until('201'), 'HTTP/1.1 201')
  t.equal(await Promise.race([closed, delay(5_000, 'still open', { ref: false })]), 'closed')
  client.socket.destroy()
})

t.test('nor does one that never sent a byte', async t => {
  const { app } = await makeApp(t)
  const { port } = await listen(app)
  const socket = createConnection(port, '127.0.0.1')
  await Promise.all([once(socket, 'connect'), once(app.server, 'connection')])
  const closed = app.close().then(() => 'closed')
  t.equal(await Promise.race([closed, delay(5_000, 'still open', { ref: false })]), 'closed')
  socket.destroy()
})

t.test('an answer that is being sent while the app closes is sent whole', async t => {
  const { app } = await makeApp(t)
  await app.inject({ method: 'PUT', url: '/v1/topics/sports' })
  const payload = 'x'.repeat(900_000)
  for (let event = 0; event < 7; event += 1)
    await app.inject({ method: 'POST', url: '/v1/topics/sports/publish', payload })
  const { port } = await listen(app)
  const socket = createConnection(port, '127.0.0.1')
  let sizeBytes = 0
  socket.pause()
  socket.on('data', (chunk: Buffer) => {
    sizeBytes += chunk.length
  })
  const isUnderWay = once(app.server, 'request')
  socket.write(
    'GET /v1/topics/sports/events?from=earliest HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\n\r\n',
  )
  await isUnderWay
  const closed = app.close()
  await delay(300)
  socket.resume()
  await Promise.all([once(socket, 'end'), closed])
  t.ok(sizeBytes > 7 * payload.length, `${sizeBytes} bytes`)
})
