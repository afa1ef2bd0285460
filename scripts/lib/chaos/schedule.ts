import type { Random } from './random.ts'

/** What a kind of fault is, in words for the report, and how long one lasts. */
interface KindRow {
  readonly what: string
  /** Shortest and longest time until it is healed. */
  readonly leastMs: number
  readonly mostMs: number
  /** Peers it may keep from serving: one, or all. */
  readonly harms: 'one' | 'all'
  /** Why it is not part of a run unless it is asked for. */
  readonly waitsFor?: string
}

const ROSTER = 'waits for the changing roster: a peer that lost its store cannot come back yet'

const table = {
  kill: { what: 'kill -9, started again later', leastMs: 1_500, mostMs: 6_000, harms: 'one' },
  pause: { what: 'SIGSTOP, SIGCONT later', leastMs: 2_000, mostMs: 8_000, harms: 'one' },
  restart: { what: 'SIGTERM, started again at once', leastMs: 0, mostMs: 0, harms: 'one' },
  power: { what: 'kill -9 of all peers at once', leastMs: 200, mostMs: 1_500, harms: 'all' },
  cut: { what: 'one peer cut off from all others', leastMs: 3_000, mostMs: 9_000, harms: 'one' },
  link: {
    what: 'two replicas of a slot cut off from each other',
    leastMs: 3_000,
    mostMs: 9_000,
    harms: 'one',
  },
  deaf: { what: 'nothing of the others reaches a peer', leastMs: 3_000, mostMs: 9_000, harms: 'one' },
  mute: { what: 'nothing of a peer reaches the others', leastMs: 3_000, mostMs: 9_000, harms: 'one' },
  slow: { what: 'the links of a peer slow and narrow', leastMs: 4_000, mostMs: 9_000, harms: 'one' },
  reset: {
    what: 'every connection of a peer reset, again and again',
    leastMs: 500,
    mostMs: 3_000,
    harms: 'one',
  },
  disk: { what: 'the disk of a peer full, freed later', leastMs: 3_000, mostMs: 8_000, harms: 'one' },
  flip: { what: 'bits of a store flipped', leastMs: 3_000, mostMs: 3_000, harms: 'one', waitsFor: ROSTER },
  wipe: { what: 'a store wiped', leastMs: 3_000, mostMs: 3_000, harms: 'one', waitsFor: ROSTER },
} as const satisfies Record<string, KindRow>

export type FaultKind = keyof typeof table

/** Every kind of fault. */
export const FAULT_KINDS: Readonly<Record<FaultKind, KindRow>> = table

/** The kinds of a run that names none. */
export const DEFAULT_KINDS = (Object.keys(table) as FaultKind[]).filter(kind => !FAULT_KINDS[kind].waitsFor)

/** One fault as it was planned. */
export interface Fault {
  readonly kind: FaultKind
  /** The peers it may keep from serving; all of them for a whole cube. */
  readonly victims: readonly string[]
  /** The other end, where it is between two peers. */
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

export interface ScheduleOptions {
  readonly random: Random
  readonly kinds: readonly FaultKind[]
  readonly peers: readonly string[]
  /** The replicas of every slot. */
  readonly placements: readonly (readonly string[])[]
  readonly rounds: number
  /** The peer whose disk can be filled. */
  readonly diskPeer?: string
}

const PAUSE_LEAST_MS = 500
const PAUSE_MOST_MS = 3_000
/** Of the rounds: those with a second fault while the first one lasts or heals. */
const OVERLAP = 0.3
/** Of the first faults of a round: those that hit one chosen peer more often, so that faults meet its recovery. */
const AGAIN = 0.2

/**
 * The rounds of a run. Every kind comes once before any comes again. Two faults overlap only if together they leave
 * every slot a majority; kinds whose victim does not come back happen once, alone, in the last round.
 */
export function makeSchedule(options: ScheduleOptions): Round[] {
  const { random, peers, placements } = options
  const lasting = options.kinds.filter(kind => FAULT_KINDS[kind].waitsFor)
  const passing = options.kinds.filter(kind => !FAULT_KINDS[kind].waitsFor)
  const rounds: Round[] = []
  let bag: FaultKind[] = []
  let last = peers[0]!
  while (passing.length > 0 && rounds.length < options.rounds) {
    if (bag.length === 0) bag = random.shuffle(passing)
    const first = makeFault(options, bag.pop()!, random.chance(AGAIN) ? last : random.pick(peers), 0)
    last = first.victims[0]!
    const faults = [first]
    if (FAULT_KINDS[first.kind].harms === 'one' && random.chance(OVERLAP)) {
      const kinds = passing.filter(kind => FAULT_KINDS[kind].harms === 'one')
      const afterMs = random.whole(0, first.forMs + 2_000)
      const second = makeFault(options, random.pick(kinds), random.pick(peers), afterMs)
      const isOther = !second.victims.some(peer => first.victims.includes(peer))
      if (isOther && leavesMajorities([first, second], placements)) faults.push(second)
    }
    rounds.push({ pauseMs: random.whole(PAUSE_LEAST_MS, PAUSE_MOST_MS), faults })
  }
  const victim = random.pick(peers)
  for (const kind of lasting.slice(0, 1)) {
    rounds.push({ pauseMs: PAUSE_MOST_MS, faults: [makeFault(options, kind, victim, 0)] })
  }
  return rounds
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

function makeFault(options: ScheduleOptions, kind: FaultKind, peer: string, afterMs: number): Fault {
  const { random, peers, placements, diskPeer } = options
  const { harms, leastMs, mostMs } = FAULT_KINDS[kind]
  const common = { kind, afterMs, forMs: random.whole(leastMs, mostMs), strength: random.next() }
  if (harms === 'all') return { ...common, victims: peers }
  if (kind === 'disk') return { ...common, victims: [diskPeer ?? peer] }
  if (kind !== 'link') return { ...common, victims: [peer] }
  // Replicas of one slot: to others a peer finds ways around, and nobody notices.
  const shared = random.pick(placements.filter(replicas => replicas.includes(peer)))
  return { ...common, victims: [peer], other: random.pick(shared.filter(replica => replica !== peer)) }
}
