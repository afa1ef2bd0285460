import { LIMITS } from '../../../services/peer/limits.ts'
import type { Figures } from './measure.ts'
import type { PlacingFigures } from './placing.ts'
import { replicasAmong } from './settings.ts'

/** What something costs against N, to be held against the figures. */
export interface Formula {
  readonly what: string
  /** As people read it: N peers, d dimensions, R replicas, S slots, i seconds between heartbeats. */
  readonly formula: string
  measured(figures: Figures): number
  allowed(figures: Figures): number
  /** Where the figure must be what the formula says, not only at most that; share by which it may be off. */
  exactly?(figures: Figures): number | undefined
}

/** One formula held against the figures of one cube. */
export interface Check {
  readonly formula: Formula
  readonly peers: number
  readonly measured: number
  readonly allowed: number
  readonly isExact: boolean
  readonly holds: boolean
}

/** Share by which a mean over pairs drawn by chance may be off. */
const DRAWN_TOLERANCE = 0.05
/** Rounding of sums of fractions. */
const ROUNDING = 1e-9
/** What an election takes when a kill was noticed, and the publish's own pauses. */
const KILL_MS = 20
/** The way to where the primary was and back, and the way to the next one. */
const KILL_MS_PER_DIMENSION = 2
/** Silence, then at most one more wait for those next in order, in election timeouts. */
const SILENCE_ELECTIONS = 2.5

const isFull = ({ peers, dimension }: Figures) => peers === 2 ** dimension
const replicas = ({ peers }: Figures) => replicasAmong(peers)
const meanHops = ({ peers, dimension }: Figures) => ((dimension / 2) * peers) / (peers - 1)
const onFull = (figures: Figures) => (isFull(figures) ? ROUNDING : undefined)
/** The pairs of replicas are those of every corner only where every corner has a slot, and eight corners at least. */
const everyCorner = (figures: Figures) =>
  isFull(figures) && figures.dimension >= 3 && figures.placing.slots >= figures.peers ? ROUNDING : undefined
const always = () => ROUNDING

/** Share of the slots that is meant by one N-th: no less than one slot. */
const oneNth = ({ peers }: Figures, { slots }: PlacingFigures) => Math.max(1 / peers, 1 / slots)
/** A placement with a slot for every corner. */
const enough = (figures: Figures) => figures.roomy ?? figures.placing

/** So many times the slots of one corner. */
const ofCorner = (figures: Figures, times: number) => (times * enough(figures).slots) / 2 ** figures.dimension

export const FORMULAS: readonly Formula[] = [
  {
    what: 'links of a peer, mean',
    formula: 'd on a full cube, else at most d + 1',
    measured: ({ placing }) => placing.links.mean,
    allowed: figures => figures.dimension + (isFull(figures) ? 0 : 1),
    exactly: onFull,
  },
  {
    what: 'links of a peer, most',
    formula: 'd + 1',
    measured: ({ placing }) => placing.links.most,
    allowed: ({ dimension }) => dimension + 1,
  },
  {
    what: 'hops of a request, most',
    formula: 'd',
    measured: ({ hops }) => hops.most,
    allowed: ({ dimension }) => dimension,
  },
  {
    what: 'hops of a request, mean',
    formula: 'd/2 · N/(N − 1)',
    measured: ({ hops }) => hops.mean,
    // Of pairs drawn by chance the mean is not quite that of all.
    allowed: figures => meanHops(figures) * (figures.hops.isComplete ? 1 : 1 + DRAWN_TOLERANCE),
    exactly: figures =>
      isFull(figures) ? (figures.hops.isComplete ? ROUNDING : 2 * DRAWN_TOLERANCE) : undefined,
  },
  {
    what: 'requests not answered, or sent on in vain',
    formula: '0',
    measured: ({ hops }) => hops.reachable - hops.reached + hops.inVain,
    allowed: () => 0,
  },
  {
    what: 'with 10 % dead: peers that live links reach and requests do not',
    formula: '0',
    measured: ({ losses }) => losses.hops.reachable - losses.hops.reached,
    allowed: () => 0,
  },
  {
    what: 'with 10 % dead: hops, mean',
    formula: 'd/2 · N/(N − 1) + 1/2',
    measured: ({ losses }) => losses.hops.mean,
    allowed: figures => meanHops(figures) + 0.5,
  },
  {
    what: 'with 10 % dead: hops, most',
    formula: 'd + 3',
    measured: ({ losses }) => losses.hops.most,
    allowed: ({ dimension }) => dimension + 3,
  },
  {
    what: 'with 10 % dead: slots with a majority and without a primary',
    formula: '0',
    measured: ({ losses }) => losses.alive - losses.led,
    allowed: () => 0,
  },
  {
    what: 'heartbeat partners of a peer, mean',
    formula: 'd + 1 + 6/N',
    measured: ({ rest }) => rest.partners.mean,
    allowed: ({ dimension, peers }) => dimension + 1 + 6 / peers,
    exactly: everyCorner,
  },
  {
    what: 'heartbeats of a peer per second, mean',
    formula: '(d + 3)/2i + 5/iN',
    measured: ({ rest }) => rest.exchangesPerS.mean,
    allowed: ({ dimension, peers, intervalS }) => (dimension + 3) / (2 * intervalS) + 5 / (intervalS * peers),
    exactly: everyCorner,
  },
  {
    what: 'heartbeat exchanges of a pair in an interval, most',
    formula: '1',
    measured: ({ rest }) => rest.exchangesPerInterval,
    allowed: () => 1,
  },
  {
    what: 'pairs that exchange heartbeats and share neither link nor slot',
    formula: '0',
    measured: ({ rest }) => rest.strangers,
    allowed: () => 0,
  },
  {
    what: 'messages of an idle cube besides heartbeats',
    formula: '0',
    measured: ({ rest }) => rest.otherMessages,
    allowed: () => 0,
  },
  {
    what: 'an event to subscribers on every peer: down to peers without a replica',
    formula: 'N − R',
    measured: ({ events }) => events.followed,
    allowed: figures => figures.peers - replicas(figures),
    exactly: always,
  },
  {
    what: 'an event on one edge between peers, however many subscribers are behind it, most',
    formula: '1',
    measured: ({ events }) => events.followedMost,
    allowed: () => 1,
  },
  {
    what: 'an event: among its replicas',
    formula: '3(R − 1)',
    measured: ({ events }) => events.raft,
    allowed: figures => 3 * (replicas(figures) - 1),
    exactly: always,
  },
  {
    what: 'an event: from the peer that takes it in to the primary and back, for each hop',
    formula: '2',
    measured: ({ events }) => events.publish / events.publishHops,
    allowed: () => 2,
    exactly: always,
  },
  {
    what: 'hops of an event to the primary, most',
    formula: 'd',
    measured: ({ events }) => events.publishHopsMost,
    allowed: ({ dimension }) => dimension,
  },
  {
    what: 'subscribers that did not see each event once, in order',
    formula: '0',
    measured: ({ events }) => events.wrong,
    allowed: () => 0,
  },
  {
    what: 'position marks per second down one trunk, whatever the topics it carries',
    formula: '2',
    measured: ({ events }) => events.marksPerS,
    allowed: () => 1_000 / LIMITS.FOLLOW_MARK_MS,
  },
  {
    what: 'trunks of a peer to those it gets events from, most',
    formula: 'd',
    measured: ({ events }) => events.trunksMost,
    allowed: ({ dimension }) => dimension,
  },
  {
    what: 'share of the homes that one join moves',
    formula: '1/N',
    measured: ({ placing }) => placing.joined.homes,
    allowed: figures => oneNth(figures, figures.placing),
  },
  {
    what: 'share of the replicas that one join moves',
    formula: '5/4 · 1/N',
    measured: figures => enough(figures).joined.replicas,
    allowed: figures => 1.25 * oneNth(figures, enough(figures)),
  },
  {
    what: 'share of the homes that one leaving moves, mean',
    formula: '1/N',
    measured: ({ placing }) => placing.left.mean.homes,
    allowed: ({ peers }) => 1 / peers,
    exactly: always,
  },
  {
    what: 'share of the homes that one leaving moves, most',
    formula: '2/N',
    measured: figures => enough(figures).left.most.homes,
    allowed: figures => 2 * oneNth(figures, enough(figures)),
  },
  {
    what: 'slots a peer is home to, most',
    formula: '2S/2ᵈ',
    measured: figures => enough(figures).homes.most,
    allowed: figures => ofCorner(figures, 2),
  },
  {
    what: 'slots a peer is home to: short of S/2ᵈ, at the one with the fewest',
    formula: '0',
    measured: figures => ofCorner(figures, 1) - enough(figures).homes.least,
    allowed: () => 0,
  },
  {
    what: 'slots a peer has a replica of, most',
    formula: '2RS/2ᵈ',
    measured: figures => enough(figures).replicas.most,
    allowed: figures => ofCorner(figures, 2 * replicas(figures)),
  },
  {
    what: 'ms from a kill of the primary to the acknowledgement of a publish, most',
    formula: `${KILL_MS} + ${KILL_MS_PER_DIMENSION} d`,
    measured: ({ failover }) => failover.killed.most,
    allowed: ({ dimension }) => KILL_MS + KILL_MS_PER_DIMENSION * dimension,
  },
  {
    what: 'ms from the silence of the primary to the acknowledgement of a publish, most',
    formula: `${SILENCE_ELECTIONS} election timeouts`,
    measured: ({ failover }) => failover.silent.most,
    allowed: ({ electionMs }) => SILENCE_ELECTIONS * electionMs,
  },
]

/** Holds every formula against the figures of one cube. */
export function check(figures: Figures, formulas: readonly Formula[] = FORMULAS): Check[] {
  return formulas.map(formula => {
    const measured = formula.measured(figures)
    const allowed = formula.allowed(figures)
    const tolerance = formula.exactly?.(figures)
    const isTooMuch = measured > allowed + ROUNDING
    const isOff = tolerance !== undefined && Math.abs(measured - allowed) > tolerance * Math.max(1, allowed)
    const { peers } = figures
    return {
      formula,
      peers,
      measured,
      allowed,
      isExact: tolerance !== undefined,
      holds: !isTooMuch && !isOff,
    }
  })
}
