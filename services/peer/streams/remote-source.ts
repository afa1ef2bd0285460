import type { PeerId } from '../cube/labels.ts'
import { pause } from '../engine/pause.ts'
import type { Clock } from '../engine/types.ts'
import { LIMITS } from '../limits.ts'
import type { FollowFrame, OpenFollow } from '../links/follow-wire.ts'
import type { Dispatcher } from '../links/types.ts'
import type { StoredEvent } from '../topics/types.ts'
import type { Slice, SourceTarget, TopicSource } from './source.ts'

export interface RemoteSourceOptions {
  readonly slot: number
  readonly topic: string
  readonly incarnation: number
  /** Events read at a time. */
  readonly replayEvents: number
  /** Peers the slot's replicas are placed on, the one to try first first. */
  readonly replicas: () => readonly PeerId[]
  /** Who leads the slot, if somebody can say; another peer than this one. Never rejects. */
  readonly primary: () => Promise<PeerId | null>
  /** A replica of the slot is here. */
  readonly isHere: () => boolean
  readonly openFollow: OpenFollow
  readonly dispatcher: Dispatcher
  readonly clock: Clock
  readonly random: () => number
  readonly log: { debug(fields: object, message: string): void }
}

/**
 * The topic's events from a replica elsewhere, by one stream for all subscribers here. When the stream breaks, or its
 * replica is cut off from the primary, it goes on at the next replica from its own position: offsets make sure that
 * nothing is missed and nothing comes twice, also when that replica lags. A slot moves some time after its placement
 * has changed: meanwhile those it is placed on refuse, and others are tried that hold it still.
 */
export class RemoteSource implements TopicSource {
  readonly #options: RemoteSourceOptions
  readonly #abort = new AbortController()
  #earliest = 1
  #led = true
  #leaderlessMarks = 0
  /** The stream under way, or the last one, gave more than its opening. */
  #useful = false
  /** The last replica that was of use. */
  #served: PeerId | undefined
  /** The slot's primary, when it was asked for. */
  #primary: PeerId | null = null

  constructor(options: RemoteSourceOptions) {
    this.#options = options
  }

  get misplaced(): boolean {
    return this.#options.isHere()
  }

  start(target: SourceTarget): void {
    void this.#run(target)
  }

  async read(from: number): Promise<Slice | null> {
    const { slot, topic, incarnation, dispatcher, clock, replayEvents } = this.#options
    const deadlineMs = clock.monotonicMs() + LIMITS.STREAM_PATIENCE_MS
    const { result } = await dispatcher.dispatch(
      {
        kind: 'read',
        slot,
        topic,
        incarnation,
        from,
        maxEvents: replayEvents,
        maxBytes: LIMITS.REPLAY_BYTES,
      },
      deadlineMs,
    )
    return result.kind === 'events' ? result : null
  }

  state(): { readonly earliest: number; readonly led: boolean } {
    return { earliest: this.#earliest, led: this.#led }
  }

  close(): void {
    this.#abort.abort()
  }

  async #run(target: SourceTarget): Promise<void> {
    const { clock, random, log, slot, topic } = this.#options
    const { signal } = this.#abort
    for (let failures = 0, turn = 0; !signal.aborted; turn += 1) {
      // Not while a stream runs, which is as good as the replica here; but the last replica elsewhere may be gone.
      if (this.misplaced) {
        target.move()
        return
      }
      const peers = this.#peers()
      const peer = peers[turn % peers.length]
      this.#useful = false
      try {
        if (peer !== undefined) await this.#follow(peer, target)
      } catch (error) {
        if (!signal.aborted) log.debug({ slot, topic, peer, error: String(error) }, 'a followed stream broke')
      }
      if (signal.aborted) return
      if (this.#useful) this.#served = peer
      failures = this.#useful ? 0 : failures + 1
      if (failures > 0 && failures % Math.max(1, peers.length) === 0) this.#askPrimary()
      // Each has a try before any of them is given time.
      const rounds = Math.max(0, failures - peers.length)
      const longestMs = Math.min(LIMITS.RETRY_MAX_MS, LIMITS.RETRY_MIN_MS * 2 ** rounds)
      await pause(clock, longestMs * random(), signal)
    }
  }

  /** Who may hold the slot: those it is placed on, then who held it last as far as is known here. */
  #peers(): readonly PeerId[] {
    const beside = [this.#served, this.#primary].filter(peer => peer !== undefined && peer !== null)
    return [...new Set([...this.#options.replicas(), ...beside])]
  }

  #askPrimary(): void {
    void this.#options.primary().then(primary => {
      this.#primary = primary
    })
  }

  /** Follows `peer` until it ends or must be left; throws when the stream breaks. */
  async #follow(peer: PeerId, target: SourceTarget): Promise<void> {
    const { slot, topic, incarnation, openFollow } = this.#options
    this.#leaderlessMarks = 0
    const from = target.head + 1
    const stream = openFollow(peer, { slot, topic, incarnation, from }, this.#abort.signal)
    for await (const frames of stream) {
      if (this.#abort.signal.aborted) return
      this.#take(target, frames)
      if (this.#leaderlessMarks >= LIMITS.MAX_LEADERLESS_MARKS) return
    }
  }

  #take(target: SourceTarget, frames: readonly FollowFrame[]): void {
    const events: StoredEvent[] = []
    for (const frame of frames) {
      if (frame.kind !== 'state') this.#useful = true
      switch (frame.kind) {
        case 'event':
          if (frame.event.incarnation === this.#options.incarnation) events.push(frame.event)
          break
        case 'mark':
          this.#earliest = Math.max(this.#earliest, frame.earliest)
          this.#led = frame.led
          this.#leaderlessMarks = frame.led ? 0 : this.#leaderlessMarks + 1
          break
        case 'state':
          this.#earliest = Math.max(this.#earliest, frame.earliest)
          break
        case 'gap':
          target.publish(events.splice(0))
          if (frame.to > target.head) target.jump(frame.to)
          break
        case 'ended':
          target.publish(events.splice(0))
          target.end(null)
          this.close()
          return
      }
    }
    if (events.length > 0) target.publish(events)
  }
}
