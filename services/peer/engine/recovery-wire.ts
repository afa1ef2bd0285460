import type { Roster } from '../cube/roster.ts'
import { LIMITS } from '../limits.ts'
import type { Configuration, LogEnd } from '../raft/types.ts'
import { bool, CodecError, list, optional, record, type Shape, text, tuple, uint, variant } from './shapes.ts'
import { configurationShape, soundRoster } from './wire.ts'

/** Version of what peers say to each other about a recovery. */
const RECOVERY_FORMAT = 1

/** What a peer holds of one slot. */
export interface SlotReport {
  readonly slot: number
  /** The own member number. */
  readonly number: number
  readonly term: number
  /** What is known to be committed here. */
  readonly commit: number
  /** Index of the last entry; 0 for a replica that holds nothing. */
  readonly last: number
  /**
   * Where terms begin, ascending: the first at `commit`, with the term there; then those behind it. Of more than
   * LIMITS.RECOVERY_TERMS those that follow the first are not told.
   */
  readonly terms: readonly (readonly [index: number, term: number])[]
  /** Where a log ended that this one stands in for (see HardState). */
  readonly floor?: LogEnd
  readonly configuration: Configuration
  /** This peer leads the slot, and a quorum has just confirmed it. */
  readonly leads: boolean
}

/** As many of a report's terms as are told: the one at `commit`, which others are held against, and the last. */
export function boundedTerms<T>(terms: readonly T[]): readonly T[] {
  const excess = terms.length - LIMITS.RECOVERY_TERMS
  return excess > 0 ? terms.filter((_, at) => at === 0 || at > excess) : terms
}

/** What is left at one peer. */
export interface PeerReport {
  readonly uid: string
  /** The roster it goes by. */
  readonly roster: Roster
  readonly slots: readonly SlotReport[]
  /** Slots of which it has a replica that is of no use: a record of it is corrupt, or it is of an earlier membership. */
  readonly corrupt: readonly number[]
  /** Terms up to which it promised something for slots of which it has no replica any more. */
  readonly promised: readonly (readonly [slot: number, term: number])[]
  /** Labels of the peers asked about that answer it after all, or that it hears. */
  readonly reached: readonly string[]
}

/** Go on alone with one slot. */
export interface GoOn {
  readonly slot: number
  /** Above every term that any peer knows that is left. */
  readonly term: number
  /** The end of the log that was judged; both 0 for a slot of which nobody has a log: it is founded anew. */
  readonly last: number
  readonly lastTerm: number
  /** Version of the roster that was judged: whoever goes by a later one was asked by somebody else since. */
  readonly rosterVersion: number
  /** See RecoverCommand. */
  readonly incarnation: number
  readonly roster?: Roster
}

/** A peer that is said to be lost, and where it was reached. */
export interface LostPeer {
  readonly id: string
  readonly uid: string
  readonly url: string
}

/** What the peer that coordinates a recovery asks of each that is left. */
export type RecoveryAsk =
  /** What it holds, and whether it reaches one of the lost. */
  | { readonly kind: 'report'; readonly lost: readonly LostPeer[] }
  /** Forget what was pulled of snapshots that nobody will complete. */
  | { readonly kind: 'clear'; readonly slots: readonly number[] }
  | { readonly kind: 'goOn'; readonly orders: readonly GoOn[] }
  /** Take the lost off the list. */
  | { readonly kind: 'strike'; readonly lost: readonly LostPeer[]; readonly by: string; readonly why: string }
  /** Go by this roster. */
  | { readonly kind: 'adopt'; readonly roster: Roster }

export type RecoveryAnswer =
  | { readonly kind: 'report'; readonly report: PeerReport }
  | { readonly kind: 'done' }
  /** The roster that came of it. */
  | { readonly kind: 'roster'; readonly roster: Roster }
  /** `code` is one of the error table. */
  | { readonly kind: 'failed'; readonly code: string; readonly detail: string }

const lost = list(record<LostPeer>({ id: text, uid: text, url: text }), 2 ** LIMITS.MAX_DIMENSION)
const slots = list(uint, LIMITS.MAX_SLOTS + 1)
const order = record<GoOn>({
  ...{ slot: uint, term: uint, last: uint, lastTerm: uint, rosterVersion: uint, incarnation: uint },
  roster: optional(soundRoster),
})
const ask = variant<RecoveryAsk, 'kind'>('kind', {
  report: [1, record({ lost })],
  clear: [2, record({ slots })],
  goOn: [3, record({ orders: list(order, LIMITS.RECOVERY_BATCH_SLOTS) })],
  strike: [4, record({ lost, by: text, why: text })],
  adopt: [5, record({ roster: soundRoster })],
})

const pair = tuple<readonly [number, number]>(uint, uint)
const slotReport = record<SlotReport>({
  ...{ slot: uint, number: uint, term: uint, commit: uint, last: uint },
  terms: list(pair, LIMITS.RECOVERY_TERMS),
  floor: optional(record<LogEnd>({ index: uint, term: uint })),
  configuration: configurationShape,
  leads: bool,
})
const report = record<PeerReport>({
  uid: text,
  roster: soundRoster,
  slots: list(slotReport, LIMITS.MAX_SLOTS + 1),
  corrupt: slots,
  promised: list(pair, LIMITS.MAX_SLOTS + 1),
  reached: list(text, 2 ** LIMITS.MAX_DIMENSION),
})
const answer = variant<RecoveryAnswer, 'kind'>('kind', {
  report: [1, record({ report })],
  done: [2, record({})],
  roster: [3, record({ roster: soundRoster })],
  failed: [4, record({ code: text, detail: text })],
})

/** Body of POST /v1/relay/recovery and its answer: rare and small, so they are spoken in JSON. Throw CodecError. */
export const recoveryAskBody = jsonBody<RecoveryAsk>('ask', ask)
export const recoveryAnswerBody = jsonBody<RecoveryAnswer>('answer', answer)

interface JsonBody<T> {
  encode(value: T): Buffer
  decode(body: Uint8Array): T
}

function jsonBody<T>(field: string, shape: Shape<T>): JsonBody<T> {
  return {
    encode: value =>
      Buffer.from(
        JSON.stringify({ version: RECOVERY_FORMAT, [field]: shape.toJson(value, Number.MAX_SAFE_INTEGER) }),
      ),
    decode(body) {
      const said = parse(body) as { readonly version?: unknown } | null
      if (said?.version !== RECOVERY_FORMAT) {
        throw new CodecError(
          `the body must have version ${RECOVERY_FORMAT}: run the same program on all peers`,
        )
      }
      return shape.fromJson((said as Record<string, unknown>)[field], field)
    },
  }
}

function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    throw new CodecError('the body is not JSON')
  }
}
