import type { Clock, SlotLogs } from '../engine/types.ts'
import type { ErrorCode } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { Dispatcher } from '../links/types.ts'
import { readHere } from './nearest.ts'
import { type Decision, decide, type Knowledge, type PlainStart } from './start.ts'
import type { StreamStart } from './types.ts'

export interface ResolverOptions {
  readonly slots: SlotLogs
  readonly dispatcher: Dispatcher
  readonly clock: Clock
  readonly slotOf: (topic: string) => number
  /** What a feed of the topic here knows without asking anybody; its `earliest` may be old. */
  readonly known: (topic: string) => Knowledge | undefined
}

/** A decision, and for one that is still open the code that says what stands in its way. */
export type Resolution =
  | Exclude<Decision, { kind: 'undecided' }>
  | { readonly kind: 'undecided'; readonly code: ErrorCode }

/**
 * Finds where a stream begins: from what is known here when that is enough, else by a linearizable read, and without
 * a majority from any replica that can be reached.
 */
export class Resolver {
  readonly #options: ResolverOptions

  constructor(options: ResolverOptions) {
    this.#options = options
  }

  /** From the nearest knowledge that decides. `deadlineMs` is monotonic. */
  async resolve(topic: string, start: StreamStart, deadlineMs: number): Promise<Resolution> {
    if (start.kind === 'time') {
      const base = await this.resolve(topic, { kind: 'latest' }, deadlineMs)
      return this.#resolveTime(topic, start.timeMs, base, deadlineMs)
    }
    const near = this.#near(topic, start)
    const decision = near && decide(topic, start, near)
    if (decision && decision.kind !== 'undecided') return decision
    return this.resolveFresh(topic, start, deadlineMs)
  }

  /** From the primary when it can be reached, so that what was acknowledged before is seen. */
  async resolveFresh(topic: string, start: StreamStart, deadlineMs: number): Promise<Resolution> {
    if (start.kind === 'time') {
      const base = await this.resolveFresh(topic, { kind: 'latest' }, deadlineMs)
      return this.#resolveTime(topic, start.timeMs, base, deadlineMs)
    }
    const described = await this.#describe(topic, deadlineMs)
    if (typeof described !== 'string') return withCode(decide(topic, start, described), 'INTERNAL')
    const replica = this.#here(topic) ?? (await this.#glance(topic, deadlineMs))
    return withCode(replica ? decide(topic, start, replica) : { kind: 'undecided' }, described)
  }

  #near(topic: string, start: PlainStart): Knowledge | undefined {
    const here = this.#here(topic)
    if (here !== undefined) return here
    return start.kind === 'earliest' || start.kind === 'last' ? undefined : this.#options.known(topic)
  }

  #here(topic: string): Knowledge | undefined {
    const { slots, slotOf } = this.#options
    const slot = slotOf(topic)
    if (!slots.holds(slot)) return undefined
    return { topic: slots.topic(slot, topic), incarnation: slots.incarnation(slot), linearizable: false }
  }

  async #describe(topic: string, deadlineMs: number): Promise<Knowledge | ErrorCode> {
    const { dispatcher, slotOf } = this.#options
    const { result } = await dispatcher.dispatch({ kind: 'describe', slot: slotOf(topic), topic }, deadlineMs)
    if (result.kind === 'described') {
      return { topic: result.view.topic, incarnation: result.view.incarnation, linearizable: true }
    }
    return result.kind === 'failed' ? result.code : 'INTERNAL'
  }

  /**
   * Stamps never fall along a topic, so the place of a time that lies within what is known here is final; otherwise
   * the cube is asked. A time in the future is the place behind the last event.
   */
  async #resolveTime(
    topic: string,
    timeMs: number,
    base: Resolution,
    deadlineMs: number,
  ): Promise<Resolution> {
    if (base.kind !== 'start') return base
    const { dispatcher, slotOf } = this.#options
    const slot = slotOf(topic)
    const offset = this.#offsetHere(slot, topic, timeMs, base.incarnation)
    if (offset !== undefined && offset <= base.latest) return startAt(base, offset)
    const { incarnation, latest } = base
    const operation = { kind: 'offsetAt', slot, topic, timeMs, incarnation, latest } as const
    const { result } = await dispatcher.dispatch(operation, deadlineMs)
    if (result.kind === 'offset') return startAt(base, result.offset)
    return { kind: 'undecided', code: result.kind === 'failed' ? result.code : 'INTERNAL' }
  }

  /** The place of a time as the replica here knows it, if there is one. */
  #offsetHere(slot: number, topic: string, timeMs: number, incarnation: number): number | undefined {
    const { slots } = this.#options
    return readHere(slots, slot, () =>
      slots.topic(slot, topic)?.incarnation === incarnation ? slots.offsetAt(slot, topic, timeMs) : undefined,
    )
  }

  /** What the first replica that answers knows: committed, perhaps old. */
  async #glance(topic: string, deadlineMs: number): Promise<Knowledge | undefined> {
    const { dispatcher, slotOf, clock } = this.#options
    const untilMs = Math.max(deadlineMs, clock.monotonicMs() + LIMITS.STREAM_PATIENCE_MS)
    const { result } = await dispatcher.dispatch({ kind: 'glance', slot: slotOf(topic), topic }, untilMs)
    if (result.kind !== 'described' || result.view.topic === undefined) return undefined
    return { topic: result.view.topic, incarnation: result.view.incarnation, linearizable: false }
  }
}

function startAt(base: Decision & { kind: 'start' }, offset: number): Resolution {
  const latest = Math.max(base.latest, offset - 1)
  return { ...base, next: offset, latest, positioned: true }
}

function withCode(decision: Decision, code: ErrorCode): Resolution {
  return decision.kind === 'undecided' ? { kind: 'undecided', code } : decision
}
