import type { PeerId } from '../cube/labels.ts'
import type { Clock, SlotLogs } from '../engine/types.ts'
import { LIMITS } from '../limits.ts'
import type { OpenFollow } from '../links/follow-wire.ts'
import type { Dispatcher } from '../links/types.ts'
import { RemoteSource } from './remote-source.ts'
import { LocalSource, type TopicSource } from './source.ts'
import { SlotWatch } from './watch.ts'

export interface SourcesOptions {
  readonly self: PeerId
  readonly slots: SlotLogs
  readonly dispatcher: Dispatcher
  readonly clock: Clock
  /** In [0, 1): jitter. */
  readonly random: () => number
  readonly log: { debug(fields: object, message: string): void }
  readonly openFollow: OpenFollow
  /** The slot's replicas in order of distance. */
  readonly replicasOf: (slot: number) => readonly PeerId[]
  /** Events read at a time. */
  readonly replayEvents: number
}

/** Chooses where a topic's events come from: the replica here when there is one, else a replica elsewhere. */
export class Sources {
  readonly #options: SourcesOptions
  readonly #watch: SlotWatch
  /** By slot: the question for its primary that is under way. */
  readonly #asking = new Map<number, Promise<PeerId | null>>()

  constructor(options: SourcesOptions) {
    this.#options = options
    this.#watch = new SlotWatch(options.slots)
  }

  choose(topic: string, slot: number, incarnation: number): TopicSource {
    const { slots, openFollow, dispatcher, clock, random, log, replayEvents } = this.#options
    if (slots.holds(slot)) {
      return new LocalSource({ slots, watch: this.#watch, slot, topic, incarnation, replayEvents })
    }
    return new RemoteSource({
      slot,
      topic,
      incarnation,
      replayEvents,
      replicas: () => this.replicas(slot),
      primary: () => this.#primary(slot, topic),
      isHere: () => slots.holds(slot),
      openFollow,
      dispatcher,
      clock,
      random,
      log,
    })
  }

  /** Other peers the slot is placed on, begun at a different one by each peer, so that the followers spread. */
  replicas(slot: number): readonly PeerId[] {
    const { replicasOf, self } = this.#options
    const all = replicasOf(slot).filter(peer => peer !== self)
    const turn = (Number.parseInt(self, 2) + slot) % Math.max(1, all.length)
    return [...all.slice(turn), ...all.slice(0, turn)]
  }

  /** Asked once for all topics of the slot that want to know it at a time. */
  #primary(slot: number, topic: string): Promise<PeerId | null> {
    const known = this.#asking.get(slot)
    if (known !== undefined) return known
    const asking = this.#ask(slot, topic).finally(() => this.#asking.delete(slot))
    this.#asking.set(slot, asking)
    return asking
  }

  async #ask(slot: number, topic: string): Promise<PeerId | null> {
    const { dispatcher, clock, self } = this.#options
    const deadlineMs = clock.monotonicMs() + LIMITS.STREAM_PATIENCE_MS
    const { result } = await dispatcher.dispatch({ kind: 'describe', slot, topic }, deadlineMs)
    if (result.kind !== 'described' || result.view.primary === self) return null
    return result.view.primary
  }
}
