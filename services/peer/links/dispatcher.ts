import type { PeerId } from '../cube/labels.ts'
import { replicasOf } from '../cube/placement.ts'
import type { Roster } from '../cube/roster.ts'
import { orderTargets } from '../cube/routing.ts'
import { heldBackOperation } from '../engine/formats.ts'
import type { Clock, SlotLogs } from '../engine/types.ts'
import { LIMITS } from '../limits.ts'
import type { Request } from '../topics/types.ts'
import { Backoff } from './backoff.ts'
import type { Edges } from './edges.ts'
import { Errand, type Outcome } from './errand.ts'
import type { ProducerStamps } from './producer.ts'
import { patienceOf, type Router } from './router.ts'
import { topicSlot } from './topic-slot.ts'
import type { LinkLog } from './transport.ts'
import type { Dispatcher, Operation } from './types.ts'

export interface CubeDispatcherOptions {
  readonly self: PeerId
  roster(): Roster
  readonly clock: Clock
  readonly random: () => number
  readonly log: LinkLog
  readonly slots: SlotLogs
  readonly router: Router
  readonly edges: Pick<Edges, 'alive' | 'drop'>
  readonly producers: ProducerStamps
}

/** The ingress: takes a client's operation and sees it through (DESIGN 7). */
export class CubeDispatcher implements Dispatcher {
  readonly #options: CubeDispatcherOptions
  readonly #replicas = new Map<number, readonly PeerId[]>()
  #placedVersion = -1
  /** By slot: who answered as its primary last. */
  readonly #primaries = new Map<number, PeerId>()
  /** By slot: errands that pause until they try again. */
  readonly #pausing = new Map<number, Set<() => void>>()
  readonly #stopListening: () => void
  #underWay = 0
  #isClosed = false

  constructor(options: CubeDispatcherOptions) {
    this.#options = options
    this.#stopListening = options.slots.onCubeEvent(event => {
      if (event.kind === 'suspected' || event.kind === 'failed') this.#options.edges.drop(event.peer)
      if (event.kind === 'primary' || event.kind === 'takeover' || event.kind === 'reclaimed') {
        this.#primaryIs(event.slot, event.peer)
      }
    })
  }

  /** Errands under way end as they do when their time is over, those that pause at once. */
  close(): void {
    this.#stopListening()
    this.#isClosed = true
    for (const pausing of [...this.#pausing.values()]) for (const wake of [...pausing]) wake()
  }

  /** See Dispatcher.append. */
  async append(request: Request, deadlineMs: number): Promise<Outcome & { readonly slot: number }> {
    const { slots } = this.#options.roster()
    // The roster's own slot lies behind the last topic slot.
    const slot = request.kind === 'roster' ? slots : topicSlot(request.topic, slots)
    const outcome = await this.dispatch({ kind: 'append', slot, request }, deadlineMs)
    return { ...outcome, slot }
  }

  /** See Dispatcher.dispatch. A command without a producer's stamp is given one: it may be sent more than once. */
  dispatch(operation: Operation, deadlineMs: number): Promise<Outcome> {
    if (this.#underWay >= LIMITS.MAX_FORWARDS_INFLIGHT) return Promise.resolve(overloaded)
    // Not even on its way: a peer that does not know it could not read the request that carries it.
    const detail = heldBackOperation(operation, this.#options.roster())
    if (detail !== undefined) return Promise.resolve(notYet(detail))
    if (operation.kind !== 'append' || operation.request.producer) {
      return this.#see(operation, deadlineMs, () => {})
    }
    const stamped = this.#options.producers.begin(operation.slot)
    if (!stamped) return Promise.resolve(overloaded)
    const request: Request = { ...operation.request, producer: stamped.stamp }
    return this.#see({ ...operation, request }, deadlineMs, stamped.finish)
  }

  /** Forgets what it knows of peers that are not listed any more. */
  retain(isListed: (peer: PeerId) => boolean): void {
    for (const [slot, peer] of this.#primaries) if (!isListed(peer)) this.#primaries.delete(slot)
  }

  /** The primary of a slot as far as it is known here. */
  primaryOf(slot: number): PeerId | null {
    const { slots } = this.#options
    const here = slots.holds(slot) ? slots.status(slot).primary : null
    return here ?? this.#primaries.get(slot) ?? null
  }

  /**
   * Answers at the deadline whatever happens; `finish` is called when the errand is really over, since until then an
   * attempt of it may still be made.
   */
  #see(operation: Operation, deadlineMs: number, finish: () => void): Promise<Outcome> {
    const { clock, log } = this.#options
    const errand = this.#errand(operation, deadlineMs)
    this.#underWay += 1
    return new Promise(resolve => {
      const cancel = clock.after(Math.max(0, deadlineMs - clock.monotonicMs()), () => {
        errand.cancelled = true
        resolve(errand.givenUp())
      })
      errand
        .run()
        .then(
          outcome => {
            this.#learn(operation, outcome)
            resolve(outcome)
          },
          error => {
            log.error({ error: error instanceof Error ? error.stack : String(error) }, 'an operation failed')
            resolve({
              result: { kind: 'failed', code: 'INTERNAL', definite: operation.kind !== 'append' },
              path: [],
            })
          },
        )
        .finally(() => {
          cancel()
          finish()
          this.#underWay -= 1
        })
    })
  }

  #errand(operation: Operation, deadlineMs: number): Errand {
    const { clock, random, router } = this.#options
    const slots = slotsOf(operation)
    const backoff = new Backoff(random)
    return new Errand({
      operation,
      targets: this.#targets(operation, slots),
      isReplica: peer =>
        'peer' in operation
          ? operation.peer === peer
          : slots.some(slot => this.#replicasOf(slot).includes(peer)),
      patienceMs: () => (this.#isClosed ? 0 : patienceOf(deadlineMs - clock.monotonicMs())),
      attempt: (forwarded, cancellation) => router.route(forwarded, cancellation),
      pause: () => this.#pause(slots[0] ?? 0, backoff.nextMs(), deadlineMs),
    })
  }

  /** Who may be able to answer: what needs the primary aims at it, the rest at what is near and up. */
  #targets(operation: Operation, slots: readonly number[]): PeerId[] {
    const { self, roster, edges } = this.#options
    if ('peer' in operation) return [operation.peer]
    const alive = (peer: PeerId) => edges.alive(peer)
    const [first, ...others] = slots.map(slot => this.#replicasOf(slot))
    const common = (first ?? []).filter(peer => others.every(set => set.includes(peer)))
    if (!needsPrimary(operation)) {
      const ordered = orderTargets(self, common, roster().dimension, alive)
      return ordered.length > 0 ? ordered : [self]
    }
    const primary = this.primaryOf(operation.slot)
    const aimed = primary === null ? common : [primary, ...common.filter(peer => peer !== primary)]
    return [...aimed.filter(alive), ...aimed.filter(peer => !alive(peer))]
  }

  #replicasOf(slot: number): readonly PeerId[] {
    const roster = this.#options.roster()
    if (roster.version !== this.#placedVersion) {
      this.#replicas.clear()
      this.#placedVersion = roster.version
    }
    const known = this.#replicas.get(slot)
    if (known) return known
    const placed = replicasOf(slot, roster, LIMITS)
    this.#replicas.set(slot, placed)
    return placed
  }

  #learn(operation: Operation, { result }: Outcome): void {
    if (!('slot' in operation)) return
    if (result.kind === 'appended' || result.kind === 'members')
      this.#primaryIs(operation.slot, result.primary)
    // A glance is what any replica knows, which may be long ago.
    if (operation.kind === 'describe' && result.kind === 'described' && result.view.primary !== null) {
      this.#primaryIs(operation.slot, result.view.primary)
    }
  }

  #primaryIs(slot: number, peer: PeerId): void {
    this.#primaries.set(slot, peer)
    for (const wake of this.#pausing.get(slot) ?? []) wake()
  }

  /**
   * Ends early when the slot gets a primary, as far as that is seen here. The more errands wait for a slot, the longer
   * each does: together they make no more attempts than a few would, and the first that gets through wakes the others.
   */
  #pause(slot: number, aloneMs: number, deadlineMs: number): Promise<void> {
    const pausing = this.#pausing.get(slot) ?? new Set<() => void>()
    this.#pausing.set(slot, pausing)
    const { clock, random } = this.#options
    const crowd = Math.floor(pausing.size / LIMITS.RETRYING_PER_SLOT)
    const sharedMs = crowd * LIMITS.RETRY_MAX_MS * (0.5 + 0.5 * random())
    const pauseMs = Math.min(Math.max(aloneMs, sharedMs), deadlineMs - clock.monotonicMs())
    return new Promise(resolve => {
      const wake = () => {
        cancel()
        pausing.delete(wake)
        if (pausing.size === 0) this.#pausing.delete(slot)
        resolve()
      }
      const cancel = clock.after(Math.max(0, pauseMs), wake)
      pausing.add(wake)
    })
  }
}

type Slotted = Extract<Operation, { readonly slot: number }>

function needsPrimary(operation: Operation): operation is Slotted {
  if (operation.kind === 'placeSlot') return operation.fresh === true
  return operation.kind === 'append' || operation.kind === 'describe' || operation.kind === 'members'
}

function slotsOf(operation: Operation): readonly number[] {
  if (operation.kind === 'list') return operation.slots
  return 'slot' in operation ? [operation.slot] : []
}

const overloaded: Outcome = { result: { kind: 'failed', code: 'OVERLOADED', definite: true }, path: [] }

function notYet(detail: string): Outcome {
  return { result: { kind: 'failed', code: 'UPGRADE_UNDER_WAY', definite: true, detail }, path: [] }
}
