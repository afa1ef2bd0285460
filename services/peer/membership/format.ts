import type { Roster } from '../cube/roster.ts'
import { formatOf } from '../cube/roster-format.ts'
import { type Formats, formatFault } from '../engine/formats.ts'
import type { EngineLog } from '../engine/settings.ts'
import { HypercastError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { Dispatcher } from '../links/types.ts'
import { appendChange } from './changes.ts'
import { type WakingOptions, woken } from './woken.ts'

export interface OwnFormatOptions extends WakingOptions {
  readonly uid: string
  /** What this program speaks. */
  readonly formats: Formats
  readonly rosters: { readonly current: Roster }
  readonly dispatcher: Dispatcher
  readonly log: EngineLog
  /** Goes over to a later version of the roster. */
  adopt(roster: Roster): void
  /** The cluster has gone over to a format that this program does not speak: the process must end. */
  unfit(error: HypercastError): void
}

/**
 * A peer that was started with another version of the program says so, until the roster does; with the last one that says
 * it the cluster goes over to the newer format. One whose program the cluster has left behind ends.
 */
export class OwnFormat {
  readonly #options: OwnFormatOptions
  #warned = ''

  constructor(options: OwnFormatOptions) {
    this.#options = options
  }

  /** Sees to it, now and whenever the roster changes, until the peer stops. Never rejects. */
  async watch(): Promise<void> {
    const { signal, formats, rosters, unfit } = this.#options
    let pauseMs: number = LIMITS.JOIN_RETRY_MIN_MS
    while (!signal.aborted) {
      const fault = formatFault(formats, rosters.current)
      if (fault !== undefined) return unfit(new HypercastError('JOIN_REFUSED', fault))
      if (this.#isSaid()) {
        pauseMs = LIMITS.JOIN_RETRY_MIN_MS
        this.#warned = ''
        await woken(this.#options)
        continue
      }
      if (await this.#tell()) continue
      await woken(this.#options, pauseMs)
      pauseMs = Math.min(2 * pauseMs, LIMITS.JOIN_RETRY_MAX_MS)
    }
  }

  /** Also for a peer off the list. */
  #isSaid(): boolean {
    const { uid, formats, rosters } = this.#options
    const own = rosters.current.peers.find(peer => peer.uid === uid)
    return own === undefined || formatOf(own) === formats.newest
  }

  async #tell(): Promise<boolean> {
    const { uid, formats, dispatcher, clock, log, adopt } = this.#options
    const why = 'it runs another version of the program'
    const change = { kind: 'format', uid, format: formats.newest, by: uid, why } as const
    const deadlineMs = clock.monotonicMs() + LIMITS.DEPARTURE_PATIENCE_MS
    try {
      adopt((await appendChange(dispatcher, change, deadlineMs)).roster)
      return true
    } catch (error) {
      // Once for each reason: the attempts go on.
      if (String(error) === this.#warned) return false
      this.#warned = String(error)
      log.warn(
        { format: formats.newest, error: this.#warned },
        'the roster does not know yet which version this peer runs',
      )
      return false
    }
  }
}
