/** What a kind of fault is, in words for the report, and how long one lasts. */
interface KindRow {
  readonly what: string
  /** Shortest and longest time until it is healed. */
  readonly leastMs: number
  readonly mostMs: number
  /** Peers it may keep from serving: one, or all. */
  readonly harms: 'one' | 'all'
  /** It makes slots move or be rebuilt: the next one of these begins when every slot stands where it belongs. */
  readonly isChange?: true
}

/**
 * Silence after which peers are evicted, in runs that evict: longer than any fault keeps a peer silent that comes back
 * and than a slow machine takes to start one.
 */
export const EVICT_AFTER_MS = 25_000

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
  flip: {
    what: 'bits of a store flipped, and its peer started',
    leastMs: 500,
    mostMs: 2_000,
    harms: 'one',
    isChange: true,
  },
  wipe: {
    what: 'a store wiped, and its peer started',
    leastMs: 500,
    mostMs: 4_000,
    harms: 'one',
    isChange: true,
  },
  move: {
    what: 'a peer stopped and started at another port',
    leastMs: 0,
    mostMs: 3_000,
    harms: 'one',
    isChange: true,
  },
  join: { what: 'a peer joins', leastMs: 500, mostMs: 3_000, harms: 'one', isChange: true },
  leave: { what: 'a peer leaves, its process ends', leastMs: 0, mostMs: 0, harms: 'one', isChange: true },
  evict: {
    what: 'a peer killed for good and evicted, another one joins',
    leastMs: EVICT_AFTER_MS,
    mostMs: EVICT_AFTER_MS + 3_000,
    harms: 'one',
    isChange: true,
  },
} as const satisfies Record<string, KindRow>

export type FaultKind = keyof typeof table

/** Every kind of fault. */
export const FAULT_KINDS: Readonly<Record<FaultKind, KindRow>> = table

/** The kinds of a run that names none: all. */
export const ALL_KINDS = Object.keys(table) as readonly FaultKind[]
