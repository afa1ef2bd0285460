import {
  type Beat,
  type DialResult,
  NotListedError,
  type SlotMessage,
  type SnapshotChunk,
  type Transport,
} from '../../services/peer/engine/types.ts'
import { beatBody, messagesBody, rosterBody, snapshotBody } from '../../services/peer/engine/wire.ts'
import { RESPONSE_TYPES } from '../../services/peer/raft/types.ts'
import type { Life } from './life.ts'
import type { Member } from './member.ts'
import { admits, hostOf, type Network, NetworkError, urlOf } from './network.ts'
import type { Trace } from './trace.ts'

const HEARTBEAT_TIMEOUT_MS = 400
const DIAL_TIMEOUT_MS = 500
const SNAPSHOT_TIMEOUT_MS = 2_000

/** What a life sends to the peer `id`. */
interface Sending {
  readonly from: Member
  readonly life: Life
  readonly id: string
}

/** The engines' ways to other peers, over the simulated network, in the bytes they have on the wire. */
export class Transports {
  readonly #network: Network
  readonly #members: ReadonlyMap<string, Member>
  readonly #trace: Trace
  /** Where those are whose messages a life is about to answer, by their labels. */
  readonly #waiting = new WeakMap<Life, Map<string, string[]>>()

  constructor(network: Network, members: ReadonlyMap<string, Member>, trace: Trace) {
    this.#network = network
    this.#members = members
    this.#trace = trace
  }

  /** The way of the present life of `from` to the others. */
  of(from: Member): Transport {
    const { life } = from
    return {
      send: (id, messages) => this.#send({ from, life, id }, messages),
      heartbeat: async (id, beat) => {
        const body = beatBody.encode(beat)
        const answer = await this.#ask({ from, life, id }, HEARTBEAT_TIMEOUT_MS, target => {
          if (!admits(target, from, id)) throw new NotListedError(id)
          target.heard(from)
          return beatBody.encode(target.engine.heartbeat(from.id, beatBody.decode(body) as Beat))
        })
        return beatBody.decode(answer)
      },
      roster: async id => {
        const answer = await this.#ask({ from, life, id }, HEARTBEAT_TIMEOUT_MS, target =>
          rosterBody.encode(target.engine.roster),
        )
        return rosterBody.decode(answer)
      },
      dial: id => this.#dial({ from, life, id }),
      snapshot: async (id, slot, afterIndex) => {
        const answer = await this.#ask({ from, life, id }, SNAPSHOT_TIMEOUT_MS, target => {
          if (!admits(target, from)) throw new NotListedError(id)
          return snapshotBody.encode(target.engine.snapshotChunk(from.id, slot, afterIndex))
        })
        return snapshotBody.decode(answer) as SnapshotChunk
      },
    }
  }

  /** What one peer asks another, at the address it knows of it. */
  #ask<T>(
    { from, life, id }: Sending,
    timeoutMs: number,
    serve: (target: Member) => T | Promise<T>,
  ): Promise<T> {
    const host = hostOf(from, id)
    if (host === undefined) return Promise.reject(new NetworkError('refused'))
    return this.#network.call(from.host, life, host, timeoutMs, serve).catch(error => {
      if (!(error instanceof NetworkError && error.kind === 'reset')) from.whereabouts.missed(id, urlOf(host))
      throw error
    })
  }

  /**
   * What answers a message goes back where that came from, on the answer to its request; everything else to the address
   * that is known of the peer. What a process still does in the turn of its death stays inside.
   */
  #send(sending: Sending, messages: readonly SlotMessage[]): void {
    const { from, life, id } = sending
    if (life.isDead) return
    const listed = hostOf(from, id)
    const waits = this.#waiting.get(life)?.get(id)?.[0] ?? listed
    const isBack = ({ message }: SlotMessage) => waits !== listed && RESPONSE_TYPES.has(message.type)
    this.#post(sending, waits, messages.filter(isBack))
    const others = messages.filter(message => !isBack(message))
    this.#post(sending, listed, others)
  }

  #post({ from, life, id }: Sending, to: string | undefined, messages: readonly SlotMessage[]): void {
    if (to === undefined || messages.length === 0) return
    const { host } = from
    const body = messagesBody.encode(messages)
    const lost = () => {
      if (from.life !== life) return
      from.whereabouts.missed(id, urlOf(to))
      from.engine.unreachable(id)
    }
    const stranger = () => {
      if (from.life !== life) return
      from.whereabouts.missed(id, urlOf(to))
      from.engine.askForRoster(id)
      from.engine.unreachable(id)
    }
    const arrive = (target: Member) => {
      this.#trace.note(`${host}>${to} ${body.length}`)
      if (admits(target, from, id)) this.#take(target, from, host, body)
      else {
        this.#network.packet(
          to,
          host,
          () => life.run(stranger),
          () => {},
        )
      }
    }
    this.#network.batch(host, to, arrive, () => life.run(lost))
  }

  /** A batch of messages is there: whoever sent it waits for what answers them. */
  #take(target: Member, from: Member, host: string, body: Uint8Array): void {
    const { life, engine } = target
    const waiting = this.#waiting.get(life) ?? new Map<string, string[]>()
    this.#waiting.set(life, waiting)
    const hosts = waiting.get(from.id) ?? []
    waiting.set(from.id, hosts)
    hosts.push(host)
    target.heard(from)
    void engine.receive(from.id, messagesBody.decode(body) as readonly SlotMessage[]).finally(() => {
      hosts.splice(hosts.indexOf(host), 1)
    })
  }

  #dial(sending: Sending): Promise<DialResult> {
    const { from, id } = sending
    const host = hostOf(from, id)
    return this.#ask<DialResult>(sending, DIAL_TIMEOUT_MS, () => 'open').catch(error => {
      // A stopped process answers nothing, but its kernel accepts the connection.
      const target = this.#members.get(host ?? '')
      if (target?.isUp && target.life.isPaused && !this.#network.isCut(from.host, target.host)) return 'open'
      return error instanceof NetworkError && error.kind === 'refused' ? 'refused' : 'silent'
    })
  }
}
