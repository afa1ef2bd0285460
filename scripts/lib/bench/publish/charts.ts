import { type Plot, plot, type Series } from '../../scale/plot.ts'
import type { Results } from './results.ts'
import { SERVER_NAMES } from './servers/server.ts'
import type { ThroughputCell } from './throughput.ts'

/** The charts of a run as SVG, by their names; only of what was measured. */
export function charts(results: Results): Map<string, string> {
  const found = new Map<string, string>()
  const cells = (results.cells ?? []).filter(({ workload }) => workload.part === 'throughput')
  add(found, 'in-flight', {
    title: 'Single publishes of 256 B: events/s',
    xLabel: 'publishes in flight',
    yLabel: 'events/s',
    yScale: 'log',
    series: seriesOf(
      cells.filter(({ workload }) => workload.batch === 1),
      ({ workload }) => workload.inFlight,
    ),
  })
  add(found, 'batches', {
    title: 'Batches: events/s',
    xLabel: 'events of one batch',
    yLabel: 'events/s',
    yScale: 'linear',
    series: seriesOf(
      cells.filter(({ workload }) => workload.batch > 1),
      ({ workload }) => workload.batch,
    ),
  })
  add(found, 'latency', {
    title: 'Acknowledged, from the intended sending',
    xLabel: 'publishes/s: 10, 50 and 90 % of each one’s most',
    yLabel: 'ms',
    yScale: 'log',
    series: SERVER_NAMES.flatMap(server => {
      const of = (results.latency ?? []).filter(one => one.server === server)
      const points = (key: 'p50Ms' | 'p99Ms') =>
        of.map(({ ratePerS: x, answered }) => ({ x, y: answered[key] }))
      return [
        { name: `${server} p50`, kind: 'measured' as const, points: points('p50Ms') },
        { name: `${server} p99`, kind: 'measured' as const, points: points('p99Ms') },
      ]
    }),
  })
  add(found, 'failover', {
    title: 'Gap behind kill -9 of the primary',
    xLabel: 'kills, from the shortest gap to the longest',
    yLabel: 'ms',
    yScale: 'log',
    series: (results.failover ?? []).map(({ server, gapsMs }) => ({
      name: server,
      kind: 'measured' as const,
      points: [...gapsMs].sort((one, other) => one - other).map((y, at) => ({ x: at + 1, y })),
    })),
  })
  return found
}

function seriesOf(cells: readonly ThroughputCell[], x: (cell: ThroughputCell) => number): Series[] {
  return SERVER_NAMES.map(server => ({
    name: server,
    kind: 'measured' as const,
    points: cells.filter(cell => cell.server === server).map(cell => ({ x: x(cell), y: cell.eventsPerS })),
  }))
}

function add(found: Map<string, string>, name: string, drawing: Plot): void {
  const series = drawing.series.filter(({ points }) => points.length > 0)
  if (series.length > 0) found.set(name, plot({ ...drawing, series }))
}
