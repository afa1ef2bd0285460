import { build, encodeIntoCompressedBase64 } from 'hdr-histogram-js'
import t from 'tap'
import { charts } from '../../scripts/lib/bench/publish/charts.ts'
import { ClosedLoop, plainPayload } from '../../scripts/lib/bench/publish/load/closed-loop.ts'
import { httpRequest } from '../../scripts/lib/bench/publish/load/http-lane.ts'
import type { Done, Events, Lane } from '../../scripts/lib/bench/publish/load/lanes.ts'
import { NatsReader } from '../../scripts/lib/bench/publish/load/nats-reader.ts'
import { redisRequest } from '../../scripts/lib/bench/publish/load/redis-lane.ts'
import { command, type Reply, RespError, RespReader } from '../../scripts/lib/bench/publish/load/resp.ts'
import type { HttpWire } from '../../scripts/lib/bench/publish/load/wire.ts'
import { PARTS, readOptions } from '../../scripts/lib/bench/publish/options.ts'
import { broken, type Results } from '../../scripts/lib/bench/publish/results.ts'
import type { ServerName } from '../../scripts/lib/bench/publish/servers/server.ts'
import { tables } from '../../scripts/lib/bench/publish/tables.ts'
import { hops, places } from '../../scripts/lib/bench/publish/through.ts'
import { cellOf, type ThroughputCell } from '../../scripts/lib/bench/publish/throughput.ts'
import { verdicts } from '../../scripts/lib/bench/publish/verdicts.ts'
import { asAsked, takesPart, type Workload, workloads } from '../../scripts/lib/bench/publish/workloads.ts'

/** Gives `bytes` to `take` in reads of each size, and each time what `seen` says then. */
function inReads<T>(bytes: Buffer, read: (seen: T[]) => (bytes: Buffer) => void): T[][] {
  return Array.from({ length: bytes.length }, (_, at) => {
    const seen: T[] = []
    const take = read(seen)
    // The memory is used again, as that of the sockets is.
    const memory = Buffer.alloc(at + 1)
    for (let from = 0; from < bytes.length; from += at + 1) {
      take(memory.subarray(0, bytes.copy(memory, 0, from, from + at + 1)))
    }
    return seen
  })
}

t.test('what NATS sends is read, wherever the reads cut it', async t => {
  const sent =
    'INFO {"server_id":"x"}\r\nPING\r\nMSG _INBOX.bench.7 1 26\r\n{"stream":"s",\r\n "seq":12}\r\n+OK\r\n' +
    "MSG a.b 1 reply.to 0\r\n\r\nPONG\r\n-ERR 'Slow Consumer'\r\n"
  const all = inReads<string>(Buffer.from(sent), seen => {
    const reader = new NatsReader({
      onMessage: (subject, payload) => seen.push(`${subject} ${payload}`),
      onPing: () => seen.push('ping'),
      onPong: () => seen.push('pong'),
      onError: text => seen.push(text),
    })
    return bytes => reader.take(bytes)
  })
  const wanted = [
    'ping',
    '_INBOX.bench.7 {"stream":"s",\r\n "seq":12}',
    'a.b ',
    'pong',
    "-ERR 'Slow Consumer'",
  ]
  for (const seen of all) if (seen.join('|') !== wanted.join('|')) t.same(seen, wanted)
  t.same(all.at(-1), wanted)
  const handlers = { onMessage: () => {}, onPing: () => {}, onError: () => {} }
  t.throws(() => new NatsReader(handlers).take(Buffer.from('HTTP/1.1 400\r\n')), /no line of NATS/)
})

t.test('replies of Redis are read, wherever the reads cut them', async t => {
  const sent =
    '+OK\r\n:1\r\n$5\r\na\r\nbc\r\n$-1\r\n*2\r\n$1\r\nx\r\n*1\r\n:-3\r\n*-1\r\n-READONLY no\r\n*0\r\n'
  const wanted: Reply[] = ['OK', 1, 'a\r\nbc', null, ['x', [-3]], null, new RespError('READONLY no'), []]
  const all = inReads<Reply>(Buffer.from(sent), seen => {
    const reader = new RespReader(reply => seen.push(reply))
    return bytes => reader.take(bytes)
  })
  for (const seen of all) {
    if (JSON.stringify(seen) !== JSON.stringify(wanted)) t.same(seen, wanted)
  }
  t.equal((all[0]![6] as RespError).message, 'READONLY no')
  t.ok(all[0]![6] instanceof RespError)
  t.throws(() => new RespReader(() => {}).take(Buffer.from('HTTP/1.1 400\r\n')), /no reply of Redis/)
  t.equal(command('XLEN', 12), '*2\r\n$4\r\nXLEN\r\n$2\r\n12\r\n')
})

t.test('requests are what the servers read', async t => {
  const wire: HttpWire = { kind: 'http', port: 1, topics: ['a', 'b'], before: '/t/', single: '/publish' }
  const two = { count: 2, payload: 'xy' }
  const one =
    'POST /t/b/publish HTTP/1.1\r\nHost: 127.0.0.1:1\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nxy'
  t.equal(httpRequest(wire, 1, { ...two, count: 1 }), one)
  t.equal(httpRequest(wire, 1, two), one + one, 'without batches: one behind the other')
  const batch = { behind: '/batch', contentType: 'application/x-ndjson', open: '{"data":"', close: '"}\n' }
  const [head, body] = httpRequest({ ...wire, batch }, 0, two).split('\r\n\r\n') as [string, string]
  t.match(head, /^POST \/t\/a\/batch /)
  t.match(head, new RegExp(`\r\nContent-Length: ${body.length}$`))
  t.equal(body, '{"data":"xy"}\n{"data":"xy"}\n')
  const redis = { kind: 'redis', port: 1, topics: ['a'], replicas: 1 } as const
  const add = command('XADD', 'a', '*', 'd', 'xy')
  t.equal(redisRequest(redis, 0, two), add + add + command('WAIT', 1, 10_000))
})

/** Lanes that answer when they are told to. */
class FakeLanes {
  readonly asked: { topic: number; events: Events; done: Done }[] = []
  readonly lanes: readonly Lane[]
  most = 0
  isClosed = false
  #underWay = 0

  constructor(count: number) {
    const publish = (topic: number, events: Events, done: Done): void => {
      this.#underWay += 1
      this.most = Math.max(this.most, this.#underWay)
      this.asked.push({ topic, events, done })
    }
    this.lanes = Array.from({ length: count }, () => ({ publish }))
  }

  answer(failure?: string): void {
    this.#underWay -= 1
    this.asked.shift()!.done(failure)
  }

  close(): void {
    this.isClosed = true
  }
}

const loopOptions = (topics: number) => ({
  wire: { kind: 'nats' as const, port: 1, topics: Array.from({ length: topics }, (_, at) => `${at}`) },
  inFlight: 3,
  batch: 10,
  payloadBytes: 16,
})

t.test('a closed loop keeps so many under way, over the topics in turn', async t => {
  const lanes = new FakeLanes(3)
  const loop = new ClosedLoop(loopOptions(2), lanes)
  loop.begin()
  t.same(
    lanes.asked.map(({ topic }) => topic),
    [0, 1, 0],
  )
  t.same(lanes.asked[0]!.events, { count: 10, payload: plainPayload(16) })
  t.equal(plainPayload(16).length, 16)
  for (let at = 0; at < 7; at += 1) lanes.answer()
  t.equal(loop.look().events, 70)
  lanes.answer()
  t.equal(loop.look().events, 10, 'since the last look')
  const stopped = loop.stop()
  while (lanes.asked.length > 0) lanes.answer()
  t.match(await stopped, { events: 110, failures: [] })
  t.equal(lanes.most, 3)
  t.ok(lanes.isClosed)
})

t.test('a closed loop ends behind its last event, and a lane that failed is not used again', async t => {
  const filling = new FakeLanes(3)
  const loop = new ClosedLoop(loopOptions(1), filling, 45)
  loop.begin()
  let publishes = 0
  for (; filling.asked.length > 0; publishes += 1) filling.answer()
  t.equal(publishes, 5, 'whole publishes')
  t.match(await loop.finished, { events: 50 })
  const failing = new FakeLanes(2)
  const other = new ClosedLoop({ ...loopOptions(1), inFlight: 2 }, failing)
  other.begin()
  failing.answer('503')
  t.equal(failing.asked.length, 1)
  failing.answer('gone')
  t.match(await other.finished, { events: 0, failures: ['503', 'gone'] })
})

t.test('the farthest peer is no replica', async t => {
  t.equal(hops('000', '111'), 3)
  const cube = ['000', '001', '010', '011', '100', '101', '110', '111']
  t.same(places(cube, '000', ['000', '100', '010']), { primary: '000', replica: '100', farthest: '111' })
  t.equal(places(cube, '011', ['111', '011', '001']).farthest, '100')
  t.throws(() => places(['00', '01', '10'], '00', ['00', '01', '10']), /none that is far/)
})

t.test('each server is asked for what suits it', async t => {
  const options = { batchesInFlight: 4, manyTopics: 9 }
  const all = workloads('throughput', options)
  t.same(
    all.map(({ inFlight, batch }) => [inFlight, batch]),
    [
      [1, 1],
      [64, 1],
      [512, 1],
      [4, 100],
      [4, 1_000],
    ],
  )
  const batches = all[3]!
  t.same(asAsked('hypercast', batches), { inFlight: 4, batch: 100 })
  t.same(asAsked('jetstream', batches), { inFlight: 400, batch: 1 })
  const part = (server: ServerName, workload: Workload) => takesPart(server, workload)
  t.notOk(part('nchan', batches))
  t.ok(part('nchan', all[0]!))
  const [topics] = workloads('topics', options) as [Workload]
  t.same(
    [part('redis', topics), part('nchan', topics), part('jetstream-fsync', topics)],
    [true, false, false],
  )
  t.same(
    workloads('topics', options).map(one => one.topics),
    [1, 64, 9],
  )
  t.same(
    workloads('payloads', options).map(one => one.payloadBytes),
    [16, 1_024, 65_536],
  )
})

const of = (p50Ms: number, p99Ms = 2 * p50Ms) => ({ count: 1, p50Ms, p99Ms, maxMs: p99Ms })
const cell = (
  server: ServerName,
  eventsPerS: number,
  workload: Partial<Workload>,
  p50Ms = 1,
): ThroughputCell => ({
  server,
  eventsPerS,
  workload: { part: 'throughput', inFlight: 64, batch: 1, payloadBytes: 256, topics: 1, ...workload },
  latencies: of(p50Ms),
  serverCpuUs: 1,
  loadCpuUs: 1,
  violations: [],
})

/** All passes; `worse` makes all of them fail. */
function found(worse: number): Results {
  return {
    fsync: of(1),
    cells: [
      cell('hypercast', 150 / worse, {}),
      cell('jetstream', 100, {}),
      cell('jetstream-fsync', 90, {}),
      cell('redis', 100, {}),
      cell('hypercast', 500 / worse, { batch: 100 }),
      cell('jetstream', 90, { batch: 100 }),
      { ...cell('hypercast', 9, { inFlight: 1 }), latencies: of(4 * worse, 19 * worse * worse) },
      { ...cell('jetstream', 9, { inFlight: 1 }), latencies: of(1) },
      cell('hypercast', 100, { part: 'topics' }),
      cell('hypercast', 80 / worse, { part: 'topics', topics: 10_000 }),
    ],
    through: (['primary', 'farthest'] as const).map(place => ({
      place,
      peers: 8,
      hops: 3,
      cell: cell('hypercast', place === 'primary' ? 100 : 50 / worse, {}),
    })),
    failover: (['hypercast', 'jetstream'] as const).map(server => ({
      server,
      gapsMs: server === 'hypercast' ? [9_000, 300 * worse, 1] : [3_000, 1, 9_000],
      acknowledged: 1,
      failed: 0,
      unanswered: 0,
      violations: [],
    })),
    startup: [{ what: 'npm start', peers: 8, kind: 'npm start', seconds: [9, 5.9 * worse, 1] }],
    million: {
      ...{ events: 1_000_000, fillPerS: 1, beforeMiB: 1, afterMiB: 2, emptyPerS: 100, allSeconds: 9 },
      ...{ fullPerS: 80 / worse, startSeconds: [1, 4.9 * worse], violations: [] },
    },
  }
}

t.test('verdicts hold what they say against what is wanted', async t => {
  const good = verdicts(found(1))
  t.equal(good.length, 13)
  for (const { what, measured, isPass } of good) t.ok(isPass, `${what}: ${measured}`)
  for (const { what, measured, isPass } of verdicts(found(2))) t.notOk(isPass, `${what}: ${measured}`)
  t.match(good[0], { measured: '1.50 times', wanted: 'at least 1 times' })
  t.match(
    good.find(({ what }) => what.startsWith('batches')),
    { what: /best figure \(100\)/, measured: '5.00 times' },
  )
  t.same(verdicts({}), [])
  t.same(verdicts({ cells: [cell('hypercast', 1, {})] }), [], 'nothing to compare with')
})

t.test('a cell is its median round, with the latencies and violations of all', async t => {
  const encoded = (us: number) => {
    const histogram = build({ highestTrackableValue: 60_000_000, numberOfSignificantValueDigits: 3 })
    histogram.recordValue(us)
    return encodeIntoCompressedBase64(histogram)
  }
  const round = (eventsPerS: number, violations: string[] = []) => ({
    ...{ eventsPerS, encoded: encoded(1_000), serverCpuUs: eventsPerS, loadCpuUs: 1, violations },
  })
  const { workload } = cell('redis', 1, {})
  const middle = cellOf('redis', workload, [round(5, ['lost']), round(1), round(3)])
  t.match(middle, { eventsPerS: 3, serverCpuUs: 3, latencies: { count: 3 }, violations: ['lost'] })
  t.equal(cellOf('redis', workload, [round(5), round(1)]).eventsPerS, 1, 'of two the lower one')
})

t.test('tables and charts are of what was run', async t => {
  const servers = [{ name: 'hypercast', title: 'ours', guarantees: 'on disk; for ever' }] as never
  const all = tables(found(1), servers, ['redis-server is not installed'], 'npm run bench')
  t.same(
    [...all.keys()],
    ['run', 'verdicts', 'fsync', 'throughput', 'topics', 'through', 'failover', 'startup', 'million'],
  )
  t.match(all.get('run'), /Not measured: redis-server is not installed\./)
  t.match(all.get('verdicts'), /\| 1\.50 times \| at least 1 times \| pass \|/)
  t.match(
    all.get('topics'),
    /10,000 topics \| hypercast \| 80 \| – \| – \| 1\.00 \| 2\.00 \| 2\.00 \| 1 \| 1 \| on disk \|/,
  )
  t.match(all.get('through'), /\| farthest \| 3 \| 50 \| 0\.50 \|/)
  t.match(all.get('failover'), /\| hypercast \| 3 \| 300 \| 1 \| 9,000 \|/)
  t.same([...tables({}, [], [], '').keys()], ['run', 'verdicts'])
  const drawn = charts(found(1))
  t.same([...drawn.keys()], ['in-flight', 'batches', 'failover'])
  t.match(drawn.get('in-flight'), /^<svg [\s\S]*jetstream-fsync/)
  t.same([...charts({}).keys()], [])
})

t.test('what is broken is told with its place', async t => {
  const results = found(1)
  const lost = { ...cell('redis', 1, { batch: 100, inFlight: 4 }), violations: ['2 events are kept'] }
  t.same(broken(results), [])
  t.same(broken({ ...results, cells: [lost], million: { ...results.million!, violations: ['gone'] } }), [
    'redis, batches of 100 of 256 B, 4 in flight: 2 events are kept',
    'a million events: gone',
  ])
})

t.test('the command line is read', async t => {
  const read = (...flags: string[]) => readOptions(['node', 'bench', ...flags])
  t.same([...read().parts], [...PARTS])
  t.same([...read('--quick', '--failover', '--topics').parts], ['topics', 'failover'])
  t.match(read(), { rounds: 3, kills: 20, events: 1_000_000, manyTopics: 10_000, results: 'bench/results' })
  t.match(read('--quick'), { rounds: 1, kills: 1 })
  t.match(read('--quick', '--kills', '7', '--seconds', '2.5'), { kills: 7, seconds: 2.5 })
  t.same(read('--servers', 'redis,hypercast').servers, ['hypercast', 'redis'])
})
