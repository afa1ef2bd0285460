import { LIMITS } from '../limits.ts'
import type { Entry } from '../raft/types.ts'
import type { ApplyResult, Command, ProducerStamp, Request } from '../topics/types.ts'
import { encodeCommand } from './codec.ts'
import { heldBack } from './formats.ts'
import type { Slot, SlotContext } from './slot.ts'
import { type Appended, SlotError, type SlotFailure } from './types.ts'

/** A command on its way through the log, and everybody who asked for it. */
interface Pending {
  readonly index: number
  readonly term: number
  readonly stampKey: string | undefined
  readonly clientKey: string | undefined
  readonly sinceMs: number
  readonly promise: Promise<Appended>
  settle(outcome: Appended | SlotFailure): void
}

/** What waits for a primary to be there; called with every change of leadership. */
interface Waiter {
  wake(): void
}

/**
 * The commands one slot was asked to append: checks, stamps and proposes them at the primary, makes them wait
 * while there is none, and answers when they are applied. A retry of one that is still under way (same producer
 * stamp) is given the same answer.
 */
export class Appends {
  readonly #slot: Slot
  readonly #context: SlotContext
  readonly #pending = new Map<number, Pending>()
  readonly #byStamp = new Map<string, Pending>()
  readonly #byClientKey = new Map<string, Pending>()
  readonly #waiters = new Set<Waiter>()
  #stopped = false
  #lastStampMs = 0

  constructor(slot: Slot, context: SlotContext) {
    this.#slot = slot
    this.#context = context
  }

  /** See SlotLogs.append. */
  async append(request: Request, deadlineMs: number): Promise<Appended> {
    const patienceMs = this.#patienceMs(deadlineMs)
    for (;;) {
      if (this.#stopped) throw failed({ kind: 'unavailable', code: 'STOPPING' })
      const known = this.#underWay(request)
      if (known) return known
      const taken = await this.#tryHere(request, deadlineMs)
      if (taken) return taken.answer
      await this.#nextChance(patienceMs)
    }
  }

  /** Resolves when this peer is the primary; rejects with SlotError when another is or none appears in time. */
  async primaryHere(deadlineMs: number): Promise<void> {
    const patienceMs = this.#patienceMs(deadlineMs)
    while (!this.#slot.isPrimary) {
      if (this.#stopped) throw failed({ kind: 'unavailable', code: 'STOPPING' })
      await this.#nextChance(patienceMs)
    }
  }

  /** A replica that finds no primary for this long may be the one that is cut off: others should be asked. */
  #patienceMs(deadlineMs: number): number {
    const { clock, settings } = this.#context
    return Math.min(deadlineMs, clock.monotonicMs() + 2 * settings.electionMs)
  }

  /** Waits for a change of leadership; throws when another peer is the primary or patience ends. */
  async #nextChance(patienceMs: number): Promise<void> {
    const { primary, isPrimary } = this.#slot
    if (primary !== null && !isPrimary) throw failed({ kind: 'notPrimary', primary })
    if (!(await this.#leadershipChange(patienceMs))) throw failed({ kind: 'notPrimary', primary: null })
  }

  /** Leadership changed: what was proposed here may or may not survive; who waits looks again. */
  leadershipChanged(): void {
    if (!this.#slot.isPrimary) this.#abandon(() => true)
    this.#wake()
  }

  /** A tick passed: a handover that came to nothing leaves no change of leadership behind, so look again. */
  ticked(): void {
    if (this.#waiters.size > 0 && this.#slot.isPrimary && this.#slot.raft.status().transferee === 0)
      this.#wake()
  }

  /** An entry was applied: whoever proposed it has its answer. */
  applied(entry: Entry, result: ApplyResult | undefined): void {
    const pending = this.#pending.get(entry.index)
    if (!pending) return
    if (pending.term !== entry.term || result === undefined) {
      this.#finish(pending, { kind: 'unknown' })
      return
    }
    this.#context.observer.committed(this.#context.clock.monotonicMs() - pending.sinceMs)
    this.#finish(pending, { result, replicas: this.#slot.raft.holders(entry.index) })
  }

  /** The log up to `index` was replaced by a snapshot: what was proposed there has a fate that was not seen. */
  restored(index: number): void {
    this.#abandon(pending => pending.index <= index)
  }

  stop(): void {
    this.#stopped = true
    this.#abandon(() => true)
    this.#wake()
  }

  /** The same request, already in the log and not yet applied. */
  #underWay(request: Request): Promise<Appended> | undefined {
    const stampKey = stampKeyOf(request.producer)
    const same = stampKey === undefined ? undefined : this.#byStamp.get(stampKey)
    if (same) return same.promise
    const clientKey = clientKeyOf(request)
    if (clientKey !== undefined && this.#byClientKey.has(clientKey)) {
      throw failed({ kind: 'refused', code: 'KEY_IN_FLIGHT' })
    }
    return undefined
  }

  /** Proposes when this peer is the primary; undefined when it is not (any more), or is handing over. */
  async #tryHere(request: Request, deadlineMs: number): Promise<{ answer: Promise<Appended> } | undefined> {
    if (!this.#slot.isPrimary) return undefined
    const refusal = this.#context.stampRefusal(this.#slot, request.kind)
    if (refusal !== undefined) throw failed({ kind: 'refused', code: refusal })
    const detail = heldBack(request, this.#context.rosters.current)
    if (detail !== undefined) throw failed({ kind: 'heldBack', detail })
    if (
      request.kind !== 'create' &&
      request.kind !== 'roster' &&
      this.#slot.machine.topic(request.topic) === undefined
    ) {
      // An unknown topic costs a round of heartbeats, not a log entry; a creation under way comes to light with it.
      await this.barrier(deadlineMs)
      if (this.#slot.machine.topic(request.topic) === undefined && !this.#remembers(request)) {
        return {
          answer: Promise.resolve({ result: { kind: 'refused', code: 'UNKNOWN_TOPIC' }, replicas: 0 }),
        }
      }
      const known = this.#underWay(request)
      if (known) return { answer: known }
    }
    const proposed = this.#propose(request, deadlineMs)
    return proposed && { answer: proposed.promise }
  }

  /** Resolves when everything committed before the call is applied here; rejects with SlotError. */
  barrier(deadlineMs: number): Promise<void> {
    const { clock } = this.#context
    if (this.#stopped) return Promise.reject(failed({ kind: 'unavailable', code: 'STOPPING' }))
    return new Promise((resolve, reject) => {
      let settled = false
      const finish = (run: () => void) => {
        if (settled) return
        settled = true
        cancel()
        run()
      }
      const cancel = clock.after(Math.max(0, deadlineMs - clock.monotonicMs()), () =>
        finish(() => reject(failed({ kind: 'unavailable', code: 'NO_PRIMARY' }))),
      )
      this.#slot.readIndex(outcome =>
        finish(() => {
          if (outcome === 'served') resolve()
          else
            reject(failed({ kind: 'notPrimary', primary: this.#slot.isPrimary ? null : this.#slot.primary }))
        }),
      )
    })
  }

  /** A deleted topic's keys and a producer's earlier answers are given by the state machine itself. */
  #remembers(request: Request): boolean {
    if (request.producer && this.#slot.machine.producerRemembers(request.producer)) return true
    return (
      request.kind === 'publish' &&
      request.clientKey !== undefined &&
      this.#slot.machine.keyHolds(request.topic, request.clientKey.key) !== undefined
    )
  }

  #propose(request: Request, deadlineMs: number): Pending | undefined {
    const { clock } = this.#context
    this.#lastStampMs = Math.max(this.#lastStampMs, this.#slot.machine.slot.timeMs, clock.nowMs())
    const command = { ...request, timeMs: this.#lastStampMs } as Command
    const proposed = this.#slot.raft.propose(encodeCommand(command))
    if (proposed === 'overloaded') throw failed({ kind: 'unavailable', code: 'OVERLOADED' })
    if (typeof proposed === 'string') return undefined
    const pending = this.#newPending(request, proposed.index, proposed.term)
    this.#pending.set(pending.index, pending)
    if (pending.stampKey !== undefined) this.#byStamp.set(pending.stampKey, pending)
    if (pending.clientKey !== undefined) this.#byClientKey.set(pending.clientKey, pending)
    const cancel = clock.after(Math.max(0, deadlineMs - clock.monotonicMs()), () =>
      this.#finish(pending, { kind: 'unknown' }),
    )
    pending.promise.then(cancel, cancel)
    this.#context.touch(this.#slot)
    return pending
  }

  #newPending(request: Request, index: number, term: number): Pending {
    let resolve: (appended: Appended) => void
    let reject: (error: SlotError) => void
    const promise = new Promise<Appended>((accept, refuse) => {
      resolve = accept
      reject = refuse
    })
    return {
      index,
      term,
      stampKey: stampKeyOf(request.producer),
      clientKey: clientKeyOf(request),
      sinceMs: this.#context.clock.monotonicMs(),
      promise,
      settle: outcome => ('result' in outcome ? resolve(outcome) : reject(failed(outcome))),
    }
  }

  #finish(pending: Pending, outcome: Appended | SlotFailure): void {
    if (this.#pending.get(pending.index) === pending) this.#pending.delete(pending.index)
    if (pending.stampKey !== undefined && this.#byStamp.get(pending.stampKey) === pending) {
      this.#byStamp.delete(pending.stampKey)
    }
    if (pending.clientKey !== undefined && this.#byClientKey.get(pending.clientKey) === pending) {
      this.#byClientKey.delete(pending.clientKey)
    }
    pending.settle(outcome)
  }

  #abandon(which: (pending: Pending) => boolean): void {
    for (const pending of [...this.#pending.values()]) {
      if (which(pending)) this.#finish(pending, { kind: 'unknown' })
    }
  }

  #wake(): void {
    const waiters = [...this.#waiters]
    this.#waiters.clear()
    for (const waiter of waiters) waiter.wake()
  }

  /** Resolves true at the next change of leadership, false when `untilMs` (monotonic) comes first. */
  #leadershipChange(untilMs: number): Promise<boolean> {
    const { clock } = this.#context
    if (this.#waiters.size >= LIMITS.MAX_WAITING_APPENDS) {
      throw failed({ kind: 'unavailable', code: 'OVERLOADED' })
    }
    const leftMs = untilMs - clock.monotonicMs()
    if (leftMs <= 0) return Promise.resolve(false)
    return new Promise(resolve => {
      const waiter: Waiter = {
        wake: () => {
          cancel()
          resolve(true)
        },
      }
      const cancel = clock.after(leftMs, () => {
        this.#waiters.delete(waiter)
        resolve(false)
      })
      this.#waiters.add(waiter)
    })
  }
}

function stampKeyOf(stamp: ProducerStamp | undefined): string | undefined {
  return stamp && `${stamp.uid}/${stamp.boot}/${stamp.sequence}`
}

function clientKeyOf(request: Request): string | undefined {
  return request.kind === 'publish' && request.clientKey
    ? `${request.topic}\u0000${request.clientKey.key}`
    : undefined
}

function failed(failure: SlotFailure): SlotError {
  return new SlotError(failure)
}
