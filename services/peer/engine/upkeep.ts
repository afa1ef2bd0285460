import type { PeerId } from '../cube/labels.ts'
import { LIMITS } from '../limits.ts'
import type { LogStore } from '../store/types.ts'
import { planTrim, type RunReader, type Trim } from '../topics/retention.ts'
import type { Request } from '../topics/types.ts'
import { heldBack } from './formats.ts'
import type { Liveness } from './liveness.ts'
import type { Reclaim } from './reclaim.ts'
import type { Rosters } from './rosters.ts'
import type { EngineLog, EngineSettings } from './settings.ts'
import type { Slot } from './slot.ts'
import { type Clock, SlotError } from './types.ts'

/** Between two looks at retention, disk space and what is left to delete. */
const UPKEEP_EVERY_MS = 1_000

/** Disk that an entry's byte may take until the disk is looked at again: its page, and the pages above it twice. */
const WRITE_COST = 2

/** How long a retention command may take to be applied. */
const TRIM_PATIENCE_MS = 5_000

export interface UpkeepOptions {
  readonly self: PeerId
  readonly slots: ReadonlyMap<number, Slot>
  readonly store: LogStore
  readonly reclaim: Reclaim
  readonly liveness: Liveness
  readonly rosters: Rosters
  readonly clock: Clock
  readonly settings: EngineSettings
  readonly log: EngineLog
  /** Hands rows of `slot` that are applied but not written yet to the store. */
  write(slot: Slot): void
  /** The store failed, or a record of the slot is bad. */
  failed(slot: Slot, error: unknown): void
}

/** What a peer does on the side: retention of the topics it is primary of, deletion in slices, watching its disk and clock. */
export class Upkeep {
  readonly #options: UpkeepOptions
  readonly #trimming = new Set<number>()
  /** Slots with a sweep that is not done. */
  readonly #sweeping = new Set<number>()
  /** The last topic looked at, by slot; the next round goes on behind it. */
  readonly #lookedAt = new Map<number, string>()
  #cancel: (() => void) | undefined
  #wasLow = false
  /** When the disk was last looked at, and what was written since. */
  #freeBytes = Number.POSITIVE_INFINITY
  #writtenBytes = 0

  constructor(options: UpkeepOptions) {
    this.#options = options
  }

  /** The disk is below its reserve: publishes are refused, everything else goes on. */
  get lowDisk(): boolean {
    return this.#freeBytes - WRITE_COST * this.#writtenBytes < this.#options.settings.diskReserveBytes
  }

  /** So many bytes of entries were handed to the store: the disk is not looked at for each of them. */
  written(bytes: number): void {
    this.#writtenBytes += bytes
  }

  /** Why the primary of a slot may not stamp a command of this kind; undefined when it may. */
  stampRefusal(slot: Slot, kind: Request['kind']): 'DISK_FULL' | 'CLOCK_SKEW' | undefined {
    // What frees space, or may, goes on: trims above all, or a full disk would stay full.
    if ((kind === 'publish' || kind === 'create') && this.#isShortOfDisk(slot)) return 'DISK_FULL'
    return this.#options.reclaim.clockIsWrong(slot) ? 'CLOCK_SKEW' : undefined
  }

  start(): void {
    this.#round()
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  #round(): void {
    const { clock, slots, store } = this.#options
    this.#cancel = clock.after(UPKEEP_EVERY_MS, () => this.#round())
    this.#watchDisk()
    for (const slot of store.leftovers()) this.#sweepLeftovers(slot)
    for (const slot of slots.values()) {
      this.#sweep(slot)
      if (slot.isPrimary && !this.#trimming.has(slot.slot)) {
        this.#trimming.add(slot.slot)
        this.#trim(slot)
          .catch(error => this.#trimFailed(slot, error))
          .finally(() => this.#trimming.delete(slot.slot))
      }
    }
  }

  #trimFailed(slot: Slot, error: unknown): void {
    // A barrier or proposal that failed leaves nothing to do: the next primary, or the next round, plans again.
    if (error instanceof SlotError)
      this.#options.log.debug({ slot: slot.slot, error: error.message }, 'retention put off')
    else this.#options.failed(slot, error)
  }

  #watchDisk(): void {
    const { store, settings, log } = this.#options
    const { freeBytes } = store.space()
    this.#freeBytes = freeBytes
    this.#writtenBytes = 0
    const isLow = this.lowDisk
    if (isLow !== this.#wasLow) {
      log.warn(
        { freeBytes, reserveBytes: settings.diskReserveBytes },
        isLow ? 'disk below reserve' : 'disk has room again',
      )
    }
    this.#wasLow = isLow
  }

  /** This peer, or so many of the others that a majority has no room. */
  #isShortOfDisk({ succession }: Slot): boolean {
    const { self, liveness } = this.#options
    const low = succession.filter(id => (id === self ? this.lowDisk : liveness.lowDisk(id)))
    const majority = Math.floor(succession.length / 2) + 1
    return low.includes(self) || succession.length - low.length < majority
  }

  /** Of replicas that were dropped: a slice a round, there is no hurry. */
  #sweepLeftovers(slot: number): void {
    if (!this.#options.slots.has(slot)) this.#options.store.sweep(slot, LIMITS.SWEEP_SLICE)
  }

  /** Slice after slice until nothing is left, with pauses for everybody else. */
  #sweep(slot: Slot): void {
    if (this.#sweeping.has(slot.slot) || this.#options.slots.get(slot.slot) !== slot) return
    try {
      if (this.#options.store.sweep(slot.slot, LIMITS.SWEEP_SLICE)) return
      this.#sweeping.add(slot.slot)
      this.#options.clock.after(LIMITS.SWEEP_PAUSE_MS, () => {
        this.#sweeping.delete(slot.slot)
        if (this.#cancel) this.#sweep(slot)
      })
    } catch (error) {
      this.#options.failed(slot, error)
    }
  }

  /** Looks at the next few topics of a slot: a round stays short however many there are. */
  async #trim(slot: Slot): Promise<void> {
    const page = slot.machine.topics(this.#lookedAt.get(slot.slot) ?? '', LIMITS.TRIM_TOPICS_PER_ROUND)
    this.#lookedAt.set(slot.slot, page.length < LIMITS.TRIM_TOPICS_PER_ROUND ? '' : page.at(-1)!.name)
    for (const { name } of page) {
      for (let trims = 0; trims < LIMITS.MAX_TRIMS_PER_ROUND && this.#plan(slot, name, 1); trims++) {
        if (!(await this.#trimTopic(slot, name))) break
      }
    }
  }

  /** False when there is nothing to trim after all. */
  async #trimTopic(slot: Slot, topic: string): Promise<boolean> {
    const { clock, reclaim, rosters } = this.#options
    const deadlineMs = clock.monotonicMs() + TRIM_PATIENCE_MS
    // Plans only on a state that holds every earlier primary's trims, so that none is counted twice.
    await slot.appends.barrier(deadlineMs)
    if (reclaim.clockIsWrong(slot)) return false
    const incarnation = slot.machine.topic(topic)?.incarnation
    const trim = this.#plan(slot, topic, LIMITS.TRIM_SLICE_RUNS)
    if (incarnation === undefined || trim === undefined) return false
    const request = { kind: 'trim', topic, incarnation, ...trim } as const
    const { sequence: _, ...older } = request
    // Retention does not wait for the last peer to be upgraded.
    const known = heldBack(request, rosters.current) === undefined ? request : older
    await slot.appends.append(known, deadlineMs)
    return true
  }

  #plan(slot: Slot, name: string, maxRuns: number): Trim | undefined {
    const topic = slot.machine.topic(name)
    if (topic === undefined) return undefined
    const { clock, store, write } = this.#options
    write(slot)
    const readRuns: RunReader = (offset, limit) => store.runs(slot.slot, topic.incarnation, offset, limit)
    return planTrim(topic, clock.nowMs(), readRuns, maxRuns)
  }
}
