import type { Anomaly } from '../checker/anomalies.ts'
import type { Operation } from '../checker/operations.ts'
import { figures, MEASURE, type SpellGaps } from './availability.ts'
import type { FaultKind } from './kinds.ts'
import type { Fault } from './schedule.ts'

/** What a run came to. */
export interface Outcome {
  readonly seed: string
  readonly minutes: number
  readonly faults: readonly Fault[]
  /** Kinds that could not be had here, and why. */
  readonly leftOut: readonly string[]
  /** What became of stores with flipped bits, a word for each. */
  readonly flips: readonly string[]
  /** How often the roster changed, and how many peers there are in the end. */
  readonly changes: number
  readonly peers: number
  readonly operations: readonly Operation[]
  readonly streams: number
  readonly gaps: readonly SpellGaps[]
  readonly ownDelayMs: number
  readonly anomalies: readonly Anomaly[]
  /** What else was wrong, in words. */
  readonly findings: readonly string[]
}

const MAX_SHOWN = 40

/** Whether nothing at all was wrong. */
export function isClean({ anomalies, findings }: Outcome): boolean {
  return anomalies.length === 0 && findings.length === 0
}

/** The report of a run, in lines of plain text. */
export function report(outcome: Outcome): string {
  const { seed, minutes, leftOut, flips, changes, peers, anomalies, findings } = outcome
  return [
    '',
    `seed ${seed}, ${minutes.toFixed(1)} minutes; faults: ${faultCounts(outcome.faults)}`,
    ...leftOut.map(text => `left out: ${text}`),
    `the roster changed ${changes} times; ${peers} peers in the end`,
    ...(flips.length > 0 ? [`stores with flipped bits: ${counted(flips)}`] : []),
    clientCounts(outcome),
    '',
    ...availability(outcome),
    '',
    anomalies.length === 0
      ? 'no anomalies'
      : `${anomalies.length} anomalies: ${counted(anomalies.map(a => a.kind))}`,
    ...anomalies.slice(0, MAX_SHOWN).map(({ kind, what }) => `  ${kind}: ${what}`),
    findings.length === 0 ? 'nothing else was wrong' : `${findings.length} findings:`,
    ...findings.slice(0, MAX_SHOWN).map(text => `  ${text}`),
  ].join('\n')
}

function faultCounts(faults: readonly Fault[]): string {
  return counted(faults.map(({ kind }) => kind)) || 'none'
}

function clientCounts({ operations, streams }: Outcome): string {
  const events = { acknowledged: new Set<string>(), refused: 0, unknown: 0 }
  let sends = 0
  let delivered = 0
  for (const operation of operations) {
    if (operation.kind === 'poll') delivered += operation.events.length
    if (operation.kind !== 'send') continue
    sends += 1
    if (operation.outcome === 'acknowledged') for (const id of operation.ids) events.acknowledged.add(id)
    else events[operation.outcome] += 1
  }
  return (
    `${operations.length} operations; ${sends} publishes: ${events.acknowledged.size} events acknowledged, ` +
    `${events.refused} publishes refused, ${events.unknown} of unknown outcome; ` +
    `${delivered} events delivered on ${streams} streams`
  )
}

function availability({ gaps, ownDelayMs }: Outcome): string[] {
  const rows = figures(gaps).map(({ kind, spells, fault, return: back }) => [
    kind satisfies FaultKind,
    String(spells),
    ...[fault, back].flatMap(({ medianMs, p99Ms, maxMs }) => [medianMs, p99Ms, maxMs].map(String)),
  ])
  const head = ['unavailability, ms', 'topics', 'fault: median', 'p99', 'max', 'return: median', 'p99', 'max']
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map(row => row[column]!.length)))
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  ')
  return [head, ...rows]
    .map(line)
    .concat(`measured: ${MEASURE}. This program itself stood still for at most ${ownDelayMs} ms.`)
}

function counted(words: readonly string[]): string {
  return [...Map.groupBy(words, word => word)].map(([word, of]) => `${word} ${of.length}`).join(', ')
}
