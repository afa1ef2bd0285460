import { once } from 'node:events'
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
