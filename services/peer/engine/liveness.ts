import type { PeerId } from '../cube/labels.ts'
import type { RosterPeer } from '../cube/roster.ts'
import type { EngineLog, EngineSettings } from './settings.ts'
import type { Beat, Clock, CubeEvent, DialResult } from './types.ts'

/** What this peer believes of another. `unknown` until it was first heard. */
export type PeerState = 'unknown' | 'up' | 'suspected' | 'down'

interface Seen {
  /** The store the roster lists, and where. */
  readonly listed: string
  state: PeerState
  uid: string
  boot: number
  /** Monotonic time of the last sign of life; of the start before the first. */
  heardMs: number
  /** Monotonic time since when it has been up without a break. */
  steadyMs: number
  /** Its wall clock less ours, as of its last beat. */
  skewMs: number
  lowDisk: boolean
  stopping: boolean
  dialing: boolean
  /** A close during a dial asks for one more: the first may have reached the process that was about to end. */
  dialAgain: boolean
}

export interface LivenessOptions {
  readonly clock: Clock
  readonly settings: EngineSettings
  readonly log: EngineLog
  /** Whether heartbeats are exchanged with the peer. */
  isPartner(peer: PeerId): boolean
  dial(peer: PeerId): Promise<DialResult>
  /** Evidence that the process is gone or was replaced. */
  gone(peer: PeerId): void
  event(event: CubeEvent): void
}

/**
 * Who is up, as seen from here. Suspects early (a closed connection causes a fresh dial at once) and takes only a
 * refused dial or a new boot number as evidence that a process is gone; silence alone is judged by the election
 * timeout of each slot (DESIGN 5).
 */
export class Liveness {
  readonly #options: LivenessOptions
  readonly #peers = new Map<PeerId, Seen>()

  constructor(options: LivenessOptions) {
    this.#options = options
  }

  /** The peers there are, besides this one: new ones are unknown, those that are no longer listed are forgotten. */
  list(peers: readonly Pick<RosterPeer, 'id' | 'uid' | 'url'>[]): void {
    const nowMs = this.#options.clock.monotonicMs()
    for (const id of this.#peers.keys()) if (!peers.some(peer => peer.id === id)) this.#peers.delete(id)
    for (const { id, uid, url } of peers) {
      // Another store by that label has a silence of its own, and what is dialled at the old address says nothing of it.
      const listed = `${uid} ${url}`
      if (this.#peers.get(id)?.listed !== listed) this.#peers.set(id, newlyListed(listed, nowMs))
    }
  }

  state(peer: PeerId): PeerState {
    return this.#peers.get(peer)?.state ?? 'unknown'
  }

  /** How long nothing was heard of the peer, or since it was listed, in milliseconds; 0 when it is up. */
  silentForMs(peer: PeerId): number {
    const seen = this.#peers.get(peer)
    if (seen === undefined || seen.state === 'up') return 0
    return this.#options.clock.monotonicMs() - seen.heardMs
  }

  /** How long the peer has been up without a break, in milliseconds; 0 when it is not up or about to stop. */
  steadyForMs(peer: PeerId): number {
    const seen = this.#peers.get(peer)
    return seen && this.stays(peer) ? this.#options.clock.monotonicMs() - seen.steadyMs : 0
  }

  /** Whether the peer is up and means to stay. */
  stays(peer: PeerId): boolean {
    const seen = this.#peers.get(peer)
    return seen?.state === 'up' && !seen.stopping
  }

  /** The peer's wall clock less ours in milliseconds; undefined when it is not up. */
  skewMs(peer: PeerId): number | undefined {
    const seen = this.#peers.get(peer)
    return seen?.state === 'up' ? seen.skewMs : undefined
  }

  lowDisk(peer: PeerId): boolean {
    return this.#peers.get(peer)?.lowDisk ?? false
  }

  /** A beat arrived: the peer lives, perhaps again, perhaps as another process. */
  heard(peer: PeerId, beat: Beat): void {
    const seen = this.#peers.get(peer)
    if (!seen) return
    const { clock } = this.#options
    const replaced = seen.boot !== 0 && (beat.boot !== seen.boot || beat.uid !== seen.uid)
    if (replaced && seen.state !== 'down') {
      this.#lost(peer, seen, 'it started anew')
    }
    if (seen.state !== 'up') {
      const wasKnown = seen.boot !== 0
      seen.state = 'up'
      seen.steadyMs = clock.monotonicMs()
      if (wasKnown) this.#tell('rejoined', peer, replaced ? 'a new process answers' : 'it is heard again')
    }
    seen.uid = beat.uid
    seen.boot = beat.boot
    seen.heardMs = clock.monotonicMs()
    seen.skewMs = beat.nowMs - clock.nowMs()
    seen.lowDisk = beat.lowDisk
    seen.stopping = beat.stopping
  }

  /** A connection to or from the peer closed, or a request to it failed: dial at once, at most one dial at a time. */
  suspect(peer: PeerId): void {
    const seen = this.#peers.get(peer)
    if (!seen || seen.state === 'down') return
    if (seen.dialing) {
      seen.dialAgain = true
      return
    }
    seen.dialing = true
    this.#options.dial(peer).then(
      result => this.#dialed(peer, seen, result),
      () => this.#dialed(peer, seen, 'silent'),
    )
  }

  /** Judges silence; to be called with every tick. Of a peer that is silent because it is no partner any more nothing is believed. */
  tick(): void {
    const { clock, settings, isPartner } = this.#options
    const nowMs = clock.monotonicMs()
    for (const [peer, seen] of this.#peers) {
      const isSilent = nowMs - seen.heardMs > settings.electionMs
      if (!isSilent) continue
      if (!isPartner(peer)) {
        // When it is one again its silence begins then.
        this.#peers.set(peer, newlyListed(seen.listed, nowMs))
      } else if (seen.state === 'up') {
        seen.state = 'suspected'
        this.#tell('suspected', peer, `silent for ${Math.round(nowMs - seen.heardMs)} ms`)
      }
    }
  }

  #dialed(peer: PeerId, seen: Seen, result: DialResult): void {
    // Another store, or another address, is listed by that label now.
    if (this.#peers.get(peer) !== seen) return
    seen.dialing = false
    const again = seen.dialAgain
    seen.dialAgain = false
    if (result === 'refused') this.#lost(peer, seen, 'its port refuses connections')
    else if (again) this.suspect(peer)
  }

  #lost(peer: PeerId, seen: Seen, why: string): void {
    if (seen.state !== 'down' && seen.boot !== 0) this.#tell('failed', peer, why)
    seen.state = 'down'
    this.#options.gone(peer)
  }

  #tell(kind: 'suspected' | 'failed' | 'rejoined', peer: PeerId, why: string): void {
    this.#options.event({ kind, peer, why, timeMs: this.#options.clock.nowMs() })
  }
}

function newlyListed(listed: string, nowMs: number): Seen {
  return {
    listed,
    state: 'unknown',
    uid: '',
    boot: 0,
    heardMs: nowMs,
    steadyMs: nowMs,
    skewMs: 0,
    lowDisk: false,
    stopping: false,
    dialing: false,
    dialAgain: false,
  }
}
