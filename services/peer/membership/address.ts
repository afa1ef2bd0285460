import type { PeerId } from '../cube/labels.ts'
import type { Roster } from '../cube/roster.ts'
import type { EngineLog } from '../engine/settings.ts'
import { LIMITS } from '../limits.ts'
import type { Dispatcher } from '../links/types.ts'
import { appendChange } from './changes.ts'
import { type WakingOptions, woken } from './woken.ts'

export interface AddressOptions extends WakingOptions {
  readonly uid: string
  /** Where this peer is reached now, as far as it knows. */
  readonly url: string
  /** Names this process, apart from others that run on a copy of its store. */
  readonly run: string
  readonly rosters: { readonly current: Roster }
  readonly dispatcher: Dispatcher
  readonly log: EngineLog
  /** Asks whoever answers at `url` who it is. Rejects when nobody does in time. */
  identify(url: string): Promise<{ readonly uid: string; readonly run: string }>
  /** Goes over to a later version of the roster. */
  adopt(roster: Roster): void
  /** Asks a peer for the roster it goes by; a later version is gone over to. */
  askForRoster(peer: PeerId): void
  /** Calls `listener` with every version of the roster this peer goes over to. Returns the way to stop. */
  onRoster(listener: () => void): () => void
}

/**
 * A peer that came back at another address says so, until the roster does: the others cannot reach it meanwhile, but it
 * reaches them. So does one whose address the roster gave away, to a peer that had taken the one it was listed at. It
 * says only what it has tried: that it is itself who answers there, so that nobody loses an address by a mistake.
 */
export class OwnAddress {
  readonly #options: AddressOptions
  #pauseMs: number = LIMITS.JOIN_RETRY_MIN_MS
  #triedMs = Number.NEGATIVE_INFINITY
  #asked = 0
  #warned = ''

  constructor(options: AddressOptions) {
    this.#options = options
  }

  /** Sees to it, now and whenever the roster changes, until the peer stops. Never rejects. */
  async watch(): Promise<void> {
    const { signal } = this.#options
    while (!signal.aborted) {
      if (this.#isSaid()) {
        await woken(this.#options)
        continue
      }
      await this.#rest()
      if (!signal.aborted && !this.#isSaid()) await this.#tell()
    }
  }

  /** Also for a peer off the list: it has no address there to correct. One that it was given is right when it says so. */
  #isSaid(): boolean {
    const { uid, url, rosters } = this.#options
    const own = rosters.current.peers.find(peer => peer.uid === uid)
    return own === undefined || (own.url === url && !own.given)
  }

  /** Pauses grow while one attempt follows another, failed or undone by a peer that claims the same address. */
  async #rest(): Promise<void> {
    const { clock } = this.#options
    const sinceMs = clock.monotonicMs() - this.#triedMs
    if (sinceMs >= 2 * LIMITS.JOIN_RETRY_MAX_MS) {
      this.#pauseMs = LIMITS.JOIN_RETRY_MIN_MS
      this.#warned = ''
    } else if (sinceMs < this.#pauseMs) await woken(this.#options, this.#pauseMs - sinceMs)
    this.#pauseMs = Math.min(2 * this.#pauseMs, LIMITS.JOIN_RETRY_MAX_MS)
    this.#triedMs = clock.monotonicMs()
  }

  async #tell(): Promise<void> {
    const { uid, url, rosters, dispatcher, clock, adopt, signal } = this.#options
    const mistake = (await this.#mistake()) ?? (await this.#held())
    if (signal.aborted) return
    if (mistake !== undefined) {
      this.#warn(mistake, 'this peer is not found at the address it gives to the others: correct --advertise')
      return
    }
    try {
      const why = 'it came back at another address'
      const displaced = displacedBy(rosters.current, url, uid)
      const change = { kind: 'address', uid, url, ...displaced, by: uid, why } as const
      const deadlineMs = clock.monotonicMs() + LIMITS.DEPARTURE_PATIENCE_MS
      adopt((await appendChange(dispatcher, change, deadlineMs)).roster)
    } catch (error) {
      this.#warn(String(error), 'the roster does not know this address yet')
      this.#refresh()
    }
  }

  /** Perhaps somebody else is listed there by now, which nobody tells this peer at its old address. */
  #refresh(): void {
    const { uid, rosters, askForRoster } = this.#options
    const others = rosters.current.peers.filter(peer => peer.uid !== uid)
    const next = others[this.#asked++ % Math.max(1, others.length)]
    if (next) askForRoster(next.id)
  }

  /** Who answers at the address in place of this process; undefined when it is this one. */
  async #mistake(): Promise<string | undefined> {
    const { uid, url, run, identify } = this.#options
    try {
      const found = await identify(url)
      if (found.uid !== uid) return `another store answers there (uid ${found.uid})`
      return found.run === run ? undefined : 'another process answers there, on a copy of this store'
    } catch (error) {
      return `nobody answers there: ${error instanceof Error ? error.message : String(error)}`
    }
  }

  /** Another peer that is found at the address, by whoever connects to it there; undefined when none is. */
  async #held(): Promise<string | undefined> {
    const { url, uid, rosters, dispatcher, clock } = this.#options
    const holder = rosters.current.peers.find(peer => peer.url === url && peer.uid !== uid)
    if (holder === undefined) return undefined
    const deadlineMs = clock.monotonicMs() + LIMITS.JOIN_RETRY_MAX_MS
    const { result } = await dispatcher.dispatch({ kind: 'ping', peer: holder.id }, deadlineMs)
    // It may be reached elsewhere by now, where it says itself that it is.
    const isThere = result.kind === 'pong' && (result.url ?? url) === url
    return isThere ? `peer ${holder.id} is reached there by the others` : undefined
  }

  /** Once for each reason: the attempts go on. */
  #warn(error: string, message: string): void {
    if (error === this.#warned) return
    this.#warned = error
    this.#options.log.warn({ url: this.#options.url, error }, message)
  }
}

/** Names the store that is displaced when `uid` goes to `url`, if another peer is listed there. */
export function displacedBy({ peers }: Roster, url: string, uid: string): { readonly displaces?: string } {
  const holder = peers.find(peer => peer.url === url && peer.uid !== uid)
  return holder === undefined ? {} : { displaces: holder.uid }
}
