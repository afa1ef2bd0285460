import type { Member } from './member.ts'
import type { Chance, World } from './world.ts'

/** The address of whoever is reached under this host's name. */
export function urlOf(host: string): string {
  return `http://${host}.invalid`
}

/** The host that an address names. */
export function hostAt(url: string): string {
  return url.slice('http://'.length, -'.invalid'.length)
}

/** The host that a peer asks when it means `id`; undefined when the roster it goes by does not list it. */
export function hostOf({ whereabouts }: Member, id: string): string | undefined {
  const url = whereabouts.urlOf(id)
  return url === undefined ? undefined : hostAt(url)
}

/** Whether the one takes the other for a peer: it refuses all others (http/routes/relay.ts). */
export function lists({ engine }: Member, { id, uid }: Member): boolean {
  return engine.roster.peers.some(peer => peer.id === id && peer.uid === uid)
}

/**
 * Lets a request in whose sender is a listed peer, which says where it is (http/routes/relay.ts).
 * @param to the peer it is meant for, where that is said
 */
export function admits(target: Member, from: Member, to?: string): boolean {
  if (!lists(target, from)) return false
  target.whereabouts.said(from.id, urlOf(from.host))
  return to === undefined || from.whereabouts.uidOf(to) === target.uid
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
/** Longest time until whoever sent it notices that a message was lost. */
const MAX_NOTICE_MS = 2_000

const IS_UP = (member: Member): boolean => member.isUp

/** The network between machines. */
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
  readonly #members: ReadonlyMap<string, Member>
  readonly #lastArrivalMs = new Map<string, number>()
  readonly #open = new Set<OpenCall>()

  constructor(world: World, chance: Chance, members: ReadonlyMap<string, Member>) {
    this.#world = world
    this.#chance = chance
    this.#members = members
  }

  /**
   * A request and its answer, from host to host. Rejects with NetworkError, or with what `serve` rejects with.
   * @param caller the life that gets the answer; undefined for a client outside
   * @param isOpen who takes it at all
   */
  call<T>(
    from: string,
    caller: Member['life'] | undefined,
    to: string,
    timeoutMs: number,
    serve: (target: Member) => T | Promise<T>,
    isOpen: (target: Member) => boolean = IS_UP,
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
        this.#enter(to, arrive, () => this.#travel(to, from, () => fail('refused')), isOpen),
      )
    })
  }

  /**
   * Carries a batch of messages, behind those before it. `failed` is called when no process takes it and, in one case of two,
   * some time after it was lost: when its connection breaks, or no answer comes.
   */
  batch(from: string, to: string, arrive: (target: Member) => void, failed: () => void): void {
    const there = () => this.#enter(to, arrive, failed)
    this.#travel(from, to, there, true, () => {
      if (this.#chance.yes(0.5)) this.#world.after(this.#chance.between(0, MAX_NOTICE_MS), failed)
    })
    if (this.#strikes(this.weather.doubling, 'doubled message')) this.#travel(from, to, there, true)
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
  #enter(
    to: string,
    arrive: (target: Member) => void,
    refused: () => void = () => {},
    isOpen: (target: Member) => boolean = IS_UP,
  ): void {
    const member = this.#members.get(to)
    if (!member || !isOpen(member)) {
      refused()
      return
    }
    const { life } = member
    life.run(() => {
      if (member.life === life && isOpen(member)) arrive(member)
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
