import { LIMITS } from '../../../services/peer/limits.ts'
import { formatDuration } from '../../../services/peer/units.ts'
import type { Check } from './formulas.ts'
import type { Figures } from './measure.ts'
import { LATENCY_MS } from './network.ts'
import { FLUSH_MS } from './peer.ts'
import type { Moved, PlacingFigures } from './placing.ts'
import type { Defaults } from './settings.ts'
import type { Spread } from './spread.ts'

/** The settings that the figures were measured under. */
export function settingsText(settings: Defaults, seed: number): string {
  const { slots, tickMs, heartbeatMs, electionMs, reclaimAfterMs } = settings
  return [
    `Default settings: ${slots} slots, ${LIMITS.REPLICAS} replicas (${LIMITS.ROSTER_REPLICAS} of the roster),`,
    `heartbeats every ${formatDuration(heartbeatMs)}, ticks every ${formatDuration(tickMs)}, election timeout`,
    `${formatDuration(electionMs)}, reclaimed after ${formatDuration(reclaimAfterMs)}. Each message takes ${LATENCY_MS} ms,`,
    `each fsync ${FLUSH_MS} ms. Seed ${seed}.`,
  ].join('\n')
}

/** Links and hops. */
export function routesTable(all: readonly Figures[]): string {
  return table(
    [
      'peers',
      'd',
      'links, mean',
      'most',
      'hops, mean',
      'most',
      'dead',
      'hops, mean',
      'most',
      'reached',
      'sent on in vain',
    ],
    all.map(({ peers, dimension, placing, hops, losses }) => [
      count(peers) + (hops.isComplete ? '' : ' *'),
      count(dimension),
      number(placing.links.mean),
      count(placing.links.most),
      number(hops.mean),
      count(hops.most),
      count(losses.dead),
      number(losses.hops.mean),
      count(losses.hops.most),
      `${count(losses.hops.reached)} of ${count(losses.hops.reachable)}`,
      count(losses.hops.inVain),
    ]),
  )
}

/** What a cube costs in which nothing happens, and what open streams cost. */
export function restTable(all: readonly Figures[]): string {
  return table(
    [
      'peers',
      'partners, mean',
      'most',
      'heartbeats per peer and s, mean',
      'most',
      'connections in use, mean',
      'most',
      'marks per s and trunk',
    ],
    all.map(({ peers, rest, events }) => [
      count(peers),
      number(rest.partners.mean),
      count(rest.partners.most),
      number(rest.exchangesPerS.mean),
      number(rest.exchangesPerS.most),
      number(events.connections.mean),
      count(events.connections.most),
      count(events.marksPerS),
    ]),
  )
}

/** Messages for one event. */
export function eventsTable(all: readonly Figures[]): string {
  return table(
    [
      'peers',
      'to other peers',
      'among replicas',
      'to the primary and back',
      'all',
      'hops to the primary, mean',
      'most',
    ],
    all.map(({ peers, events: { followed, raft, publish, publishHops, publishHopsMost } }) => [
      count(peers),
      number(followed),
      number(raft),
      number(publish),
      number(followed + raft + publish),
      number(publishHops),
      count(publishHopsMost),
    ]),
  )
}

/** Where slots are and what moves; also with a slot for every corner where there are fewer. */
export function placingTable(all: readonly Figures[]): string {
  const rows = all.flatMap(({ peers, placing, roomy }) =>
    [placing, ...(roomy ? [roomy] : [])].map(one => placingRow(peers, one)),
  )
  return table(
    [
      'peers',
      'slots',
      'home to: least, mean, most',
      'replicas: least, mean, most',
      'ideal 1/N',
      'one joins: homes, replicas',
      'one leaves, mean: homes, replicas',
      'most: homes, replicas',
    ],
    rows,
  )
}

function placingRow(peers: number, { slots, homes, replicas, joined, left }: PlacingFigures): string[] {
  return [
    count(peers),
    count(slots),
    spread(homes),
    spread(replicas),
    percent(1 / peers),
    moved(joined),
    moved(left.mean),
    moved(left.most),
  ]
}

/** Virtual time until a publish is acknowledged. */
export function failoverTable(all: readonly Figures[]): string {
  return table(
    ['peers', 'killed: least, mean, most ms', 'sent on: least, mean, most', 'silent: least, mean, most ms'],
    all.map(({ peers, failover: { killed, sentOn, silent } }) => [
      count(peers),
      spread(killed),
      spread(sentOn),
      spread(silent),
    ]),
  )
}

/** Every formula with the sizes at which it holds, and the figure that comes nearest to what is allowed. */
export function formulasTable(checks: readonly Check[]): string {
  const formulas = [...new Set(checks.map(({ formula }) => formula))]
  const rows = formulas.map(formula => {
    const own = checks.filter(one => one.formula === formula)
    const held = own.filter(({ holds }) => holds)
    const exact = own.filter(({ isExact }) => isExact)
    const nearest = own.reduce((best, one) => (strain(one) > strain(best) ? one : best))
    return [
      formula.what,
      formula.formula,
      exact.length === own.length ? 'is' : exact.length > 0 ? `at most; is at ${peersOf(exact)}` : 'at most',
      `${value(nearest.measured)} of ${value(nearest.allowed)} at ${count(nearest.peers)}`,
      held.length === own.length
        ? `at all ${own.length} sizes`
        : `not at ${peersOf(own.filter(one => !one.holds))}`,
    ]
  })
  return table(['what', 'formula', '', 'nearest to it', 'holds'], rows)
}

/** How much of what is allowed is used. */
function strain({ measured, allowed }: Check): number {
  if (allowed === 0) return measured
  return measured / allowed
}

function peersOf(checks: readonly Check[]): string {
  return checks.map(({ peers }) => count(peers)).join(', ')
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n')
}

function spread({ least, mean, most }: Spread): string {
  return [least, mean, most].map(number).join(', ')
}

function moved({ homes, replicas }: Moved): string {
  return `${percent(homes)}, ${percent(replicas)}`
}

function percent(share: number): string {
  return `${number(100 * share)} %`
}

function count(value: number): string {
  return value.toLocaleString('en-US')
}

/** With as many digits as say something. */
function number(value: number): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2
  return Number(value.toFixed(digits)).toLocaleString('en-US', { maximumFractionDigits: digits })
}

function value(one: number): string {
  return Number(one.toPrecision(3)).toLocaleString('en-US', { maximumFractionDigits: 4 })
}
