import { JUDGED_FROM_S } from './churn.ts'
import type { Look, SettledSample } from './growth.ts'
import { ms, number, runText, table, verdictsTable } from './markdown.ts'
import type { Results } from './results.ts'
import type { BenchServer } from './servers/server.ts'
import type { ThroughputCell } from './throughput.ts'
import { churnVerdicts, servingVerdicts } from './verdicts.ts'

const MIB = 1_048_576

/** The tables of a run by the names of their places in FANOUT.md; only of the parts that were run. */
export function tables(
  results: Results,
  servers: readonly BenchServer[],
  missing: readonly string[],
  command: string,
): Map<string, string> {
  const found = new Map<string, string>()
  const { churn, ...serving } = results
  if (Object.values(serving).some(part => part !== undefined)) {
    found.set('run', runText(servers, missing, command))
    found.set('verdicts', verdictsTable(servingVerdicts(results)))
  }
  if (results.ceilings) {
    const rows = results.ceilings.map(one => [
      String(one.frames),
      number(one.deliveriesPerS),
      number(one.perCpuS),
    ])
    found.set(
      'ceiling',
      table(['events a write', 'deliveries/s', 'for each CPU second of the readers'], rows),
    )
  }
  if (results.throughput) found.set('throughput', throughputTable(results.throughput, servers))
  if (results.latency) found.set('latency', latencyTable(results))
  if (results.storm) found.set('storm', stormTable(results.storm))
  if (results.idle) {
    const rows = results.idle.map(one => [
      one.server,
      number(one.subscribers),
      (one.beforeBytes / MIB).toFixed(0),
      (one.afterBytes / MIB).toFixed(0),
      (one.perSubscriberBytes / 1_024).toFixed(1),
    ])
    found.set('idle', table(['', 'subscribers', 'MiB before', 'MiB with them', 'KiB a subscriber'], rows))
  }
  if (churn) {
    const parts = [`\`${command}\``, verdictsTable(churnVerdicts(results)), churnTable(churn)]
    found.set('churn', parts.join('\n\n'))
  }
  return found
}

function throughputTable(cells: readonly ThroughputCell[], servers: readonly BenchServer[]): string {
  const rows = cells.map(cell => {
    const theirs = cells.find(
      one => one.server === 'nchan' && one.subscribers === cell.subscribers && one.batch === cell.batch,
    )
    return [
      number(cell.subscribers),
      cell.batch === 1 ? 'single' : `batches of ${cell.batch}`,
      cell.server,
      number(cell.deliveriesPerS),
      theirs ? (cell.deliveriesPerS / theirs.deliveriesPerS).toFixed(2) : '–',
      number(cell.perCpuS),
      ms(cell.latencies.p50Ms),
      ms(cell.latencies.p99Ms),
      keeps(cell, servers),
    ]
  })
  const head = [
    'subscribers',
    'publishes',
    '',
    'deliveries/s',
    '× nchan',
    'for each CPU second',
    'p50 ms',
    'p99 ms',
    'acknowledged when',
  ]
  return table(head, rows)
}

function keeps({ server }: ThroughputCell, servers: readonly BenchServer[]): string {
  return servers.find(({ name }) => name === server)?.guarantees.split(/[;:]/)[0] ?? ''
}

function latencyTable({ latency = [], fsync }: Results): string {
  const rows = latency.map(one => [
    one.server,
    ms(one.received.p50Ms),
    ms(one.received.p99Ms),
    ms(one.received.maxMs),
    ms(one.answered.p50Ms),
    ms(one.answered.p99Ms),
    ms(one.lateMs),
  ])
  const head = [
    '',
    'received p50 ms',
    'p99 ms',
    'longest',
    'answered p50 ms',
    'p99 ms',
    'publisher late by at most',
  ]
  const lines = [table(head, rows)]
  if (fsync) {
    lines.push(
      '',
      `fsync meanwhile: a page beside the peers p50 ${ms(fsync.beside.p50Ms)} ms, p99 ${ms(fsync.beside.p99Ms)} ms; ` +
        `the peers' own \`hypercast_fsync_seconds\` p50 ${ms(fsync.peersP50Ms)} ms, p99 ${ms(fsync.peersP99Ms)} ms (interpolated in its buckets).`,
    )
  }
  return lines.join('\n')
}

function stormTable(storm: NonNullable<Results['storm']>): string {
  const { subscribers, history, seconds, deliveries, turns, violations } = storm
  const said =
    violations.length === 0 ? `all complete and exact after ${seconds.toFixed(1)} s` : violations.join('; ')
  const head = [
    'peer left',
    'longest turn ms',
    'CPU',
    'waiting for a core',
    'asleep',
    'collecting garbage',
    'reads from disk',
    'stolen by the host',
    'most blocked in a turn ms',
    'most CPU in a turn ms',
    'turns over 100 ms',
    'of them blocked so long',
  ]
  const rows = turns.map(({ peer, longest, mostBlockedMs, mostCpuMs, over, blockedOver }) => [
    peer,
    longest.wallMs.toFixed(0),
    longest.cpuMs.toFixed(0),
    longest.waitedMs.toFixed(0),
    longest.sleptMs.toFixed(0),
    longest.collectingMs.toFixed(0),
    String(longest.majorFaults),
    longest.stolenMs.toFixed(0),
    mostBlockedMs.toFixed(0),
    mostCpuMs.toFixed(0),
    String(over),
    String(blockedOver),
  ])
  return `${number(subscribers)} subscribers, ${number(history)} events of history, ${number(deliveries)} deliveries: ${said}.\n\n${table(head, rows)}`
}

function churnTable(figures: NonNullable<Results['churn']>): string {
  const { looks, settled, after, opened, events, options } = figures
  const [serving] = settled
  const own = settled.filter(({ peer }) => peer === serving?.peer)
  const row = (one: SettledSample, { residentMiB, files, streams }: Look, name = one.seconds.toFixed(0)) => [
    name,
    one.heapMiB.toFixed(1),
    one.externalMiB.toFixed(1),
    (one.heapMiB + one.externalMiB).toFixed(1),
    residentMiB.toFixed(0),
    String(files),
    String(streams),
  ]
  const rows = own
    .filter((_, at) => at % Math.max(1, Math.floor(own.length / 10)) === 0)
    .map(one => row(one, looks.findLast(({ seconds }) => seconds <= one.seconds)!))
  rows.push(row(after.settled, after.look, 'all gone'))
  const head = ['s', 'heap MiB', 'outside it', 'together', 'resident MiB', 'files', 'streams']
  const peers = figures.growth.map(({ peer, firstMiB, lastMiB, perMinuteMiB }) => [
    peer,
    firstMiB.toFixed(1),
    lastMiB.toFixed(1),
    perMinuteMiB.toFixed(2),
  ])
  const lines = [
    `${number(opened)} subscribers came, with ${number(events)} events in all. The serving peer:`,
    '',
    table(head, rows),
  ]
  if (peers.length > 0) {
    const others = [`left at ${JUDGED_FROM_S} s, MiB`, 'at the end', 'growth by the minute']
    lines.push('', `All ${options.peers} peers:`, '', table(['peer', ...others], peers))
  }
  return lines.join('\n')
}
