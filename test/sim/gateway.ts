import { SlotError, type SlotFailure } from '../../services/peer/engine/types.ts'
import type { ApplyResult, Request } from '../../services/peer/topics/types.ts'
import type { Member } from './member.ts'
import { type Network, NetworkError } from './network.ts'
import type { Chance } from './world.ts'

/** What became of a client's command. */
export type Outcome =
  | { readonly kind: 'answered'; readonly result: ApplyResult }
  /** `definite`: it was not and will not be appended. */
  | { readonly kind: 'failed'; readonly definite: boolean; readonly why: string }

/**
 * The peer that takes a client's command in, as links/ does it: gives it the producer's stamp and tries the slot's
 * replicas until one answers. Lives as long as the process it is in.
 */
export class Gateway {
  readonly #member: Member
  readonly #life: Member['life']
  readonly #network: Network
  readonly #chance: Chance
  readonly #replicas: (slot: number) => readonly string[]
  readonly #next = new Map<number, number>()
  readonly #open = new Map<number, Set<number>>()
  readonly #believed = new Map<number, string>()

  constructor(
    member: Member,
    network: Network,
    chance: Chance,
    replicas: (slot: number) => readonly string[],
  ) {
    this.#member = member
    this.#life = member.life
    this.#network = network
    this.#chance = chance
    this.#replicas = replicas
  }

  async append(slot: number, request: Request, patienceMs: number): Promise<Outcome> {
    const { clock } = this.#life
    const untilMs = clock.monotonicMs() + patienceMs
    const sequence = (this.#next.get(slot) ?? 0) + 1
    this.#next.set(slot, sequence)
    const open = this.#openOf(slot)
    open.add(sequence)
    const { uid, boot } = this.#member.store.identity
    let isMaybe = false
    let why = 'never tried'
    try {
      while (clock.monotonicMs() < untilMs) {
        const stamped = { ...request, producer: { uid, boot, sequence, low: Math.min(...open) } } as Request
        const target = this.#believed.get(slot) ?? this.#chance.pick(this.#replicas(slot))
        try {
          const result = await this.#try(target, slot, stamped, untilMs - clock.monotonicMs())
          this.#believed.set(slot, target)
          return { kind: 'answered', result }
        } catch (error) {
          const failure = this.#judge(slot, error)
          why = failure.why
          isMaybe ||= failure.isMaybe
          if (failure.isFinal) break
        }
        await new Promise<void>(resolve => clock.after(this.#chance.between(5, 100), resolve))
      }
    } finally {
      open.delete(sequence)
    }
    return { kind: 'failed', definite: !isMaybe, why }
  }

  #try(target: string, slot: number, request: Request, patienceMs: number): Promise<ApplyResult> {
    const serve = (member: Member) =>
      member.engine
        .append(slot, request, member.life.clock.monotonicMs() + patienceMs)
        .then(({ result }) => result)
    if (target === this.#member.id) return serve(this.#member)
    return this.#network.call(this.#member.id, this.#life, target, Math.min(patienceMs, 1_500), serve)
  }

  /** What a failed attempt means for the command and for where to go next. */
  #judge(slot: number, error: unknown): { isMaybe: boolean; isFinal: boolean; why: string } {
    this.#believed.delete(slot)
    if (error instanceof NetworkError) {
      return { isMaybe: error.kind !== 'refused', isFinal: false, why: error.kind }
    }
    if (!(error instanceof SlotError)) throw error
    const failure: SlotFailure = error.failure
    if (failure.kind === 'notPrimary' && failure.primary) this.#believed.set(slot, failure.primary)
    const isFinal = failure.kind === 'refused'
    return { isMaybe: failure.kind === 'unknown', isFinal, why: JSON.stringify(failure) }
  }

  #openOf(slot: number): Set<number> {
    let open = this.#open.get(slot)
    if (!open) {
      open = new Set()
      this.#open.set(slot, open)
    }
    return open
  }
}
