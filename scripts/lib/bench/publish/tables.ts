import { median } from '../figures.ts'
import { ms, number, runText, table, times, verdictsTable } from '../markdown.ts'
import type { Results } from './results.ts'
import type { PublishServer } from './servers/server.ts'
import type { ThroughputCell } from './throughput.ts'
import { verdicts } from './verdicts.ts'
import { describe } from './workloads.ts'

const MIB = 1_048_576
/** Makes the table of one part; undefined when the part was not run. */
type Maker = (results: Results, servers: readonly PublishServer[]) => string | undefined

/** The tables of a run by the names of their places in PERFORMANCE.md; only of the parts that were run. */
export function tables(
  results: Results,
  servers: readonly PublishServer[],
  missing: readonly string[],
  command: string,
): Map<string, string> {
  const found = new Map<string, string>()
  found.set('run', runText(servers, missing, command))
  found.set('verdicts', verdictsTable(verdicts(results)))
  for (const [name, make] of Object.entries(MAKERS)) {
    const text = make(results, servers)
    if (text !== undefined) found.set(name, text)
  }
  return found
}

const MAKERS: Readonly<Record<string, Maker>> = {
  fsync: ({ fsync }) =>
    fsync &&
    `A page of 4 KiB written and fsynced on the servers’ disk while they were idle: p50 ${ms(fsync.p50Ms)} ms, p99 ${ms(fsync.p99Ms)} ms, longest ${ms(fsync.maxMs)} ms.`,
  ceiling: ({ ceilings }) =>
    ceilings &&
    table(
      ['', 'events/s', 'for each CPU second of the load'],
      ceilings.map(({ workload, eventsPerS, perCpuS }) => [
        describe(workload),
        number(eventsPerS),
        number(perCpuS),
      ]),
    ),
  throughput: (results, servers) => cellsTable('throughput', results, servers),
  payloads: (results, servers) => cellsTable('payloads', results, servers),
  topics: (results, servers) => cellsTable('topics', results, servers),
  through: throughTable,
  latency: latencyTable,
  failover: failoverTable,
  startup: ({ startup }) =>
    startup &&
    table(
      ['', 'times', 'median s', 'longest s'],
      startup.map(({ what, seconds }) => [
        what,
        String(seconds.length),
        median(seconds).toFixed(1),
        Math.max(...seconds).toFixed(1),
      ]),
    ),
  history: ({ history }) =>
    history &&
    table(
      ['', 'read as', 'events', 'events/s', 'MiB/s on the wire'],
      history.map(({ server, how, events, eventsPerS, bytesPerS }) => [
        server,
        how,
        number(events),
        number(eventsPerS),
        number(bytesPerS / MIB),
      ]),
    ),
  million: millionTable,
}

function cellsTable(
  part: ThroughputCell['workload']['part'],
  results: Results,
  servers: readonly PublishServer[],
): string | undefined {
  const cells = results.cells?.filter(({ workload }) => workload.part === part) ?? []
  if (cells.length === 0) return undefined
  const head = [
    '',
    '',
    'events/s',
    '× JetStream',
    '× Redis',
    'p50 ms',
    'p99 ms',
    'longest',
    'CPU µs an event, server',
    'load',
    'acknowledged when',
  ]
  const rows = cells.map(cell => {
    const against = (name: string) => {
      const other = cells.find(
        one => one.server === name && describe(one.workload) === describe(cell.workload),
      )
      return other ? times(cell.eventsPerS / other.eventsPerS) : '–'
    }
    return [
      describe(cell.workload),
      cell.server,
      number(cell.eventsPerS),
      against('jetstream'),
      against('redis'),
      ms(cell.latencies.p50Ms),
      ms(cell.latencies.p99Ms),
      ms(cell.latencies.maxMs),
      number(cell.serverCpuUs),
      number(cell.loadCpuUs),
      servers.find(({ name }) => name === cell.server)?.guarantees.split(';')[0] ?? '',
    ]
  })
  return table(head, rows)
}

function throughTable({ through }: Results): string | undefined {
  if (!through) return undefined
  const rows = through.map(({ place, hops, cell }) => {
    const primary = through.find(
      one => one.place === 'primary' && one.cell.workload.batch === cell.workload.batch,
    )!
    return [
      describe(cell.workload),
      place,
      String(hops),
      number(cell.eventsPerS),
      times(cell.eventsPerS / primary.cell.eventsPerS),
      ms(cell.latencies.p50Ms),
      ms(cell.latencies.p99Ms),
    ]
  })
  const peers = through[0]?.peers
  const head = ['', 'through', 'hops', 'events/s', '× the primary', 'p50 ms', 'p99 ms']
  return `A cube of ${peers} peers.\n\n${table(head, rows)}`
}

function latencyTable({ latency }: Results): string | undefined {
  if (!latency) return undefined
  const rows = latency.map(({ server, percent, ratePerS, received, answered, lateMs }) => [
    `${percent} %`,
    server,
    number(ratePerS),
    ms(answered.p50Ms),
    ms(answered.p99Ms),
    ms(answered.maxMs),
    ms(received.p50Ms),
    ms(received.p99Ms),
    ms(received.maxMs),
    ms(lateMs),
  ])
  const head = [
    'of its most',
    '',
    'publishes/s',
    'answered p50 ms',
    'p99 ms',
    'longest',
    'received p50 ms',
    'p99 ms',
    'longest',
    'load late by at most',
  ]
  return table(head, rows)
}

function failoverTable({ failover }: Results): string | undefined {
  if (!failover) return undefined
  const rows = failover.map(({ server, gapsMs, acknowledged, failed, unanswered }) => [
    server,
    String(gapsMs.length),
    number(median(gapsMs)),
    number(Math.min(...gapsMs)),
    number(Math.max(...gapsMs)),
    number(acknowledged),
    number(failed),
    number(unanswered),
  ])
  const head = ['', 'kills', 'median ms', 'shortest', 'longest', 'acknowledged', 'refused', 'never answered']
  return table(head, rows)
}

function millionTable({ million }: Results): string | undefined {
  if (!million) return undefined
  const { events, fillPerS, emptyPerS, fullPerS, beforeMiB, afterMiB, startSeconds, allSeconds } = million
  return table(
    [`${number(events)} events of 256 B in one topic`, ''],
    [
      ['publishing them, batches of 1,000, events/s', number(fillPerS)],
      ['single publishes to the empty log, events/s', number(emptyPerS)],
      [
        'single publishes to the full log, events/s',
        `${number(fullPerS)} (${times(fullPerS / emptyPerS)} times)`,
      ],
      ['resident memory of the primary before, MiB', number(beforeMiB)],
      ['and with them', number(afterMiB)],
      [
        `start of the primary behind kill -9 until it is ready, ${startSeconds.length} times, median and longest s`,
        `${median(startSeconds).toFixed(1)}, ${Math.max(...startSeconds).toFixed(1)}`,
      ],
      ['start of all peers behind kill -9 of all until all are ready, s', allSeconds.toFixed(1)],
    ],
  )
}
