import { once } from 'node:events'
import { createServer, get } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { answerStream } from '../../services/peer/http/stream-answer.ts'
import { StreamSink } from '../../services/peer/http/stream-sink.ts'
import { Turnstile } from '../../services/peer/http/turnstile.ts'

t.test('nothing is opened for a client that left while it waited for its turn', async t => {
  const app = { turnstile: new Turnstile(1, 10) }
  const api = { stopping: () => false, roster: () => ({}), streams: { stats: () => ({ streams: 0 }) } }
  const raw = { destroyed: false }
  let hijacked = 0
  const reply = { raw, hijack: () => (hijacked += 1) }
  await app.turnstile.pass()
  let opened = 0
  const answered = answerStream(app, api as never, reply as never, {}, () => {
    opened += 1
    return { kind: 'open', attach() {}, abandon() {} }
  })
  raw.destroyed = true
  await answered
  t.equal(opened, 0)
  t.equal(hijacked, 1, 'and nobody else answers')
})

t.test('nothing to write is written without harm', async t => {
  const server = createServer((_request, response) => {
    response.flushHeaders()
    const sink = new StreamSink(response)
    t.ok(sink.write(new Uint8Array()), 'there is no drain to wait for')
    t.ok(sink.write(Buffer.from('all of it')))
    sink.end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const request = get({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', agent: false })
  const [response] = await once(request, 'response')
  t.equal(await text(response), 'all of it')
  server.close()
  await once(server, 'close')
})
