import type { ErrorCode } from '../../services/peer/errors.ts'
import type { Cluster } from './cluster.ts'
import type { Answered, Ingress } from './ingress.ts'
import { NetworkError } from './network.ts'
import type { Chance } from './world.ts'

/** What became of a call, as its client sees it. `refused`: no process took it. `lost`: no answer came. */
export type Seen = Answered | { readonly kind: 'lost' } | { readonly kind: 'refused' }

/** How long a client waits beyond the patience it asked for. */
const GRACE_MS = 500

/** How clients outside reach the cube: any peer, at random. */
export class Callers {
  readonly counts = {
    ...{ calls: 0, published: 0, acknowledged: 0, refused: 0, unknown: 0 },
    ...{ barriers: 0, reads: 0, opened: 0, received: 0, gaps: 0, ends: 0, resumed: 0 },
    ...{ severalOpened: 0, severalResumed: 0, severalReceived: 0, severalGaps: 0, severalEnds: 0 },
  }
  readonly #cluster: Cluster
  readonly #chance: Chance

  constructor(cluster: Cluster, chance: Chance) {
    this.#cluster = cluster
    this.#chance = chance
  }

  /** A request to some peer. Rejects only with what `serve` rejects with. */
  async call<T>(
    patienceMs: number,
    serve: (ingress: Ingress) => Promise<T>,
  ): Promise<T | { readonly kind: 'lost' } | { readonly kind: 'refused' }> {
    const { network } = this.#cluster
    this.counts.calls++
    try {
      return await network.call('client', undefined, this.anyPeer(), patienceMs + GRACE_MS, member =>
        serve(this.#cluster.ingress(member)),
      )
    } catch (error) {
      if (!(error instanceof NetworkError)) throw error
      return { kind: error.kind === 'refused' ? 'refused' : 'lost' }
    }
  }

  anyPeer(): string {
    return this.#chance.pick([...this.#cluster.members.keys()])
  }
}

/** The definite error that a client was answered; undefined when the outcome is unknown or good. */
export function definiteCode(seen: Seen): ErrorCode | 'NOT THERE' | undefined {
  if (seen.kind === 'refused') return 'NOT THERE'
  if (seen.kind === 'error') return seen.code === 'OUTCOME_UNKNOWN' ? undefined : seen.code
  if (seen.kind !== 'done' || seen.result.kind !== 'appended') return undefined
  const { result } = seen.result
  if (result.kind !== 'refused' || result.code === 'STALE_PRODUCER') return undefined
  if (result.code === 'WRONG_SLOT') return 'INTERNAL'
  return result.code === 'KEY_REUSED' ? 'IDEMPOTENCY_KEY_REUSED' : result.code
}
