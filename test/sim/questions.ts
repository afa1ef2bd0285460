import type { Roster } from '../../services/peer/cube/roster.ts'
import { rosterBody } from '../../services/peer/engine/wire.ts'
import { LIMITS } from '../../services/peer/limits.ts'
import type { PeerIdentity } from '../../services/peer/links/identity.ts'
import type { JoinWish } from '../../services/peer/membership/admission.ts'
import type { JoinAnswer } from '../../services/peer/membership/joining.ts'
import type { Ingress } from './ingress.ts'
import type { Life } from './life.ts'
import type { Member } from './member.ts'
import { hostAt, type Network, NetworkError, urlOf } from './network.ts'
import type { Chance } from './world.ts'

/** A name that stands for all machines: whoever asks there is answered by one of the others. */
export const ANY_PEER = urlOf('cube')

const IDENTIFY_TIMEOUT_MS = 1_000
/** How long a newcomer waits for an answer; whoever it asked goes on without it. */
const JOIN_PATIENCE_MS = 5_000

export interface QuestionsOptions {
  readonly network: Network
  readonly members: ReadonlyMap<string, Member>
  readonly chance: Chance
  /** What stands above the engine of a member that runs. */
  readonly ingress: (member: Member) => Ingress
}

/** What processes ask each other on connections of their own, before they have links (links/identity.ts, links/join.ts). */
export class Questions {
  /** Called when a peer begins to take another one in. */
  onJoin: (newcomer: Member, asked: Member) => void = () => {}
  readonly #options: QuestionsOptions
  /** Wishes to join that are being served: whose, and by which process. */
  readonly #joining = new Set<{ readonly uid: string; readonly by: Life }>()

  constructor(options: QuestionsOptions) {
    this.#options = options
  }

  /** GET /v1/relay/identity: also a process that belongs to no cluster yet says who it is. */
  identify(from: Member, url: string): Promise<PeerIdentity> {
    return this.#ask(from, url, IDENTIFY_TIMEOUT_MS, target => ({
      uid: target.uid,
      clusterId: target.store.roster()?.clusterId ?? null,
      run: target.run,
    }))
  }

  /** POST /v1/peers, answered as http/routes/peers.ts does. */
  join(from: Member, via: string, wish: Omit<JoinWish, 'by'>): Promise<JoinAnswer> {
    return this.#ask(from, via, JOIN_PATIENCE_MS, async target => {
      if (!target.isUp) return { status: 503, body: { code: 'NOT_FOUNDED', detail: 'it is none yet' } }
      this.onJoin(from, target)
      const wished = { uid: from.uid, by: target.life }
      this.#joining.add(wished)
      const patienceMs = LIMITS.JOIN_TIMEOUT_MS - LIMITS.JOIN_MARGIN_MS
      const answer = this.#options.ingress(target).join(wish, patienceMs)
      return answer.finally(() => this.#joining.delete(wished))
    })
  }

  /** GET /v1/relay/roster. */
  async roster(from: Member, via: string): Promise<Roster> {
    const body = await this.#ask(from, via, IDENTIFY_TIMEOUT_MS, target => {
      if (!target.isUp) throw new NetworkError('reset')
      return rosterBody.encode(target.engine.roster)
    })
    return rosterBody.decode(body)
  }

  /** Whether somebody may still be about to take this store in. */
  isJoining(uid: string): boolean {
    return [...this.#joining].some(wished => wished.uid === uid && !wished.by.isDead)
  }

  #ask<T>(
    from: Member,
    url: string,
    timeoutMs: number,
    serve: (target: Member) => T | Promise<T>,
  ): Promise<T> {
    const { network, members, chance } = this.#options
    const others = [...members.keys()].filter(host => host !== from.host)
    const host = url === ANY_PEER && others.length > 0 ? chance.pick(others) : hostAt(url)
    const isOpen = (target: Member) => target.isListening
    return network.call(from.host, from.life, host, timeoutMs, serve, isOpen)
  }
}
