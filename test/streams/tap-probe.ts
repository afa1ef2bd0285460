import type { SlotTap, SlotTaps } from '../../services/peer/streams/taps.ts'
import type { SlotPosition } from '../../services/peer/topics/positions.ts'
import type { StoredEvent } from '../../services/peer/topics/types.ts'
import { matchesWant } from '../../services/peer/topics/wants.ts'
import type { SlotLog } from './fake-replica.ts'

/** A tap that holds what it is told against the slot's log. */
export class TapProbe implements SlotTap {
  readonly wants: readonly string[]
  /** What was wrong, in words. */
  readonly wrong: string[] = []
  /** Times it was covered. */
  covers = 0
  readonly #log: SlotLog
  readonly #name: string
  readonly #stop: () => void
  /** Everything wanted behind this was to be told; undefined while nothing is promised. */
  #from: number | undefined
  readonly #told = new Set<number>()
  #isOpen = true

  constructor(log: SlotLog, taps: SlotTaps, peer: string, slot: number, wants: readonly string[]) {
    this.#log = log
    this.wants = wants
    this.#name = `${peer} ${wants}`
    this.#stop = taps.tap(slot, this)
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  covered({ sequence }: SlotPosition): void {
    this.#mustBeOpen('covered')
    this.covers += 1
    this.#from = sequence
    this.#told.clear()
  }

  events(topic: string, events: readonly StoredEvent[]): void {
    this.#mustBeOpen(`events of ${topic}`)
    if (this.#from === undefined) this.wrong.push(`${this.#name}: told of ${topic} before it was covered`)
    if (!this.#matches(topic)) this.wrong.push(`${this.#name}: told of ${topic}`)
    for (const { sequence } of events) {
      this.#hasAllUpTo(sequence - 1, `event ${sequence}`)
      this.#told.add(sequence)
    }
  }

  ended(): void {
    this.#mustBeOpen('ended')
  }

  passed({ sequence }: SlotPosition): void {
    this.#mustBeOpen('passed')
    this.#hasAllUpTo(sequence, `passed ${sequence}`)
  }

  interrupted(): void {
    this.#mustBeOpen('interrupted')
    this.#from = undefined
  }

  /** In the end: it must be covered, and have been told of everything. */
  settle(): void {
    if (!this.#isOpen) return
    if (this.#from === undefined) this.wrong.push(`${this.#name}: not covered`)
    this.#hasAllUpTo(this.#log.machine.slot.sequence, 'the end')
  }

  close(): void {
    this.#isOpen = false
    this.#stop()
  }

  #hasAllUpTo(to: number, when: string): void {
    if (this.#from === undefined) return
    for (const { topic, sequence } of this.#log.sequenced) {
      if (sequence <= this.#from || sequence > to || this.#told.has(sequence)) continue
      if (!this.#matches(topic)) continue
      this.wrong.push(`${this.#name}: ${sequence} of ${topic} is missing behind ${this.#from} at ${when}`)
    }
  }

  #matches(topic: string): boolean {
    return this.wants.some(want => matchesWant(want, topic))
  }

  #mustBeOpen(what: string): void {
    if (!this.#isOpen) this.wrong.push(`${this.#name}: ${what} though it was closed`)
  }
}
