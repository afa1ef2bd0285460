import { build, encodeIntoCompressedBase64 } from 'hdr-histogram-js'
import t from 'tap'
import { violations } from '../../scripts/lib/bench/exactness.ts'
import { bucketQuantile, buckets, latencies, slope } from '../../scripts/lib/bench/figures.ts'
import { Answers } from '../../scripts/lib/bench/load/answers.ts'
import { PAYLOAD_BYTES, payload, sequenceAt, timeAt } from '../../scripts/lib/bench/load/payload.ts'
import type { Settled } from '../../scripts/lib/bench/load/reader.ts'
import { Scan } from '../../scripts/lib/bench/load/scan.ts'
import { readOptions } from '../../scripts/lib/bench/options.ts'
import type { Results } from '../../scripts/lib/bench/results.ts'
import { rotated } from '../../scripts/lib/bench/rounds.ts'
import { eventsInFlight, medianOf, type ThroughputCell } from '../../scripts/lib/bench/throughput.ts'
import { verdicts } from '../../scripts/lib/bench/verdicts.ts'

const scanned = (sequences: readonly number[]): Settled => {
  const scan = new Scan({ keeps: true })
  for (const sequence of sequences) scan.take(Buffer.from(payload(sequence, 0)))
  const { count, hash, kept } = scan
  return { shapes: [{ count, hash, streams: 1 }], garbled: 0, broken: 0, kept: Uint32Array.from(kept!) }
}
const other = (sequences: readonly number[]): Settled => ({ ...scanned(sequences), kept: undefined })

t.test('a payload is read as it was written, wherever the reads cut it', async t => {
  const text = payload(123_456_789, 1_234_567_890_123_456)
  t.equal(text.length, PAYLOAD_BYTES)
  t.equal(sequenceAt(Buffer.from(text), 0), 123_456_789)
  t.equal(timeAt(Buffer.from(text), 0), 1_234_567_890_123_456)
  const wire = Buffer.from(
    [1, 2, 3].map(sequence => `id: ${sequence}-1\ndata: ${payload(sequence, 77)}\n\n`).join(''),
  )
  for (let size = 1; size <= wire.length; size += 1) {
    const times: number[] = []
    const scan = new Scan({ keeps: true, onTime: timeUs => times.push(timeUs) })
    for (let at = 0; at < wire.length; at += size) scan.take(wire.subarray(at, at + size))
    if (scan.count !== 3 || scan.jumps !== 0 || times.length !== 3) t.fail(`reads of ${size} bytes`)
  }
  const garbled = new Scan()
  garbled.take(Buffer.from(payload(1, 0).replace('~0', '~x')))
  t.match(garbled, { count: 0, garbled: 1 })
})

t.test('a stream that goes on elsewhere sees what it missed and what it had already', async t => {
  const jumps = (after: number, sequences: readonly number[]) => {
    const scan = new Scan({ after })
    for (const sequence of sequences) scan.take(Buffer.from(payload(sequence, 0)))
    return scan.jumps
  }
  t.equal(jumps(0, [1, 2, 3]), 0)
  t.equal(jumps(7, [8, 9]), 0)
  t.equal(jumps(7, [9]), 1, 'one is missing')
  t.equal(jumps(7, [7, 8]), 1, 'one came again')
  t.equal(jumps(7, [8, 10, 9]), 2, 'disorder')
})

t.test('loss, doubles, disorder and strangers are told', async t => {
  t.same(
    violations(4, [scanned([2, 1, 3, 4]), other([2, 1, 3, 4])]),
    [],
    'publishers race; the order is the same for all',
  )
  t.match(violations(4, [scanned([1, 2, 3, 4]), other([1, 2, 4, 3])]), [/another order/])
  t.match(violations(4, [scanned([1, 2, 3, 4]), other([1, 2, 4])]), [/had 3 events of 4/])
  t.match(violations(3, [scanned([1, 2, 2])]), [/1 events of 3 did not come/, /came twice/])
  t.match(violations(2, [scanned([1, 3])]), [/did not come/, /nobody published/])
  t.match(violations(1, [{ ...scanned([1]), broken: 2 }]), [/2 streams ended/])
  t.match(violations(1, [other([1])]), [/no subscriber kept/])
})

t.test('figures can be counted by hand', async t => {
  const encoded = (from: number, to: number) => {
    const histogram = build({ highestTrackableValue: 60_000_000, numberOfSignificantValueDigits: 3 })
    for (let value = from; value <= to; value += 1) histogram.recordValue(value * 1_000)
    return encodeIntoCompressedBase64(histogram)
  }
  const both = latencies([encoded(1, 50), encoded(51, 100)])
  t.equal(both.count, 100)
  t.ok(Math.abs(both.p50Ms - 50) < 0.1, `${both.p50Ms}`)
  t.ok(Math.abs(both.p99Ms - 99) < 0.1, `${both.p99Ms}`)
  t.ok(Number.isNaN(latencies([]).p99Ms))
  t.equal(
    slope([
      [0, 1],
      [1, 3],
      [2, 5],
    ]),
    2,
  )
  t.equal(
    slope([
      [0, 0],
      [1, 3],
      [2, 0],
    ]),
    0,
  )
  t.equal(slope([[1, 5]]), 0)
  const text = (...counts: number[]) =>
    buckets(['1', '10', '+Inf'].map((le, at) => `fsync_bucket{le="${le}"} ${counts[at]}`).join('\n'), 'fsync')
  const [before, after] = [[text(5, 5, 5)], [text(55, 105, 105)]]
  t.equal(bucketQuantile(before, after, 0.25), 0.5, 'half of the first bucket')
  t.equal(bucketQuantile(before, after, 0.75), 5.5, 'half of the second')
  t.equal(bucketQuantile(before, [text(5, 5, 15)], 0.5), 10, 'beyond the last bound')
  t.ok(Number.isNaN(bucketQuantile(before, before, 0.5)))
})

t.test('verdicts compare what they say they compare', async t => {
  const cell = (server: 'hypercast' | 'nchan', batch: number, deliveriesPerS: number): ThroughputCell => ({
    ...{ server, subscribers: 1_000, batch, deliveriesPerS, perCpuS: 1, publishesPerS: 1, violations: [] },
    latencies: latencies([]),
  })
  const of = (p99Ms: number) => ({ count: 1, p50Ms: 1, p99Ms, maxMs: 9 })
  const results: Results = {
    throughput: [
      cell('hypercast', 1, 300),
      cell('nchan', 1, 100),
      cell('hypercast', 100, 900),
      cell('nchan', 100, 100),
    ],
    latency: [
      { server: 'hypercast', received: of(14), answered: of(1), lateMs: 0, violations: [] },
      { server: 'nchan', received: of(4), answered: of(1), lateMs: 0, violations: [] },
    ],
    fsync: { beside: of(4), peersP50Ms: 1, peersP99Ms: 9 },
  }
  t.match(verdicts(results), [
    { measured: '3.00 times', isPass: true },
    { measured: '9.00 times', isPass: false },
    { measured: '14.0 ms', wanted: /at most 14.0 ms/, isPass: true },
  ])
  t.same(verdicts({ throughput: results.throughput!.slice(0, 1) }), [], 'nothing to compare with')
  const rounds = [5, 1, 3].map(rate => ({
    ...cell('nchan', 1, rate),
    violations: rate === 5 ? ['lost'] : [],
  }))
  t.match(medianOf(rounds), { deliveriesPerS: 3, violations: ['lost'] })
  t.same(rotated([1, 2, 3], 4), [2, 3, 1])
  t.equal(eventsInFlight(128, 1, 1_000), 128)
  t.equal(eventsInFlight(128, 1, 10_000), 40)
  t.equal(eventsInFlight(400, 100, 10_000), 100, 'one batch at least')
})

t.test('answers and the command line are read', async t => {
  const seen: string[] = []
  const answers = new Answers((status, body) => seen.push(`${status} ${body}`))
  for (const part of [
    'HTTP/1.1 201 Created\r\nContent-Le',
    'ngth: 2\r\n\r\nabHTTP/1.1 503 No\r\ncontent-length: 0\r\n\r',
    '\n',
  ]) {
    answers.take(Buffer.from(part))
  }
  t.same(seen, ['201 ab', '503 '])
  const parts = (...flags: string[]) => [...readOptions(['node', 'bench', ...flags]).parts]
  t.same(parts(), ['throughput', 'latency'])
  t.same(parts('--quick'), ['throughput', 'latency', 'storm', 'idle', 'churn'])
  t.same(parts('--quick', '--idle'), ['idle'])
  t.match(readOptions(['node', 'bench', '--servers', 'node,hypercast']), {
    servers: ['hypercast', 'node'],
    history: 100_000,
  })
})
