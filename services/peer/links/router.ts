import type { PeerId } from '../cube/labels.ts'
import { neighbours } from '../cube/neighbours.ts'
import type { Roster } from '../cube/roster.ts'
import { nextHops } from '../cube/routing.ts'
import type { Clock } from '../engine/types.ts'
import { LIMITS } from '../limits.ts'
import type { HopOutcome } from './edge.ts'
import type { LinkFailure } from './errors.ts'
import type { LocalOutcome } from './execute.ts'
import { type Forwarded, type ForwardedAnswer, isUnlogged, type Operation } from './types.ts'

export interface RouterOptions {
  readonly self: PeerId
  roster(): Roster
  readonly clock: Clock
  readonly executor: { execute(operation: Operation, deadlineMs: number): Promise<LocalOutcome> }
  readonly edges: {
    forward(peer: PeerId, forwarded: Forwarded): Promise<HopOutcome>
    alive(peer: PeerId): boolean
  }
}

/** Set when nobody waits for the answer any more. */
export interface Cancellation {
  cancelled: boolean
}

/** One operation's stay at this peer: where it may still go and what is known of it. */
interface Search {
  readonly operation: Operation
  readonly path: readonly PeerId[]
  readonly visited: Set<PeerId>
  /** Peers that could not be reached from here; from elsewhere perhaps. */
  readonly unreachable: Set<PeerId>
  readonly deadlineMs: number
  target: PeerId
  primary: PeerId | null
  definite: boolean
}

/**
 * What becomes of an operation at one peer (DESIGN 7): answered here; or, by a replica, sent straight to the primary
 * it knows; or passed to a neighbour nearer to the target, and depth-first around whatever does not answer; or given
 * back to where it came from, with everyone who was asked.
 */
export class Router {
  readonly #options: RouterOptions
  #neighbours: { readonly version: number; readonly ids: readonly PeerId[] } | undefined

  constructor(options: RouterOptions) {
    this.#options = options
  }

  /** Never rejects but for defects of this peer. */
  async route(forwarded: Forwarded, cancellation?: Cancellation): Promise<ForwardedAnswer> {
    const { self, clock, executor } = this.#options
    const search: Search = {
      operation: forwarded.operation,
      path: [...forwarded.path, self],
      visited: new Set([...forwarded.visited, self]),
      unreachable: new Set(),
      deadlineMs: clock.monotonicMs() + forwarded.patienceMs,
      target: forwarded.target,
      primary: null,
      definite: true,
    }
    // It was here before and was given up: whoever passes it on once more gets nothing new.
    if (forwarded.visited.includes(self)) return exhausted(search)
    const here = await executor.execute(search.operation, search.deadlineMs)
    if (here.kind === 'done') return { kind: 'answered', result: here.result, path: search.path }
    search.definite = here.definite
    const answer = await this.#toPrimary(search, here.primary)
    if (answer) return answer
    return isBehind(search) ? exhausted(search) : this.#around(search, cancellation)
  }

  /** A replica that knows the primary shares a link with it. */
  async #toPrimary(search: Search, primary: PeerId | null): Promise<ForwardedAnswer | undefined> {
    if (primary === null || primary === this.#options.self) return undefined
    this.#aim(search, primary)
    if (search.visited.has(primary) || !this.#options.edges.alive(primary)) return undefined
    return this.#hop(search, primary)
  }

  /** Depth first: one way after the other, until there is an answer or no way is left. */
  async #around(search: Search, cancellation?: Cancellation): Promise<ForwardedAnswer> {
    const { self, roster, edges } = this.#options
    const { dimension } = roster()
    let isTriedAgain = false
    for (;;) {
      if (cancellation?.cancelled) return exhausted(search)
      const [next] = nextHops({
        self,
        target: search.target,
        dimension,
        neighbours: this.#ownNeighbours(),
        alive: peer => edges.alive(peer) && !search.unreachable.has(peer),
        visited: search.visited,
      })
      if (next === undefined) return exhausted(search)
      const answer = await this.#hop(search, next)
      if (answer) return answer
      if (!isBehind(search)) continue
      // It has passed the primary before that was primary: no way on leads there, the way back does.
      if (search.primary !== self) return exhausted(search)
      if (isTriedAgain || cancellation?.cancelled) continue
      isTriedAgain = true
      const again = await this.#again(search)
      if (again) return again
    }
  }

  /**
   * Once more here, where the primary is by now, as others say; undefined when it is not. What is refused here counts for
   * nothing, since it may be an attempt of this same request that is in the way.
   */
  async #again(search: Search): Promise<ForwardedAnswer | undefined> {
    const here = await this.#options.executor.execute(search.operation, search.deadlineMs)
    if (here.kind === 'notHere') {
      search.definite &&= here.definite
      return this.#toPrimary(search, here.primary)
    }
    if (here.result.kind === 'failed') return undefined
    const answer = { kind: 'answered', result: here.result, path: search.path } as const
    return search.definite ? answer : inDoubt(answer)
  }

  /** One hop; undefined when it led nowhere, which `search` then knows. */
  async #hop(search: Search, peer: PeerId): Promise<ForwardedAnswer | undefined> {
    const { clock, edges } = this.#options
    const patienceMs = patienceOf(search.deadlineMs - clock.monotonicMs())
    if (patienceMs <= 0) {
      search.unreachable.add(peer)
      return undefined
    }
    const { operation, target, path } = search
    const outcome = await edges.forward(peer, {
      operation,
      target,
      path,
      visited: [...search.visited],
      patienceMs,
    })
    if (outcome.kind === 'failed') {
      noteFailure(search, peer, outcome.failure)
      return undefined
    }
    const { answer } = outcome
    if (answer.kind === 'answered') return search.definite ? answer : inDoubt(answer)
    // Also when it does not say so itself: it was there.
    search.visited.add(peer)
    for (const id of answer.visited) search.visited.add(id)
    search.definite &&= answer.definite
    if (answer.primary !== null) this.#aim(search, answer.primary)
    return undefined
  }

  #aim(search: Search, primary: PeerId): void {
    search.primary = primary
    if (!search.visited.has(primary)) search.target = primary
  }

  #ownNeighbours(): readonly PeerId[] {
    const roster = this.#options.roster()
    if (this.#neighbours?.version !== roster.version) {
      this.#neighbours = { version: roster.version, ids: neighbours(this.#options.self, roster) }
    }
    return this.#neighbours.ids
  }
}

/** What is left for the next hop of what is left here: the rest is for the way back. */
export function patienceOf(leftMs: number): number {
  const marginMs = leftMs * LIMITS.HOP_MARGIN_SHARE
  return leftMs - Math.min(LIMITS.MAX_HOP_MARGIN_MS, Math.max(LIMITS.MIN_HOP_MARGIN_MS, marginMs))
}

/**
 * A refused connection means that nobody will reach that peer, and one that is silent would cost everybody else the
 * same time again; any other failure may be the edge's, so that another way can still lead there.
 */
function noteFailure(search: Search, peer: PeerId, failure: LinkFailure): void {
  if (failure === 'refused' || failure === 'silent') search.visited.add(peer)
  else search.unreachable.add(peer)
  if (failure === 'broken' || failure === 'silent') search.definite = false
}

/** An earlier hop may have led to an append unseen: a refusal that came by a later one proves nothing about it. */
function inDoubt(answer: ForwardedAnswer & { readonly kind: 'answered' }): ForwardedAnswer {
  const { result } = answer
  if (isUnlogged(result)) {
    return { ...answer, result: { kind: 'failed', code: 'OUTCOME_UNKNOWN', definite: false } }
  }
  return result.kind === 'failed' ? { ...answer, result: { ...result, definite: false } } : answer
}

/** The request has passed a peer that is the primary now. */
function isBehind({ primary, path }: Search): boolean {
  return primary !== null && path.includes(primary)
}

function exhausted({ visited, primary, definite }: Search): ForwardedAnswer {
  return { kind: 'exhausted', visited: [...visited], primary, definite }
}
