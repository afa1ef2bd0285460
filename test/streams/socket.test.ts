import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { systemClock } from '../../services/peer/engine/clock.ts'
import { TopicStreams } from '../../services/peer/streams/hub.ts'
import { EventStream } from './sse.ts'
import { SLOT, TOPIC, World } from './world.ts'

/** A hub with real time behind a real HTTP server, over a world's replica. */
async function setUp(t: Test, stallTimeoutMs: number) {
  const world = new World()
  world.create()
  const hub = new TopicStreams({
    self: '000',
    slots: world.replica('000'),
    dispatcher: {} as never,
    clock: systemClock,
    random: Math.random,
    log: { debug() {}, info() {} },
    trunks: {
      open: () => {
        throw new Error('not in this test')
      },
      say: () => Promise.reject(new Error('not in this test')),
    },
    settings: { heartbeatMs: 60_000, stallTimeoutMs, retryMs: 500, flushMs: 2 },
    slotOf: () => SLOT,
    slotCount: SLOT + 1,
    parentsOf: () => [],
  })
  const responses: http.ServerResponse[] = []
  const server = http.createServer(async (_request, response) => {
    const options = { topic: TOPIC, start: { kind: 'latest' }, named: false, format: 'plain' } as const
    const opened = await hub.open(options, systemClock.monotonicMs() + 1_000)
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    responses.push(response)
    if (opened.kind === 'open') opened.attach(response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(async () => {
    await hub.close()
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { world, hub, url, responses }
}

async function subscribe(url: string): Promise<http.IncomingMessage> {
  const [response] = await once(http.get(url, { agent: false }), 'response')
  return response
}

t.test('a client that stops reading is closed, one that reads gets everything', async t => {
  const { world, hub, url, responses } = await setUp(t, 400)
  const reader = await subscribe(url)
  const stuck = await subscribe(url)
  stuck.on('error', () => undefined)
  const closed = once(responses[1]!, 'close')
  const stream = new EventStream()
  reader.on('data', chunk => stream.push(chunk))
  const megabyte = 'x'.repeat(1_000_000)
  for (let count = 0; count < 20; count += 1) {
    world.publish(megabyte)
    while (stream.messages.length <= count) await once(reader, 'data')
  }
  await closed
  t.equal(hub.stats().streams, 1)
  t.ok(stream.messages.every(message => message.data === megabyte))
  t.equal(stream.lastEventId, '20-1')
  stuck.destroy()
})

t.test('a client that pauses and goes on reading gets everything once', async t => {
  const { world, hub, url } = await setUp(t, 60_000)
  const client = await subscribe(url)
  const stream = new EventStream()
  const payload = 'y'.repeat(100_000)
  for (let count = 0; count < 200; count += 1) world.publish(payload)
  client.on('data', chunk => stream.push(chunk))
  while (stream.messages.length < 200) await once(client, 'data')
  t.same(
    stream.messages.map(message => message.lastEventId),
    Array.from({ length: 200 }, (_, at) => `${at + 1}-1`),
  )
  const gone = hub.stats().streams
  t.equal(gone, 1)
  client.destroy()
  while (hub.stats().streams > 0) await new Promise(setImmediate)
  t.equal(world.replica('000').listeners, 0)
})

t.test('close ends the responses of clients that read', async t => {
  const { world, hub, url } = await setUp(t, 60_000)
  const client = await subscribe(url)
  const stream = new EventStream()
  client.on('data', chunk => stream.push(chunk))
  const ended = once(client, 'end')
  world.publish('last words')
  while (stream.messages.length === 0) await once(client, 'data')
  await hub.close()
  await ended
  t.equal(stream.lastEventId, '1-1')
})
