import type { SlotPosition } from '../topics/positions.ts'
import type { StoredEvent } from '../topics/types.ts'
import type { SlotTap } from './taps.ts'

/** What a channel hears of its slots, by their number among them. */
export interface ChannelEar {
  covered(at: number, ...cover: Parameters<SlotTap['covered']>): void
  events(at: number, topic: string, events: readonly StoredEvent[], index: number): void
  ended(at: number, topic: string, incarnation: number, index: number): void
  passed(at: number, position: SlotPosition): void
}

/** A channel's tap on one slot: small, since a peer may have one for each slot of each of thousands of channels. */
export class ChannelTap implements SlotTap {
  readonly wants: readonly string[]
  readonly #at: number
  readonly #ear: ChannelEar

  constructor(at: number, wants: readonly string[], ear: ChannelEar) {
    this.wants = wants
    this.#at = at
    this.#ear = ear
  }

  covered(...cover: Parameters<SlotTap['covered']>): void {
    this.#ear.covered(this.#at, ...cover)
  }

  events(topic: string, events: readonly StoredEvent[], index: number): void {
    this.#ear.events(this.#at, topic, events, index)
  }

  ended(topic: string, incarnation: number, _latest: number, index: number): void {
    this.#ear.ended(this.#at, topic, incarnation, index)
  }

  passed(position: SlotPosition): void {
    this.#ear.passed(this.#at, position)
  }
}
