import type { PeerId } from '../cube/labels.ts'
import { type Roster, rosterFault } from '../cube/roster.ts'
import type { Formats } from '../engine/formats.ts'
import { pause } from '../engine/pause.ts'
import type { EngineLog } from '../engine/settings.ts'
import type { Clock } from '../engine/types.ts'
import { HypercastError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { LogStore } from '../store/types.ts'

/** What a peer of the cluster answered, decoded and not yet checked. */
export interface JoinAnswer {
  readonly status: number
  readonly body: unknown
}

export interface JoiningOptions {
  /** Any peer of the cluster. */
  readonly via: string
  readonly url: string
  readonly id?: PeerId
  readonly slots?: number
  /** What this program speaks. */
  readonly formats: Formats
  readonly store: Pick<LogStore, 'identity' | 'writeRoster'>
  /** POST /v1/peers. Rejects when nobody answers in time; it must settle. */
  readonly ask: (via: string, wish: object) => Promise<JoinAnswer>
  /** Which store answers at `via`. Rejects when none does in time. */
  readonly identify: (via: string) => Promise<{ readonly uid: string }>
  readonly clock: Clock
  readonly log: EngineLog
}

/** The cluster does not take this peer in. The message says why and what to do. */
export class JoinError extends HypercastError {
  constructor(detail: string) {
    super('JOIN_REFUSED', detail)
    this.name = 'JoinError'
  }
}

/**
 * An empty store asks a peer of a running cluster to be taken in, until it is. Asked again after a crash, or after an
 * answer was lost, the cluster gives the same answer: the store's uid names the request, so no half-member is left.
 */
export class Joining {
  readonly #options: JoiningOptions
  /** How often the cluster did not reach this peer. */
  #unreached = 0

  constructor(options: JoiningOptions) {
    this.#options = options
  }

  /**
   * Resolves with the roster that lists this store, durable here. Rejects with JoinError when the cluster refuses for
   * good, with the store's error, with the signal's reason when aborted.
   */
  async run(signal: AbortSignal): Promise<Roster> {
    const { store, via, clock, log } = this.#options
    for (
      let pauseMs: number = LIMITS.JOIN_RETRY_MIN_MS;
      ;
      pauseMs = Math.min(2 * pauseMs, LIMITS.JOIN_RETRY_MAX_MS)
    ) {
      signal.throwIfAborted()
      const answer = await this.#ask()
      if ('roster' in answer) {
        await store.writeRoster(answer.roster)
        log.info(
          { via, version: answer.roster.version, clusterId: answer.roster.clusterId },
          'joined the cluster',
        )
        return answer.roster
      }
      log.info({ via, why: answer.why }, 'joining goes on')
      await pause(clock, pauseMs, signal)
    }
  }

  async #ask(): Promise<{ readonly roster: Roster } | { readonly why: string }> {
    const { via, url, id, slots, formats, store, ask } = this.#options
    const { uid } = store.identity
    let answer: JoinAnswer | undefined
    try {
      const isSelf = (await this.#options.identify(via)).uid === uid
      const { newest: format, oldest: oldestFormat } = formats
      const wish = { uid, url, ...(id && { id }), ...(slots && { slots }), format, oldestFormat }
      answer = isSelf ? undefined : await ask(via, wish)
    } catch (error) {
      return { why: `${via} does not answer: ${error instanceof Error ? error.message : String(error)}` }
    }
    if (answer === undefined) {
      throw new JoinError(`${via} is this peer itself: give the URL of a peer of the cluster with --join.`)
    }
    const { status, body } = answer
    if (status === 200 || status === 201) return { roster: readRoster(body, uid, via) }
    const { code, detail } = problemOf(body)
    const why = `${via} answers ${status} ${code}: ${detail}`
    if (code === 'ADDRESS_UNREACHABLE' && ++this.#unreached < LIMITS.JOIN_ADDRESS_ATTEMPTS) return { why }
    if (status >= 500 || status === 429 || PASSING.has(code)) return { why }
    throw new JoinError(`${via} does not let this peer join: ${detail}`)
  }
}

/** Refusals that end by themselves. */
const PASSING: ReadonlySet<string> = new Set(['CHANGE_UNDER_WAY', 'OUTCOME_UNKNOWN', 'NOT_FOUNDED'])

function readRoster(body: unknown, uid: string, via: string): Roster {
  const roster = (body as { roster?: unknown } | null)?.roster
  const fault = rosterFault(roster, LIMITS)
  if (fault !== undefined) throw new JoinError(`${via} answered with a roster that is none: ${fault}.`)
  const sound = roster as Roster
  if (sound.peers.some(peer => peer.uid === uid)) return sound
  throw new JoinError(`${via} answered with a roster that does not name this store.`)
}

function problemOf(body: unknown): { readonly code: string; readonly detail: string } {
  const { code, detail } = (body ?? {}) as { code?: unknown; detail?: unknown }
  return {
    code: typeof code === 'string' ? code : 'no code',
    detail: typeof detail === 'string' ? detail : 'it gives no reason',
  }
}
