import type {
  Beat,
  DialResult,
  SlotMessage,
  SnapshotChunk,
  Transport,
} from '../../services/peer/engine/types.ts'
import { beatBody, messagesBody, snapshotBody } from '../../services/peer/engine/wire.ts'
import type { Member } from './member.ts'
import type { Trace } from './trace.ts'
import type { Chance, World } from './world.ts'

/** A call that got no answer. `refused` is definite: it never reached a process. */
export class NetworkError extends Error {
  readonly kind: 'refused' | 'timeout' | 'reset'
  constructor(kind: 'refused' | 'timeout' | 'reset') {
    super(kind)
    this.kind = kind
  }
}

/** How bad the network is, in general and link by link. */
export interface Weather {
  /** Probability that a batch or call is lost on its way. */
  loss: number
  /** Probability that a batch arrives twice. */
  duplication: number
  /** Probability that a batch may be overtaken by the next. */
  reorder: number
  minDelayMs: number
  maxDelayMs: number
}

export const FAIR: Weather = { loss: 0, duplication: 0, reorder: 0, minDelayMs: 0.1, maxDelayMs: 1 }

const HEARTBEAT_TIMEOUT_MS = 400
const DIAL_TIMEOUT_MS = 500
const SNAPSHOT_TIMEOUT_MS = 2_000

/** The members' network. Messages travel in the bytes they have on the wire. */
export class Network {
  weather: Weather = { ...FAIR }
  /** Links that carry nothing, as `from>to`. */
  readonly cuts = new Set<string>()
  readonly #world: World
  readonly #chance: Chance
  readonly #trace: Trace
  readonly #members: ReadonlyMap<string, Member>
  readonly #lastArrivalMs = new Map<string, number>()
  readonly #open = new Set<OpenCall>()

  constructor(world: World, chance: Chance, trace: Trace, members: ReadonlyMap<string, Member>) {
    this.#world = world
    this.#chance = chance
    this.#trace = trace
    this.#members = members
  }

  /** The way of one life of `from` to the others. */
  transport(from: Member): Transport {
    const { life } = from
    return {
      send: (to, messages) => this.#send(from, to, messages),
      heartbeat: async (to, beat) => {
        const body = beatBody.encode(beat)
        const answer = await this.call(from.id, life, to, HEARTBEAT_TIMEOUT_MS, target =>
          beatBody.encode(target.engine.heartbeat(from.id, beatBody.decode(body) as Beat)),
        )
        return beatBody.decode(answer)
      },
      dial: to => this.#dial(from, to),
      snapshot: async (to, slot, afterIndex) => {
        const answer = await this.call(from.id, life, to, SNAPSHOT_TIMEOUT_MS, target =>
          snapshotBody.encode(target.engine.snapshotChunk(from.id, slot, afterIndex)),
        )
        return snapshotBody.decode(answer) as SnapshotChunk
      },
    }
  }

  /**
   * A request and its answer. Rejects with NetworkError, or with what `serve` rejects with.
   * @param caller the life that gets the answer; undefined for a client outside
   */
  call<T>(
    from: string,
    caller: Member['life'] | undefined,
    to: string,
    timeoutMs: number,
    serve: (target: Member) => T | Promise<T>,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const settle = (work: () => void): void => {
        if (!this.#open.delete(call)) return
        cancel()
        if (caller) caller.run(work)
        else work()
      }
      const fail = (kind: NetworkError['kind']) => settle(() => reject(new NetworkError(kind)))
      const call: OpenCall = { servedBy: undefined, reset: () => fail('reset') }
      const cancel = this.#world.after(timeoutMs, () => fail('timeout'))
      this.#open.add(call)
      const goBack = (work: () => void) => this.#travel(to, from, () => settle(work))
      const arrive = (target: Member) => {
        call.servedBy = target.life
        Promise.resolve()
          .then(() => serve(target))
          .then(
            value => goBack(() => resolve(value)),
            error => goBack(() => reject(error)),
          )
      }
      this.#travel(from, to, () =>
        this.#enter(to, arrive, () => this.#travel(to, from, () => fail('refused'))),
      )
    })
  }

  /** A process ended: its connections are reset, and the others notice, mostly. */
  died(member: Member): void {
    for (const call of this.#open) {
      if (call.servedBy === member.life) this.#world.after(this.#delay(), call.reset)
    }
    for (const other of this.#members.values()) {
      if (other.id === member.id || this.#chance.yes(0.1)) continue
      this.#travel(member.id, other.id, () =>
        this.#enter(other.id, target => target.engine.connectionClosed(member.id)),
      )
    }
  }

  #send(from: Member, to: string, messages: readonly SlotMessage[]): void {
    const { weather } = this
    const link = `${from.id}>${to}`
    const body = messagesBody.encode(messages)
    const { life } = from
    const arrive = () =>
      this.#enter(
        to,
        target => {
          this.#trace.note(`${link} ${body.length}`)
          void target.engine.receive(from.id, messagesBody.decode(body) as readonly SlotMessage[])
        },
        () => life.run(() => from.life === life && from.engine.unreachable(to)),
      )
    const times = this.#chance.yes(weather.duplication) ? 2 : 1
    for (let i = 0; i < times; i++) this.#travel(from.id, to, arrive, true)
  }

  #dial(from: Member, to: string): Promise<DialResult> {
    return this.call<DialResult>(from.id, from.life, to, DIAL_TIMEOUT_MS, () => 'open').catch(error => {
      // A stopped process answers nothing, but its kernel accepts the connection.
      const target = this.#members.get(to)
      if (target?.isUp && target.life.isPaused && !this.isCut(from.id, to)) return 'open'
      return error instanceof NetworkError && error.kind === 'refused' ? 'refused' : 'silent'
    })
  }

  isCut(from: string, to: string): boolean {
    return this.cuts.has(`${from}>${to}`)
  }

  /** Runs `arrive` after the link's delay, or never. */
  #travel(from: string, to: string, arrive: () => void, inOrder = false): void {
    const { weather } = this
    const link = `${from}>${to}`
    if (this.cuts.has(link) || this.#chance.yes(weather.loss)) return
    let atMs = this.#world.nowMs + this.#delay()
    if (inOrder && !this.#chance.yes(weather.reorder)) {
      atMs = Math.max(atMs, this.#lastArrivalMs.get(link) ?? 0)
      this.#lastArrivalMs.set(link, atMs)
    }
    this.#world.after(atMs - this.#world.nowMs, () => {
      if (!this.cuts.has(link)) arrive()
    })
  }

  /** Hands something to the process at `to`; `refused` when there is none. */
  #enter(to: string, arrive: (target: Member) => void, refused: () => void = () => {}): void {
    const member = this.#members.get(to)
    if (!member?.isUp) {
      refused()
      return
    }
    const { life } = member
    life.run(() => {
      if (member.life === life && member.isUp) arrive(member)
    })
  }

  #delay(): number {
    const { minDelayMs, maxDelayMs } = this.weather
    return minDelayMs + this.#chance.next() ** 4 * (maxDelayMs - minDelayMs)
  }
}

interface OpenCall {
  servedBy: Member['life'] | undefined
  readonly reset: () => void
}
