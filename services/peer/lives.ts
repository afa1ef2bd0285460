import type { PeerId } from './cube/labels.ts'
import type { Roster } from './cube/roster.ts'
import type { EngineLog } from './engine/settings.ts'
import type { Clock } from './engine/types.ts'
import { LIMITS } from './limits.ts'
import type { RepairEnd } from './membership/repair.ts'
import { hasNext, removeNext, setAside } from './store/aside.ts'
import { StoreError } from './store/errors.ts'
import { type NextStore, prepareNext } from './store/next.ts'
import { openLmdbStore } from './store/open.ts'
import type { LogStore } from './store/types.ts'

/** One running peer. */
export interface Peer {
  readonly url: string
  /** Undefined before this peer belongs to a cube. */
  readonly id: PeerId | undefined
  /** Resolves when every slot held here has a primary; rejects when the cube cannot be founded or joined. */
  readonly ready: Promise<void>
  /** What a person should know of the cube this peer belongs to; undefined when there is nothing to say. */
  warning(): string | undefined
  /** Hands the slots over, ends the streams and the requests under way, writes what is left. */
  close(): Promise<void>
}

/** A peer on one store, which closes it when it is closed itself. */
export interface Life extends Peer {
  /** Rejects with what listening throws. */
  listen(): Promise<void>
}

/** How a life ends that another one follows. */
export type LifeEnd =
  | RepairEnd
  /** The cluster had taken the store off its list, and takes the peer in as a new one. */
  | { readonly kind: 'unlisted' }

/** What a life needs to be followed by another one. */
export interface Succession {
  /** How often the lives before fell silent in vain. */
  readonly attempts: number
  /** Of the store that is to take this one's place, once it was prepared. */
  nextUid(): string | undefined
  /** See RepairOptions. */
  prepare(): Promise<string>
  /** This life is over. */
  ended(end: LifeEnd): void
}

export interface LivesOptions {
  readonly url: string
  /** Folder of the store. */
  readonly data: string
  /** Where other peers are that may know this one, should its store not say so. */
  readonly others: readonly string[]
  readonly clock: Clock
  readonly log: EngineLog
  begin(store: LogStore, succession: Succession): Life
  /** The roster by which the peer at `url` goes. Rejects when nobody answers in time, or it has none. */
  rosterAt(url: string): Promise<Roster>
  /** A later life could not begin: the process must end. */
  onFatal(error: Error): void
}

/**
 * One peer through the stores it has one after the other: one that is damaged, or that the cluster does not list any
 * more, is set aside, and the peer begins anew with an empty one, in the same process.
 */
export class Lives implements Peer {
  readonly url: string
  readonly ready: Promise<void>
  readonly #options: LivesOptions
  #life: Life | undefined
  #lives = 0
  #attempts = 0
  #nextUid: string | undefined
  #isClosing = false
  /** Ends the pause between two questions to the others. */
  #wake: () => void = () => {}
  /** The change from one life to the next that is under way. */
  #changing: Promise<void> = Promise.resolve()
  #isReady: () => void = () => {}
  #cannotBe: (error: unknown) => void = () => {}

  constructor(options: LivesOptions) {
    this.#options = options
    this.url = options.url
    this.ready = new Promise((resolve, reject) => {
      this.#isReady = resolve
      this.#cannotBe = reject
    })
    this.ready.catch(() => {})
  }

  get id(): PeerId | undefined {
    return this.#life?.id
  }

  warning(): string | undefined {
    return this.#life?.warning()
  }

  /** Opens the store and listens, unless it is closed meanwhile. Rejects with StoreError or with what listening throws. */
  async start(): Promise<void> {
    const opened = await this.#open()
    if (opened === undefined) return
    const store = await this.#finish(opened)
    if (this.#isClosing) return store.close()
    this.#lives += 1
    try {
      await this.#live(store)
    } catch (error) {
      await store.close()
      throw error
    }
  }

  async close(): Promise<void> {
    this.#isClosing = true
    this.#wake()
    await this.#changing
    await this.#life?.close()
  }

  /** Rejects with what keeps the life from beginning, and leaves the store open then. */
  async #live(store: LogStore): Promise<void> {
    let isOver = false
    const life = this.#options.begin(store, {
      attempts: this.#attempts,
      nextUid: () => this.#nextUid,
      prepare: async () => {
        this.#nextUid ??= (await this.#prepare()).uid
        return this.#nextUid
      },
      ended: end => {
        if (isOver) return
        isOver = true
        this.#changing = this.#change(life, end)
      },
    })
    life.ready.then(this.#isReady, error => {
      if (isOver) return
      if (this.#lives > 1 && !this.#isClosing) this.#options.onFatal(error)
      else this.#cannotBe(error)
    })
    await life.listen()
    if (!isOver) this.#life = life
  }

  async #change(life: Life, end: LifeEnd): Promise<void> {
    const { data, onFatal } = this.#options
    try {
      // What was replaced must not be forgotten, whatever happens now.
      if (end.kind === 'replaced') await prepareNext(data, end.roster)
      if (end.kind === 'again') this.#attempts += 1
      await life.close()
      if (this.#isClosing) return
      if (end.kind === 'unlisted') this.#setAside('the cluster does not list it any more')
      await this.start()
    } catch (error) {
      onFatal(error instanceof Error ? error : new Error(String(error)))
    }
  }

  /** Undefined when the peer is closed before it is known what is to become of the store. */
  async #open(): Promise<LogStore | undefined> {
    const { data } = this.#options
    try {
      return openLmdbStore(data)
    } catch (error) {
      if (!isUnreadable(error)) throw error
      if (!(await this.#isReplaced()) && !(await this.#isKnown(error))) {
        if (this.#isClosing) return undefined
        throw error
      }
    }
    return this.#isClosing ? undefined : this.#openAnew()
  }

  /** Of a store that the others can do without. What was wrong with it may have been so for a moment only. */
  #openAnew(): LogStore {
    const { data } = this.#options
    try {
      return openLmdbStore(data)
    } catch (error) {
      if (!isUnreadable(error)) throw error
      this.#setAside(error.message)
      return openLmdbStore(data)
    }
  }

  /** Whether the prepared store says itself that it has taken the place of this one: nobody needs to be asked. */
  async #isReplaced(): Promise<boolean> {
    const next = await this.#next()
    return next !== undefined && lists(next.roster, next.uid)
  }

  /**
   * The prepared store takes the place of the one that is open, if the roster says so: in this process a moment ago, or in
   * an earlier one that ended before it could do it. Rejects with StoreError and what the file system throws, and leaves
   * no store open then.
   */
  async #finish(store: LogStore): Promise<LogStore> {
    let uid: string | undefined
    try {
      uid = await this.#successor(store)
    } catch (error) {
      await store.close()
      throw error
    }
    if (uid === undefined || this.#isClosing) return store
    await store.close()
    this.#setAside(`it was replaced in the roster by the store ${uid}`)
    return openLmdbStore(this.#options.data)
  }

  /** The uid of the prepared store, once the roster that lists it is kept in it; undefined when none lists it. */
  async #successor(store: LogStore): Promise<string | undefined> {
    const next = await this.#next()
    if (next === undefined) return undefined
    const { uid, roster } = next
    this.#nextUid = uid
    const stored = store.roster()
    const known = [roster, stored].find(one => lists(one, uid)) ?? (await this.#latest(stored, uid))
    if (known && known !== roster) await prepareNext(this.#options.data, known)
    return known && uid
  }

  /** The store that was prepared; one that cannot be read is as good as none, and is removed. */
  async #next(): Promise<NextStore | undefined> {
    const { data, log } = this.#options
    if (!hasNext(data)) return undefined
    try {
      return await prepareNext(data)
    } catch (error) {
      if (!isUnreadable(error)) throw error
      log.error({ data, error: error.message }, 'the store that was prepared cannot be read: it is removed')
      removeNext(data)
      return undefined
    }
  }

  async #prepare(): Promise<NextStore> {
    return (await this.#next()) ?? prepareNext(this.#options.data)
  }

  /** A later version that lists the prepared store, if any of the listed peers has it. */
  async #latest(stored: Roster | null, uid: string): Promise<Roster | undefined> {
    const urls = stored?.peers.map(({ url }) => url).filter(url => url !== this.url) ?? []
    const found = await this.#ask(urls)
    return found.find(roster => roster.clusterId === stored?.clusterId && lists(roster, uid))
  }

  /**
   * Whether the store is a lost one, since the others know this peer: there is another one to take its place from them.
   * Asks for a while: they may be starting, too.
   */
  async #isKnown(error: StoreError): Promise<boolean> {
    const { others, clock, log } = this.#options
    if (others.length === 0) return false
    log.error({ error: error.message }, 'the store cannot be read: the other peers are asked for this one')
    const untilMs = clock.monotonicMs() + LIMITS.REPAIR_ASK_MS
    for (let pauseMs: number = LIMITS.JOIN_RETRY_MIN_MS; !this.#isClosing; pauseMs *= 2) {
      const rosters = await this.#ask(others)
      if (rosters.length > 0) return this.#isListed(rosters)
      if (clock.monotonicMs() + pauseMs > untilMs) return false
      await this.#pause(pauseMs)
    }
    return false
  }

  /** By the roster of one cluster: peers of several are not all those that this store belongs to. */
  #isListed(rosters: readonly Roster[]): boolean {
    const { url, log } = this.#options
    const clusters = [...new Set(rosters.map(({ clusterId }) => clusterId))]
    const listing = rosters.filter(({ peers }) => peers.some(peer => peer.url === url))
    const isListed = clusters.length === 1 && listing.length > 0
    log.error(
      { clusters, isListed },
      'the other peers answered: the store is set aside if they list this one',
    )
    return isListed
  }

  /** Shorter when the peer is closed. */
  async #pause(pauseMs: number): Promise<void> {
    if (this.#isClosing) return
    await new Promise<void>(resolve => {
      this.#wake = resolve
      this.#options.clock.after(pauseMs, resolve)
    })
  }

  async #ask(urls: readonly string[]): Promise<Roster[]> {
    const answers = await Promise.allSettled(urls.map(url => this.#options.rosterAt(url)))
    return answers.flatMap(answer => (answer.status === 'fulfilled' ? [answer.value] : []))
  }

  #setAside(why: string): void {
    const { data, log } = this.#options
    const folder = setAside(data)
    // Whatever was prepared is what is opened next: it takes the place of nothing any more.
    this.#nextUid = undefined
    this.#attempts = 0
    log.error({ data, folder, why }, 'the store was set aside: this peer begins anew with an empty one')
  }
}

function lists(roster: Roster | null, uid: string): roster is Roster {
  return roster?.peers.some(peer => peer.uid === uid) === true
}

function isUnreadable(error: unknown): error is StoreError {
  return error instanceof StoreError && error.code === 'DATA_UNREADABLE'
}
