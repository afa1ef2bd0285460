import { Feed, type FeedOptions, type Item, isFinal } from '../feed.ts'
import { LIMITS } from '../limits.ts'
import { randomKey } from '../payload.ts'
import type { Peers } from '../peers.ts'
import type { Selection, Start } from '../selection.ts'
import { Junction } from './junction.ts'
import { Leadership } from './leadership.ts'
import type { Surroundings } from './messages.ts'
import { Outbox } from './outbox.ts'
import { inTurn } from './turn.ts'

/** What a tab needs to take part. */
export interface TabOptions extends FeedOptions {
  readonly surroundings: Surroundings
  readonly heartbeatMs: number
}

/** One tab's part in a shared stream, from when it begins to listen to when it ends. */
export class Tab {
  readonly #peers: Peers
  readonly #selection: Selection
  readonly #start: Start
  readonly #options: TabOptions
  readonly #name: string
  readonly #outbox = new Outbox()
  readonly #leaving = new AbortController()
  readonly #junction: Junction
  readonly #leadership: Leadership

  constructor(peers: Peers, selection: Selection, start: Start, options: TabOptions) {
    this.#peers = peers
    this.#selection = selection
    this.#start = start
    this.#options = options
    this.#name = nameOf(peers, selection)
    const isLive = !start.cursor && start.last === undefined && (start.from ?? 'latest') === 'latest'
    this.#junction = new Junction(isLive)
    if (start.cursor) this.#junction.begin(start.cursor)
    const { surroundings, heartbeatMs } = options
    this.#leadership = new Leadership(
      { surroundings, heartbeatMs, name: this.#name, id: randomKey() },
      {
        bring: (cursor, signal) => new Feed(peers, selection, { cursor }, options).batches(signal),
        take: (before, items) => this.#takeShared(before, items),
      },
    )
  }

  /**
   * What is new to this tab, in order, until the signal is aborted or all has ended.
   * @throws ProblemError, StreamError for what trying again does not mend
   */
  async *items(outer: AbortSignal): AsyncGenerator<Item, void, undefined> {
    const { signal } = this.#leaving
    const leave = () => this.#leave()
    outer.addEventListener('abort', leave)
    if (outer.aborted) leave()
    const parts = [this.#share(signal), this.#catchUp(signal)].map(part =>
      part.catch(error => this.#leave({ error })),
    )
    try {
      for (let item = await this.#outbox.take(); item !== undefined; item = await this.#outbox.take()) {
        yield item
      }
    } finally {
      leave()
      outer.removeEventListener('abort', leave)
      // The lock and the connections are let go before the listening counts as over.
      await Promise.all(parts)
    }
  }

  /** Ends this tab's part, with an error or without. What waits is handed out all the same. */
  #leave(error?: { readonly error: unknown }): void {
    this.#outbox.end(error)
    this.#leaving.abort()
  }

  #put(items: readonly Item[]): void {
    this.#outbox.push(items)
    if (items.some(({ read }) => isFinal(read, this.#selection))) this.#leave()
  }

  async #share(signal: AbortSignal): Promise<void> {
    try {
      await this.#leadership.run(signal)
    } catch (error) {
      // A page without an origin may not have locks; it has a stream of its own then.
      if ((error as Error | undefined)?.name !== 'SecurityError') throw error
      this.#junction.standAlone()
      this.#outbox.wake()
    }
  }

  #takeShared(before: string, items: readonly Item[]): void {
    try {
      this.#put(this.#junction.shared(before, items))
    } catch (error) {
      this.#leave({ error })
      return
    }
    // The stream is read for all tabs: it does not wait for a slow one.
    if (this.#outbox.isFull) this.#junction.fallBehind()
    if (!this.#junction.isLevel) this.#outbox.wake()
  }

  /** While this tab is behind, reads a stream of its own until it is level. */
  async #catchUp(signal: AbortSignal): Promise<void> {
    const { surroundings } = this.#options
    while (!signal.aborted) {
      if (this.#junction.isLevel || this.#outbox.isFull) await this.#outbox.changed()
      else {
        // One tab at a time, so that many that come at once leave connections for other use.
        await inTurn(surroundings.locks, `${this.#name} catch-up`, LIMITS.CATCH_UP_WAIT_MS, signal, () =>
          this.#readOn(signal),
        )
      }
    }
  }

  async #readOn(outer: AbortSignal): Promise<void> {
    if (this.#junction.isLevel) return
    const { cursor } = this.#junction
    const feed = new Feed(this.#peers, this.#selection, cursor ? { cursor } : this.#start, this.#options)
    const reading = new AbortController()
    const stop = () => reading.abort()
    outer.addEventListener('abort', stop)
    if (outer.aborted) stop()
    let isIdle = false
    const rest = this.#options.surroundings.every(this.#options.heartbeatMs, () => {
      if (isIdle) this.#put(this.#junction.idle())
      if (this.#junction.isLevel) stop()
      isIdle = true
    })
    // Where the shared stream is, should nothing come on it meanwhile.
    this.#leadership.ask()
    try {
      for await (const batch of feed.batches(reading.signal)) {
        isIdle = false
        // The shared stream may have come up to this tab while the batch was under way.
        if (this.#junction.isLevel) return
        this.#put(this.#junction.own(batch))
        if (this.#junction.isLevel) return
        while (this.#outbox.isFull && !outer.aborted) await this.#outbox.changed()
      }
    } finally {
      rest()
      stop()
      outer.removeEventListener('abort', stop)
    }
  }
}

/** Tabs share what is the same selection of the same peers, by the same form of messages. */
function nameOf(peers: Peers, selection: Selection): string {
  const form = selection.single === undefined ? 'topics' : 'topic'
  return `hypercast/1 ${JSON.stringify([form, selection.topics, [...peers.urls].sort()])}`
}
