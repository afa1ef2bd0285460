import { FAULT_KINDS, type FaultKind } from './kinds.ts'
import type { Random } from './random.ts'
import type { RosterView } from './roster-view.ts'

/** One fault as it was planned. */
export interface Fault {
  readonly kind: FaultKind
  /** The peers it may keep from serving; all of them for a whole cube. */
  readonly victims: readonly string[]
  /** The other end, where it is between two peers; the one that joins, where somebody goes before. */
  readonly other?: string
  /** Begins so long after its round. */
  readonly afterMs: number
  /** Is healed so long after its beginning. */
  readonly forMs: number
  /** Decides what is left open: how slow, how full. */
  readonly strength: number
}

/** Faults that overlap. The next round begins when the cube has healed of this one, and a pause later. */
export interface Round {
  readonly pauseMs: number
  readonly faults: readonly Fault[]
}

/** The cube as it is when a round is planned: whole, every slot where it belongs. */
export interface Situation {
  readonly roster: RosterView
  /** Machines that were part of the cube and have left it. */
  readonly away: readonly string[]
  /** The name of a machine that was no part of it yet. */
  readonly fresh: string
}

export interface ScheduleOptions {
  readonly random: Random
  readonly kinds: readonly FaultKind[]
  /** Peers of the cube: one more may join, and one leave, before that is made up for. */
  readonly size: number
  /** The peer whose disk can be filled; it stays, since nobody else has such a disk. */
  readonly diskPeer?: string
}

const PAUSE_LEAST_MS = 500
const PAUSE_MOST_MS = 3_000
/** Of the rounds: those with a second fault while the first one lasts or heals. */
const OVERLAP = 0.3
/** The same where slots move meanwhile. */
const OVERLAP_OF_CHANGES = 0.6
/** Of the first faults of a round: those that hit one chosen peer more often, so that faults meet its recovery. */
const AGAIN = 0.2
/** Of those that join: those that were part of the cube before, when there are such. */
const RETURNING = 0.5
const MAX_SECOND_AFTER_MS = 2_000

/**
 * The rounds of a run, one by one, each planned on the cube as it then is. Every kind comes once before any comes
 * again. Two faults overlap only if together they leave every slot a majority, under every roster that there may be
 * meanwhile; at most one of them makes slots move.
 */
export class Schedule {
  readonly #options: ScheduleOptions
  #bag: FaultKind[] = []
  #last: string | undefined

  constructor(options: ScheduleOptions) {
    this.#options = options
  }

  next(situation: Situation): Round {
    const { random, kinds } = this.#options
    if (this.#bag.length === 0) this.#bag = random.shuffle(kinds)
    const first = this.#first(this.#bag.pop()!, situation)
    this.#last = first.victims[0]
    const second = this.#second(first, situation)
    return {
      pauseMs: random.whole(PAUSE_LEAST_MS, PAUSE_MOST_MS),
      faults: second ? [first, second] : [first],
    }
  }

  /** Where the cube may neither grow nor shrink any more, the opposite happens. */
  #first(kind: FaultKind, situation: Situation): Fault {
    const { size } = this.#options
    const grown = situation.roster.corners.length - size
    if (kind === 'join' && grown > 0) return this.#fault('leave', situation, 0)
    if (kind === 'leave' && grown < 0) return this.#fault('join', situation, 0)
    return this.#fault(kind, situation, 0)
  }

  #second(first: Fault, { roster, ...others }: Situation): Fault | undefined {
    const { random, kinds } = this.#options
    const { harms, isChange } = FAULT_KINDS[first.kind]
    const passing = kinds.filter(kind => FAULT_KINDS[kind].harms === 'one' && !FAULT_KINDS[kind].isChange)
    if (harms === 'all' || passing.length === 0) return undefined
    if (!random.chance(isChange ? OVERLAP_OF_CHANGES : OVERLAP)) return undefined
    const afterMs = random.whole(0, first.forMs + MAX_SECOND_AFTER_MS)
    const second = this.#fault(random.pick(passing), { roster, ...others }, afterMs)
    const isOther = !second.victims.some(peer => first.victims.includes(peer))
    const keeps = rostersOf(first, roster).every(view => leavesMajorities([first, second], view.placements))
    return isOther && keeps ? second : undefined
  }

  #fault(kind: FaultKind, { roster, away, fresh }: Situation, afterMs: number): Fault {
    const { random, diskPeer } = this.#options
    const { leastMs, mostMs } = FAULT_KINDS[kind]
    const common = { kind, afterMs, forMs: random.whole(leastMs, mostMs), strength: random.next() }
    const newcomer = away.length > 0 && random.chance(RETURNING) ? random.pick(away) : fresh
    const goes = kind === 'leave' || kind === 'evict'
    const peers = roster.names.filter(name => !goes || name !== diskPeer)
    const isAgain = random.chance(AGAIN) && afterMs === 0
    const peer = isAgain && peers.includes(this.#last!) ? this.#last! : random.pick(peers)
    switch (kind) {
      case 'power':
        return { ...common, victims: roster.names }
      case 'disk':
        return { ...common, victims: [diskPeer ?? peer] }
      case 'join':
        return { ...common, victims: [newcomer] }
      case 'evict':
        return { ...common, victims: [peer], other: newcomer }
      case 'link': {
        // Replicas of one slot: to others a peer finds ways around, and nobody notices.
        const shared = random.pick(roster.placements.filter(replicas => replicas.includes(peer)))
        return { ...common, victims: [peer], other: random.pick(shared.filter(other => other !== peer)) }
      }
      default:
        return { ...common, victims: [peer] }
    }
  }
}

/** The rosters there may be while a fault lasts and heals, from the one before it on. */
export function rostersOf({ kind, victims, other }: Fault, before: RosterView): RosterView[] {
  const [peer] = victims as readonly [string]
  switch (kind) {
    case 'join':
      return [before, before.with(peer)]
    case 'leave':
      return [before, before.without(peer)]
    case 'evict':
      return [before, before.without(peer), before.without(peer).with(other!)]
    default:
      return [before]
  }
}

/** Whether every slot keeps a majority of replicas that no fault harms; a whole-cube fault is not counted. */
export function leavesMajorities(
  faults: readonly Fault[],
  placements: readonly (readonly string[])[],
): boolean {
  const harmed = new Set(
    faults.filter(fault => FAULT_KINDS[fault.kind].harms === 'one').flatMap(fault => fault.victims),
  )
  return placements.every(replicas => replicas.filter(peer => !harmed.has(peer)).length > replicas.length / 2)
}
