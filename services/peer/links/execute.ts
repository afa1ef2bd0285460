import type { PeerId } from '../cube/labels.ts'
import { isLevel } from '../engine/mover.ts'
import { SlotError, type SlotFailure, type SlotLogs } from '../engine/types.ts'
import { LIMITS } from '../limits.ts'
import type { RaftStatus } from '../raft/types.ts'
import { isLevelWith } from '../topics/positions.ts'
import { overOf } from './slot-operations.ts'
import type { Operation, OperationResult } from './types.ts'

/**
 * What came of an operation on this peer: `done`, or it belongs elsewhere. `definite` is false when it was appended
 * here and its fate was not seen.
 */
export type LocalOutcome =
  | { readonly kind: 'done'; readonly result: OperationResult }
  | { readonly kind: 'notHere'; readonly primary: PeerId | null; readonly definite: boolean }

type Read = Operation & { readonly kind: 'read' }
type OffsetAt = Operation & { readonly kind: 'offsetAt' }
type ReadSlot = Operation & { readonly kind: 'readSlot' }
type PlaceSlot = Operation & { readonly kind: 'placeSlot' }
type List = Operation & { readonly kind: 'list' }

const NOT_HERE: LocalOutcome = { kind: 'notHere', primary: null, definite: true }

/** Runs operations on the slots this peer holds, and those that are about the peer itself. */
export class Executor {
  readonly #self: PeerId
  readonly #url: string
  readonly #slots: SlotLogs
  readonly #listeners: (topic: string) => number

  /**
   * @param url where this peer is reached
   * @param listeners how many streams of clients here get the topic's events
   */
  constructor(self: PeerId, url: string, slots: SlotLogs, listeners: (topic: string) => number) {
    this.#self = self
    this.#url = url
    this.#slots = slots
    this.#listeners = listeners
  }

  /** Whether this peer holds what the operation is about, so that asking it makes sense. */
  holds(operation: Operation): boolean {
    if ('peer' in operation) return operation.peer === this.#self
    if (operation.kind === 'list') return operation.slots.every(slot => this.#slots.holds(slot))
    return this.#slots.holds(operation.slot)
  }

  /** Until `deadlineMs` (monotonic). Rejects only for defects: what can go wrong is an outcome. */
  async execute(operation: Operation, deadlineMs: number): Promise<LocalOutcome> {
    if (!this.holds(operation)) {
      return { kind: 'notHere', primary: this.#primaryKnown(operation), definite: true }
    }
    try {
      switch (operation.kind) {
        case 'append': {
          const appended = await this.#slots.append(operation.slot, operation.request, deadlineMs)
          return done({ kind: 'appended', ...appended, primary: this.#self })
        }
        case 'describe':
          await this.#slots.barrier(operation.slot, deadlineMs)
          return done({ kind: 'described', view: this.#view(operation.slot, operation.topic) })
        case 'members':
          await this.#slots.barrier(operation.slot, deadlineMs)
          return done(this.#members(operation.slot))
        case 'ping':
          return done({ kind: 'pong', url: this.#url })
        case 'listeners':
          return done({ kind: 'listeners', count: this.#listeners(operation.topic) })
        case 'read':
          return this.#read(operation)
        case 'offsetAt':
          return this.#offsetAt(operation)
        case 'list':
          return done(this.#list(operation))
        case 'readSlot':
          return this.#readSlot(operation)
        case 'placeSlot':
          if (operation.fresh) await this.#slots.barrier(operation.slot, deadlineMs)
          return done(await this.#placeSlot(operation))
        case 'glance':
          return done({ kind: 'described', view: this.#view(operation.slot, operation.topic) })
      }
    } catch (error) {
      if (error instanceof SlotError) return this.#withHint(operation, outcomeOf(error.failure))
      throw error
    }
  }

  /** A replica that cannot answer itself, because it stops for one, may still know who can. */
  #withHint(operation: Operation, outcome: LocalOutcome): LocalOutcome {
    if (outcome.kind === 'done' || outcome.primary !== null || !('slot' in operation)) return outcome
    // The slot may have been taken out of service meanwhile.
    if (!this.holds(operation)) return outcome
    const { primary } = this.#slots.status(operation.slot)
    return primary === this.#self ? outcome : { ...outcome, primary }
  }

  /** A replica that is still catching up serves nothing, and knows whom it follows. */
  #primaryKnown(operation: Operation): PeerId | null {
    if (!('slot' in operation)) return null
    try {
      const { primary } = this.#slots.status(operation.slot)
      return primary === this.#self ? null : primary
    } catch (error) {
      if (error instanceof SlotError) return null
      throw error
    }
  }

  #members(slot: number): OperationResult {
    const bytesToMove = this.#slots.bytesToMove(slot)
    return {
      kind: 'members',
      configuration: this.#slots.members(slot),
      level: levelIn(this.#slots.status(slot).raft),
      primary: this.#self,
      ...(bytesToMove > 0 && { bytesToMove }),
    }
  }

  #view(slot: number, topic: string) {
    return {
      topic: this.#slots.topic(slot, topic),
      incarnation: this.#slots.incarnation(slot),
      primary: this.#slots.status(slot).primary,
    }
  }

  #read({ slot, topic, incarnation, from, maxEvents, maxBytes }: Read): LocalOutcome {
    // This replica has not seen the topic's creation yet: another one has.
    if (this.#slots.incarnation(slot) < incarnation) return NOT_HERE
    const row = this.#slots.topic(slot, topic)
    if (row?.incarnation !== incarnation) return done({ kind: 'events', events: [], earliest: 1, latest: 0 })
    const events = this.#slots.read(
      slot,
      incarnation,
      from,
      Math.min(maxEvents, LIMITS.MAX_BATCH_EVENTS),
      Math.min(maxBytes, LIMITS.CUT_BATCH_BYTES),
    )
    return done({ kind: 'events', events, earliest: row.earliest, latest: row.latest })
  }

  #offsetAt({ slot, topic, timeMs, incarnation, latest = 0 }: OffsetAt): LocalOutcome {
    // Where this replica is behind what is known, it would name a place in another life, or one too early.
    const row = this.#slots.topic(slot, topic)
    const isLevel = row !== undefined && row.incarnation === incarnation && row.latest >= latest
    if (incarnation !== undefined && !isLevel) return NOT_HERE
    return done({ kind: 'offset', offset: this.#slots.offsetAt(slot, topic, timeMs) })
  }

  #readSlot({ slot, wants, position, maxEvents, maxBytes, shown }: ReadSlot): LocalOutcome {
    // Here what the asker has passed or has been told of would come back, or be missing.
    if (!isLevelWith(this.#slots.position(slot), position)) return NOT_HERE
    const most = Math.min(maxEvents, LIMITS.MAX_BATCH_EVENTS)
    const mostBytes = Math.min(maxBytes, LIMITS.CUT_BATCH_BYTES)
    const slice = this.#slots.readSlot(slot, wants, position, most, mostBytes)
    return done(shown === undefined ? slice : { ...slice, over: overOf(this.#slots, slot, shown) })
  }

  #placeSlot({ slot, wants, start }: PlaceSlot): Promise<OperationResult> {
    const isLast = start.kind === 'last'
    const most = isLast ? { ...start, count: Math.min(start.count, LIMITS.MAX_LAST_EVENTS) } : start
    return this.#slots.placeSlot(slot, wants, most)
  }

  #list({ slots, after, limit }: List): OperationResult {
    // One more than a page, by which the asker sees that there are more.
    const most = Math.min(limit, LIMITS.MAX_PAGE + 1)
    const topics = slots
      .flatMap(slot => this.#slots.topics(slot, after, most))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .slice(0, most)
    return { kind: 'topics', topics, primaries: slots.map(slot => this.#slots.status(slot).primary) }
  }
}

function levelIn(raft: RaftStatus): number[] {
  return [raft.number, ...[...raft.progress.keys()].filter(number => isLevel(raft, { number }))]
}

function done(result: OperationResult): LocalOutcome {
  return { kind: 'done', result }
}

function outcomeOf(failure: SlotFailure): LocalOutcome {
  switch (failure.kind) {
    case 'notPrimary':
      return { kind: 'notHere', primary: failure.primary, definite: true }
    case 'unknown':
      return { kind: 'notHere', primary: null, definite: false }
    case 'refused':
      return done({
        kind: 'failed',
        code: failure.code === 'KEY_IN_FLIGHT' ? 'IDEMPOTENCY_KEY_IN_FLIGHT' : failure.code,
        definite: true,
      })
    case 'heldBack':
      return done({ kind: 'failed', code: 'UPGRADE_UNDER_WAY', definite: true, detail: failure.detail })
    case 'unavailable':
      // A peer that stops or lacks a majority is not the only one: the others may know better.
      return failure.code === 'OVERLOADED'
        ? done({ kind: 'failed', code: 'OVERLOADED', definite: true })
        : NOT_HERE
  }
}
