import { ms, number, runText, table, times, verdictsTable } from '../markdown.ts'
import type { Results } from './results.ts'
import type { PublishServer } from './servers/server.ts'
import type { ThroughputCell } from './throughput.ts'
import { verdicts } from './verdicts.ts'
import { describe } from './workloads.ts'

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
  if (results.ceilings) {
    const rows = results.ceilings.map(({ workload, eventsPerS, perCpuS }) => [
      describe(workload),
      number(eventsPerS),
      number(perCpuS),
    ])
    found.set('ceiling', table(['', 'events/s', 'for each CPU second of the load'], rows))
  }
  for (const part of ['throughput', 'payloads', 'topics'] as const) {
    const cells = results.cells?.filter(({ workload }) => workload.part === part) ?? []
    if (cells.length > 0) found.set(part, cellsTable(cells, servers))
  }
  return found
}

function cellsTable(cells: readonly ThroughputCell[], servers: readonly PublishServer[]): string {
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
      const other = cells.find(one => one.server === name && one.workload === cell.workload)
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
