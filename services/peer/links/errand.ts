import type { PeerId } from '../cube/labels.ts'
import type { ErrorCode } from '../errors.ts'
import type { Cancellation } from './router.ts'
import {
  type Forwarded,
  type ForwardedAnswer,
  isUnlogged,
  type Operation,
  type OperationResult,
} from './types.ts'

/** What a client's request came to and the way it took. */
export interface Outcome {
  readonly result: OperationResult
  readonly path: readonly PeerId[]
}

export interface ErrandOptions {
  readonly operation: Operation
  /** Peers that may be able to answer, best first; never empty. */
  readonly targets: readonly PeerId[]
  /** Whether a peer is a replica of the operation's slot: whether one was asked makes the difference between two errors. */
  isReplica(peer: PeerId): boolean
  /** What is left for one more attempt, in milliseconds; nothing when 0 or less. */
  patienceMs(): number
  attempt(forwarded: Forwarded, cancellation: Cancellation): Promise<ForwardedAnswer>
  /** Waits before the next attempt. */
  pause(): Promise<void>
}

/** Refusals that are over soon: worth another attempt while there is time. */
const PASSING: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'CLOCK_SKEW',
  // Said by a primary that has not heard yet that the last peer was restarted with the new version.
  'UPGRADE_UNDER_WAY',
  'STOPPING',
  'NO_PRIMARY',
  'UNREACHABLE',
])

/**
 * One operation at the peer that took it in: attempts, one after the other, until there is an answer or no time.
 * Keeps the account of what is certain: once an attempt may have been appended unseen, a refusal of a later one
 * proves nothing about it, and only an answer given by the log itself is definite.
 */
export class Errand implements Cancellation {
  cancelled = false
  readonly #options: ErrandOptions
  /** No attempt so far can have been appended. */
  #definite = true
  /** An attempt is under way. */
  #underWay = false
  #reached = false
  #refusal: { readonly code: ErrorCode; readonly detail?: string } | undefined
  #attempts = 0
  #hint: PeerId | null = null

  constructor(options: ErrandOptions) {
    this.#options = options
  }

  async run(): Promise<Outcome> {
    for (;;) {
      const patienceMs = this.#options.patienceMs()
      if (patienceMs <= 0 || this.cancelled) return this.givenUp()
      const target = this.#target()
      const answer = await this.#attempt(target, patienceMs)
      if (answer.kind === 'answered' && this.#settles(answer.result)) return answer
      if (!this.#shortCut(answer, target)) await this.#options.pause()
    }
  }

  /** What can be said when no answer came: what is not certain is unknown. */
  givenUp(): Outcome {
    const changes = this.#options.operation.kind === 'append'
    if (changes && (!this.#definite || this.#underWay)) return failure('OUTCOME_UNKNOWN', false)
    if (this.#refusal) return failure(this.#refusal.code, true, this.#refusal.detail)
    return failure(this.#reached ? 'NO_PRIMARY' : 'UNREACHABLE', true)
  }

  async #attempt(target: PeerId, patienceMs: number): Promise<ForwardedAnswer> {
    const { operation, isReplica } = this.#options
    this.#underWay = true
    this.#attempts += 1
    const forwarded = { operation, target, path: [], visited: [], patienceMs }
    const answer = await this.#options.attempt(forwarded, this)
    this.#underWay = false
    if (answer.kind === 'exhausted') {
      this.#definite &&= answer.definite
      this.#reached ||= answer.visited.some(isReplica)
    } else {
      this.#reached = true
    }
    return answer
  }

  /** Whether a result is the end of it. */
  #settles(result: OperationResult): boolean {
    if (result.kind !== 'failed') return this.#definite || !isUnlogged(result)
    const changes = this.#options.operation.kind === 'append'
    if (!result.definite && changes) this.#definite = false
    // The log itself did not speak: an earlier attempt may still be in it.
    if (changes && !this.#definite) return false
    // Perhaps it is an earlier attempt of this same request that is in flight there.
    const ownKey = result.code === 'IDEMPOTENCY_KEY_IN_FLIGHT' && this.#attempts > 1
    if (!ownKey && !PASSING.has(result.code)) return true
    this.#refusal = ownKey ? undefined : result
    return false
  }

  /** The hint of the last answer first, then the targets in turn. */
  #target(): PeerId {
    const { targets } = this.#options
    return this.#hint ?? targets[this.#attempts % targets.length]!
  }

  /** A primary that was named and not aimed at is tried at once. */
  #shortCut(answer: ForwardedAnswer, target: PeerId): boolean {
    const named =
      answer.kind === 'exhausted' && !answer.visited.includes(answer.primary ?? '') ? answer.primary : null
    const isNew = named !== null && named !== target && named !== this.#hint
    this.#hint = named
    return isNew
  }
}

function failure(code: ErrorCode, definite: boolean, detail?: string): Outcome {
  return { result: { kind: 'failed', code, definite, ...(detail !== undefined && { detail }) }, path: [] }
}
