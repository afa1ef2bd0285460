import type {
  Beat,
  DialResult,
  SlotMessage,
  SnapshotChunk,
  Transport,
} from '../../services/peer/engine/types.ts'
import { beatBody, messagesBody, rosterBody, snapshotBody } from '../../services/peer/engine/wire.ts'
import type { Member } from './member.ts'
import type { Trace } from './trace.ts'
import type { Chance, World } from './world.ts'

/** The address of a machine. */
export function urlOf(host: string): string {
  return `http://${host}.invalid`
}

/** The machine that a peer asks when it means `id`, by the roster it goes by; undefined when that does not list it. */
export function hostOf({ engine }: Member, id: string): string | undefined {
  const url = engine.roster.peers.find(peer => peer.id === id)?.url
  return url?.slice('http://'.length, -'.invalid'.length)
}

/** A call that got no answer. `refused` is definite: it never reached a process. */
export class NetworkError extends Error {
  readonly kind: 'refused' | 'timeout' | 'reset'
  constructor(kind: 'refused' | 'timeout' | 'reset') {
    super(kind)
    this.kind = kind
  }
}

/** How bad the network is on all links: the probability of each harm, for each message. */
export interface Weather {
  /** Lost on its way. */
  loss: number
  /** A batch arrives twice. */
  doubling: number
  /** Held back, so that what is sent later overtakes it. */
  reorder: number
  /** Longest delay; most messages take much less. */
  maxDelayMs: number
}

export const FAIR: Weather = { loss: 0, doubling: 0, reorder: 0, maxDelayMs: 1 }

/** What the weather did to one message. */
export type MessageHarm = 'lost message' | 'doubled message' | 'reordered message' | 'delayed message'

const MIN_DELAY_MS = 0.1
/** A delay that counts as one: ten times what fair weather gives. */
const LONG_DELAY_MS = 10
/** Longest time that an overtaken message is held back. */
const MAX_HOLD_MS = 50

const HEARTBEAT_TIMEOUT_MS = 400
const DIAL_TIMEOUT_MS = 500
const SNAPSHOT_TIMEOUT_MS = 2_000

/** The network between machines. Messages travel in the bytes they have on the wire. */
export class Network {
  weather: Weather = { ...FAIR }
  /** Told of each message that the weather harms. */
  onHarm: (kind: MessageHarm) => void = () => {}
  /** Links (`from>to`) that carry nothing, and how many faults cut them. */
  readonly #cuts = new Map<string, number>()
  /** Links on which what arrives waits until they are free again. */
  readonly #clogs = new Map<string, (() => void)[]>()
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
      send: (to, messages) => this.#send(from, life, to, messages),
      heartbeat: async (to, beat) => {
        const body = beatBody.encode(beat)
        const answer = await this.#ask(from, life, to, HEARTBEAT_TIMEOUT_MS, target => {
          target.heard(from)
          return beatBody.encode(target.engine.heartbeat(from.id, beatBody.decode(body) as Beat))
        })
        return beatBody.decode(answer)
      },
      roster: async to => {
        const answer = await this.#ask(from, life, to, HEARTBEAT_TIMEOUT_MS, target =>
          rosterBody.encode(target.engine.roster),
        )
        return rosterBody.decode(answer)
      },
      dial: to => this.#dial(from, to),
      snapshot: async (to, slot, afterIndex) => {
        const answer = await this.#ask(from, life, to, SNAPSHOT_TIMEOUT_MS, target =>
          snapshotBody.encode(target.engine.snapshotChunk(from.id, slot, afterIndex)),
        )
        return snapshotBody.decode(answer) as SnapshotChunk
      },
    }
  }

  /** What one peer asks another, at the address it knows of it. */
  #ask<T>(
    from: Member,
    life: Member['life'],
    id: string,
    timeoutMs: number,
    serve: (target: Member) => T | Promise<T>,
  ): Promise<T> {
    const host = hostOf(from, id)
    if (host === undefined) return Promise.reject(new NetworkError('refused'))
    return this.call(from.host, life, host, timeoutMs, serve)
  }

  /**
   * A request and its answer, from host to host. Rejects with NetworkError, or with what `serve` rejects with.
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
        const { life } = target
        call.servedBy = life
        const answer = (work: () => void) => {
          if (!life.isDead) goBack(work)
        }
        Promise.resolve()
          .then(() => serve(target))
          .then(
            value => answer(() => resolve(value)),
            error => answer(() => reject(error)),
          )
      }
      this.#travel(from, to, () =>
        this.#enter(to, arrive, () => this.#travel(to, from, () => fail('refused'))),
      )
    })
  }

  /** Carries one packet of a connection, which keeps the order itself; `lost` is called when it does not arrive. */
  packet(from: string, to: string, arrive: () => void, lost: () => void): void {
    this.#travel(from, to, arrive, false, lost)
  }

  /** A process ended: its connections are reset, and the others notice, mostly. */
  died(member: Member): void {
    for (const call of this.#open) {
      if (call.servedBy === member.life) this.#world.after(this.#delay(), call.reset)
    }
    for (const other of this.#members.values()) {
      if (other === member || this.#chance.yes(0.1)) continue
      this.#travel(member.host, other.host, () =>
        this.#enter(other.host, target => {
          if (hostOf(target, member.id) === member.host) target.engine.connectionClosed(member.id)
        }),
      )
    }
  }

  /** @param life the one that sends: what a process still does in the turn of its death stays inside */
  #send(from: Member, life: Member['life'], id: string, messages: readonly SlotMessage[]): void {
    const to = hostOf(from, id)
    if (life.isDead || to === undefined) return
    const link = `${from.host}>${to}`
    const body = messagesBody.encode(messages)
    const arrive = () =>
      this.#enter(
        to,
        target => {
          this.#trace.note(`${link} ${body.length}`)
          target.heard(from)
          void target.engine.receive(from.id, messagesBody.decode(body) as readonly SlotMessage[])
        },
        () => life.run(() => from.life === life && from.engine.unreachable(id)),
      )
    this.#travel(from.host, to, arrive, true)
    if (this.#strikes(this.weather.doubling, 'doubled message')) this.#travel(from.host, to, arrive, true)
  }

  #dial(from: Member, to: string): Promise<DialResult> {
    const host = hostOf(from, to)
    return this.#ask<DialResult>(from, from.life, to, DIAL_TIMEOUT_MS, () => 'open').catch(error => {
      // A stopped process answers nothing, but its kernel accepts the connection.
      const target = this.#members.get(host ?? '')
      if (target?.isUp && target.life.isPaused && !this.isCut(from.host, target.host)) return 'open'
      return error instanceof NetworkError && error.kind === 'refused' ? 'refused' : 'silent'
    })
  }

  /** Links of `from>to` carry nothing any more, until as many calls of `mend` as of this. */
  cut(links: readonly string[]): void {
    for (const link of links) this.#cuts.set(link, (this.#cuts.get(link) ?? 0) + 1)
  }

  mend(links: readonly string[]): void {
    for (const link of links) {
      const left = (this.#cuts.get(link) ?? 0) - 1
      if (left > 0) this.#cuts.set(link, left)
      else this.#cuts.delete(link)
    }
  }

  isCut(from: string, to: string): boolean {
    return this.#cuts.has(`${from}>${to}`)
  }

  /** What arrives on the link waits, as behind a full buffer; calls time out meanwhile. */
  clog(link: string): void {
    if (!this.#clogs.has(link)) this.#clogs.set(link, [])
  }

  /** All that waits arrives at once, in its order. */
  unclog(link: string): void {
    const waiting = this.#clogs.get(link) ?? []
    this.#clogs.delete(link)
    for (const arrive of waiting) this.#world.after(0, arrive)
  }

  /** Fair weather, and every link carries. */
  heal(): void {
    this.weather = { ...FAIR }
    this.#cuts.clear()
    for (const link of [...this.#clogs.keys()]) this.unclog(link)
  }

  /** Runs `arrive` after the link's delay, or `lost`, or neither when nobody is told. */
  #travel(from: string, to: string, arrive: () => void, inOrder = false, lost: () => void = () => {}): void {
    const { weather } = this
    const link = `${from}>${to}`
    if (this.#cuts.has(link) || this.#strikes(weather.loss, 'lost message')) {
      lost()
      return
    }
    let atMs = this.#world.nowMs + this.#delay()
    if (this.#strikes(weather.reorder, 'reordered message')) atMs += this.#chance.between(1, MAX_HOLD_MS)
    else if (inOrder) {
      atMs = Math.max(atMs, this.#lastArrivalMs.get(link) ?? 0)
      this.#lastArrivalMs.set(link, atMs)
    }
    this.#world.after(atMs - this.#world.nowMs, () => {
      const clogged = this.#clogs.get(link)
      if (this.#cuts.has(link)) lost()
      else if (clogged) clogged.push(arrive)
      else arrive()
    })
  }

  #strikes(probability: number, kind: MessageHarm): boolean {
    if (probability === 0 || !this.#chance.yes(probability)) return false
    this.onHarm(kind)
    return true
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
    const delayMs = MIN_DELAY_MS + this.#chance.next() ** 4 * (this.weather.maxDelayMs - MIN_DELAY_MS)
    if (delayMs > LONG_DELAY_MS) this.onHarm('delayed message')
    return delayMs
  }
}

interface OpenCall {
  servedBy: Member['life'] | undefined
  readonly reset: () => void
}
