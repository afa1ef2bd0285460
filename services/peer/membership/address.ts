import type { Rosters } from '../engine/rosters.ts'
import type { EngineLog } from '../engine/settings.ts'
import type { Clock } from '../engine/types.ts'
import { LIMITS } from '../limits.ts'
import type { Dispatcher } from '../links/types.ts'
import { appendChange } from './changes.ts'

export interface AddressOptions {
  readonly uid: string
  /** Where this peer is reached now. */
  readonly url: string
  readonly rosters: Rosters
  readonly dispatcher: Dispatcher
  readonly clock: Clock
  readonly log: EngineLog
  readonly signal: AbortSignal
}

/**
 * A peer that came back at another address says so, until the roster does: the others cannot reach it meanwhile, but it
 * reaches them. Resolves when it is done, or the peer stops. Never rejects.
 */
export async function tellAddress(options: AddressOptions): Promise<void> {
  const { uid, url, rosters, dispatcher, clock, log, signal } = options
  const isListed = () => rosters.current.peers.some(peer => peer.uid === uid && peer.url === url)
  for (let pauseMs: number = LIMITS.JOIN_RETRY_MIN_MS; !signal.aborted && !isListed(); ) {
    try {
      const change = { kind: 'address', uid, url, by: uid, why: 'it came back at another address' } as const
      await appendChange(dispatcher, change, clock.monotonicMs() + LIMITS.DEPARTURE_PATIENCE_MS)
      return
    } catch (error) {
      log.warn({ url, error: String(error) }, 'the roster does not know this address yet')
    }
    await new Promise<void>(resolve => clock.after(pauseMs, resolve))
    pauseMs = Math.min(2 * pauseMs, LIMITS.JOIN_RETRY_MAX_MS)
  }
}
