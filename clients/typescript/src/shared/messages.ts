import type { Item } from '../feed.ts'

/**
 * Which leadership a message is of. Terms rise above whatever was heard, never by clocks; of two tabs that took the
 * same number the one with the greater id counts.
 */
export interface Term {
  readonly number: number
  /** The leading tab's id. */
  readonly leader: string
}

/** What tabs tell each other. */
export type Message =
  /** A tab asks whether the leader is there, and says of whom it heard. */
  | { readonly kind: 'ask'; readonly term: Term }
  /** The leader is there, but its stream has no place yet. */
  | { readonly kind: 'leading'; readonly term: Term }
  /** What the leader's stream brought behind the cursor `before`; perhaps nothing. */
  | { readonly kind: 'items'; readonly term: Term; readonly before: string; readonly items: readonly Item[] }

/** What a tab needs of a BroadcastChannel: what one posts all others hear, each sender's messages in order. */
export interface Channel {
  onmessage: ((message: { readonly data: Message }) => void) | null
  postMessage(message: Message): void
  close(): void
}

/** What a tab needs of `navigator.locks` (Web Locks API). */
export interface Locks {
  request(
    name: string,
    options: { readonly signal?: AbortSignal; readonly steal?: boolean },
    callback: () => Promise<void>,
  ): Promise<unknown>
}

/** What tabs share a stream through. */
export interface Surroundings {
  readonly locks: Locks
  channel(name: string): Channel
  /** Calls `tick` again and again. @returns what ends it */
  every(periodMs: number, tick: () => void): () => void
}

/** Where nobody has led yet. */
export const NO_TERM: Term = { number: 0, leader: '' }

/** Below 0 when `one` is older than `other`, 0 when they are the same. */
export function compareTerms(one: Term, other: Term): number {
  if (one.number !== other.number) return one.number - other.number
  return one.leader < other.leader ? -1 : one.leader > other.leader ? 1 : 0
}

/**
 * The browser's own locks and channels; undefined where it has none, as on pages that are neither https nor of this
 * machine.
 */
export function surroundings(): Surroundings | undefined {
  const locks = globalThis.navigator?.locks as Locks | undefined
  if (locks === undefined || typeof globalThis.BroadcastChannel !== 'function') return undefined
  return {
    locks,
    channel: name => new BroadcastChannel(name) as Channel,
    every: (periodMs, tick) => {
      const timer = setInterval(tick, periodMs)
      return () => clearInterval(timer)
    },
  }
}
