import { type AddressInfo, createServer, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { latencies } from '../../scripts/lib/bench/figures.ts'
import { nowUs } from '../../scripts/lib/bench/load/payload.ts'
import { type Lanes, openLanes } from '../../scripts/lib/bench/publish/load/lanes.ts'
import { Load } from '../../scripts/lib/bench/publish/load.ts'
import { Child, firstAnswer } from '../../scripts/lib/bench/publish/servers/child.ts'
import { HypercastPublish } from '../../scripts/lib/bench/publish/servers/hypercast.ts'
import { measureRound } from '../../scripts/lib/bench/publish/throughput.ts'
import type { Workload } from '../../scripts/lib/bench/publish/workloads.ts'
import { closed, closeRunning, started } from '../../scripts/lib/bench/servers/running.ts'

const PAYLOAD = { count: 1, payload: '~.........' }

/** A server that answers each text it reads with what `answer` makes of it; its port. */
async function answering(t: Test, answer: (text: string) => string): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket)
    socket.setEncoding('latin1').on('data', (text: string) => socket.write(answer(text)))
    socket.on('error', () => {})
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

/** What each lane was told of one publish. */
function publish({ lanes }: Lanes, events = PAYLOAD): Promise<(string | undefined)[]> {
  return Promise.all(
    lanes.map(lane => new Promise<string | undefined>(resolve => lane.publish(0, events, resolve))),
  )
}

t.test('lanes of NATS share a connection and know each its own acknowledgement', async t => {
  let sequence = 0
  const port = await answering(t, text => {
    const inboxes = [...text.matchAll(/PUB s\.0 (\S+) 10\r\n~\.{9}\r\n/g)].map(found => found[1])
    // The last one is acknowledged first.
    const answers = inboxes.reverse().map(inbox => {
      sequence += 1
      const body = sequence === 3 ? '{"error":{"code":503}}' : `{"stream":"s","seq":${sequence}}`
      return `MSG ${inbox} 1 ${body.length}\r\n${body}\r\n`
    })
    return `${text.includes('PING\r\n') ? 'PONG\r\n' : ''}${answers.join('')}`
  })
  const lanes = await openLanes({ kind: 'nats', port, topics: ['s.0'] }, 3)
  const told = await publish(lanes)
  t.same(told.slice(1), [undefined, undefined])
  t.match(told[0], /JetStream answered .*503/, 'the third answer was for the first lane')
  t.same(await publish(lanes, { ...PAYLOAD, count: 2 }), [undefined, undefined, undefined])
  t.equal(sequence, 9)
  lanes.close()
})

t.test('a publish to Redis waits for its replica', async t => {
  let replicas = 1
  const port = await answering(t, text => {
    const adds = text.split('XADD').length - 1
    return `${'$3\r\n1-1\r\n'.repeat(adds)}:${replicas}\r\n`
  })
  const lanes = await openLanes({ kind: 'redis', port, topics: ['s'], replicas: 1 }, 2)
  t.same(await publish(lanes, { ...PAYLOAD, count: 3 }), [undefined, undefined])
  replicas = 0
  t.match(await publish(lanes), [/WAIT answered 0 of 1/, /WAIT answered 0 of 1/])
  lanes.close()
  const full = await answering(t, () => '-OOM no memory\r\n:1\r\n')
  const refused = await openLanes({ kind: 'redis', port: full, topics: ['s'], replicas: 1 }, 1)
  t.match(await publish(refused), [/Redis answered OOM/])
  refused.close()
})

t.test('a lane whose server goes says so, then and later', async t => {
  const sockets: Socket[] = []
  const server = createServer(socket => {
    sockets.push(socket)
    socket.on('error', () => {})
    socket.on('data', () => socket.destroy())
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const wire = { kind: 'http', port, topics: ['a'], before: '/', single: '' } as const
  const lanes = await openLanes(wire, 1)
  t.match(await publish(lanes), [/was lost/])
  t.match(await publish(lanes), [/was lost/])
  await new Promise<void>(resolve => server.close(() => resolve()))
  await t.rejects(openLanes(wire, 1), /was lost.*ECONNREFUSED/)
})

t.test('what a peer acknowledged is counted and kept, single and in batches', async t => {
  const load = new Load()
  t.teardown(() => load.end())
  const server = await HypercastPublish.start({ peers: 1 })
  t.teardown(() => server.close())
  const workload: Workload = { part: 'throughput', inFlight: 4, batch: 1, payloadBytes: 64, topics: 1 }
  for (const batch of [1, 5]) {
    const target = {
      server: server.name,
      pids: server.pids,
      topics: () => server.topics(`tiny${batch}`, 1),
    }
    const round = await measureRound(
      target,
      load,
      { ...workload, batch },
      { rounds: 1, warmMs: 50, measureMs: 200 },
    )
    t.same(round.violations, [])
    t.ok(round.eventsPerS > 0)
    t.ok(latencies([round.encoded]).p50Ms > 0)
  }
  const topics = await server.topics('many', 7)
  const options = { wire: topics.wire, inFlight: 3, batch: 5, payloadBytes: 32 }
  const { events, failures } = await load.publisher.ask('fill', { ...options, events: 98 })
  t.same([events, failures, await topics.stored()], [100, [], 100])
  const stream = await topics.subscribe!()
  const read = { port: stream.port, request: `${stream.head}\r\n`, events: 15, timeoutMs: 10_000 }
  t.ok(
    (await load.publisher.ask('read', read)).bytes > 15 * 32,
    'three publishes of five went to the first of seven',
  )
  const rate = await load.publisher.ask('rate', {
    ...{ wire: topics.wire, ratePerS: 100, warmS: 0.1, seconds: 0.2, lanes: 4, payloadBytes: 64 },
  })
  t.match(rate, { events: 30, failures: [] })
  t.equal(latencies([rate.answers]).count, 20, 'without the warm-up')
  t.equal(await topics.stored(), 130)
  await load.publisher.ask('probe', { wire: topics.wire, everyMs: 5 })
  const gapUs = await load.publisher.ask('gap', { fromUs: nowUs(), timeoutMs: 10_000 })
  t.ok(gapUs > 0 && gapUs < 10_000_000)
  const probed = await load.publisher.ask('endProbe', null)
  t.match(probed, { failed: 0, unanswered: 0 })
  t.equal(await topics.stored(), 130 + probed.acknowledged)
  t.equal(server.lost(), undefined)
})

t.test('programs that were started are known until they are closed, and how one ended', async t => {
  const child = new Child('sh', ['-c', 'echo no room >&2; exit 3'])
  while (child.lost === undefined) await delay(5)
  t.equal(child.lost, 'sh ended: 3: no room')
  const asked = new Child('sh', ['-c', 'exec sleep 60'])
  const server = {
    close: async () => {
      await asked.stop()
      closed(server)
    },
  }
  started(server)
  await closeRunning()
  await closeRunning()
  t.equal(asked.lost, undefined, 'it was asked to end')
  t.throws(() => process.kill(asked.pid, 0), { code: 'ESRCH' })
  const missing = new Child('/no/such/program', [])
  while (missing.lost === undefined) await delay(5)
  t.match(missing.lost, /ENOENT/)
  t.equal(firstAnswer(['/no/such/program'], []), undefined)
})
