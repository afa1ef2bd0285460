import type { Notice, ReceivedEvent, SubscriberOptions } from '../../clients/typescript/src/index.ts'
import type { Channel, Message, SharedOptions, Surroundings } from '../../clients/typescript/src/shared.ts'
import { SharedSubscriber } from '../../clients/typescript/src/shared.ts'
import { type FakeLog, FakeReading } from './fake-log.ts'

/** What a tab was given, in order. */
export type Seen =
  | { readonly kind: 'event'; readonly topic: string; readonly incarnation: number; readonly offset: number }
  | Extract<Notice, { kind: 'gap' | 'end' }>

interface Waiting {
  readonly tab: FakeTab
  grant(): void
  refuse(error: Error): void
}
interface Held {
  readonly tab: FakeTab
  lose(): void
}
interface Link {
  readonly from: FakeTab
  readonly to: FakeTab
  readonly deliver: () => void
}

/** A browser without time: tabs with locks, channels and streams, of which each step happens when a test says so. */
export class FakeBrowser {
  readonly log: FakeLog
  readonly tabs: FakeTab[] = []
  readonly streams = new Set<FakeStream>()
  /** Messages under way; those from one tab to another stay in order. */
  links: Link[] = []
  readonly channels: { readonly name: string; readonly tab: FakeTab; readonly channel: Channel }[] = []
  readonly #held = new Map<string, Held>()
  readonly #queues = new Map<string, Waiting[]>()

  constructor(log: FakeLog) {
    this.log = log
  }

  /** @param past what was seen up to the cursor that the tab begins at */
  open(options: SubscriberOptions, past: readonly Seen[] = []): FakeTab {
    const tab = new FakeTab(this, options, past)
    this.tabs.push(tab)
    return tab
  }

  /** Delivers the message under way with this number, or the first between its two tabs. */
  deliver(at: number): void {
    const chosen = this.links[at]
    if (chosen === undefined) return
    const first = this.links.findIndex(({ from, to }) => from === chosen.from && to === chosen.to)
    const [link] = this.links.splice(first, 1)
    link!.deliver()
  }

  /** A tab is gone, as if its process was killed: no code of its own runs. */
  forget(tab: FakeTab): void {
    for (const [name, held] of this.#held) if (held.tab === tab) this.#release(name, held)
    for (const [name, queue] of this.#queues) {
      this.#queues.set(
        name,
        queue.filter(waiting => waiting.tab !== tab),
      )
    }
    for (const stream of this.streams) if (stream.tab === tab) this.streams.delete(stream)
    // What it posted last may not have got out, at some tabs.
    this.links = this.links.filter(({ from, to }, at) => to !== tab && !(from === tab && at % 2 === 0))
  }

  async request(
    tab: FakeTab,
    name: string,
    { signal, steal = false }: { signal?: AbortSignal; steal?: boolean },
    callback: () => Promise<void>,
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        tab,
        grant: () => {
          const held: Held = { tab, lose: () => tab.do(() => reject(abortError())) }
          this.#held.set(name, held)
          tab.do(() => {
            const working = callback()
            const release = () => this.#release(name, held)
            working.then(release, release)
            working.then(resolve, reject)
          })
        },
        // What is left of a tab that is gone must not keep the process waiting.
        refuse: error => (tab.isDead ? reject(error) : tab.do(() => reject(error))),
      }
      if (signal?.aborted) return waiting.refuse(abortError())
      const queue = this.#queues.get(name) ?? []
      this.#queues.set(name, queue)
      signal?.addEventListener('abort', () => {
        const at = this.#queues.get(name)!.indexOf(waiting)
        if (at >= 0) this.#queues.get(name)!.splice(at, 1)
        if (at >= 0 || tab.isDead) waiting.refuse(abortError())
      })
      if (steal) {
        this.#held.get(name)?.lose()
        return waiting.grant()
      }
      queue.push(waiting)
      this.#grantNext(name)
    })
  }

  #release(name: string, held: Held): void {
    if (this.#held.get(name) !== held) return
    this.#held.delete(name)
    this.#grantNext(name)
  }

  #grantNext(name: string): void {
    if (!this.#held.has(name)) this.#queues.get(name)?.shift()?.grant()
  }
}

/** A tab with a SharedSubscriber; while it is frozen nothing happens in it. */
export class FakeTab {
  /** What it was given, and before it whoever saved the cursor that it began at. */
  readonly seen: Seen[]
  /** How many of them were seen before. */
  readonly past: number
  readonly subscriber: SharedSubscriber
  readonly options: SubscriberOptions
  readonly subscriberOptions: SharedOptions
  readonly done: Promise<unknown>
  isFrozen = false
  isDead = false
  readonly #browser: FakeBrowser
  readonly ticks = new Set<() => void>()
  #waiting: (() => void)[] = []

  constructor(browser: FakeBrowser, options: SubscriberOptions, past: readonly Seen[]) {
    this.#browser = browser
    this.seen = [...past]
    this.past = past.length
    this.options = options
    const surroundings: Surroundings = {
      locks: { request: (...args) => browser.request(this, ...args) },
      channel: name => this.#channel(name),
      every: (_, tick) => {
        this.ticks.add(tick)
        return () => this.ticks.delete(tick)
      },
    }
    this.subscriberOptions = {
      ...options,
      surroundings,
      retryMinMs: 0,
      retryMaxMs: 0,
      fetch: (url, init) => this.#fetch(String(url), init!),
      onGap: gap => this.seen.push(gap),
      onEnd: end => this.seen.push(end),
    }
    this.subscriber = new SharedSubscriber('http://peer', ['a', 's/*'], this.subscriberOptions)
    this.done = this.subscriber.subscribeAndListen(event => void this.seen.push(seenOf(event)))
  }

  /** Something from outside happens in this tab: later when it is frozen, never when it is gone. */
  do(work: () => void): void {
    if (this.isDead) return
    if (this.isFrozen) this.#waiting.push(work)
    else work()
  }

  tick(): void {
    if (!this.isFrozen) for (const tick of this.ticks) tick()
  }

  thaw(): void {
    this.isFrozen = false
    for (const work of this.#waiting.splice(0)) this.do(work)
  }

  kill(): void {
    this.isDead = true
    this.#browser.forget(this)
  }

  #channel(name: string): Channel {
    const { channels } = this.#browser
    const channel: Channel = {
      onmessage: null,
      postMessage: (message: Message) => {
        for (const other of channels) {
          if (other.name !== name || other.channel === channel) continue
          const data = structuredClone(message)
          const deliver = () => other.tab.do(() => other.channel.onmessage?.({ data }))
          this.#browser.links.push({ from: this, to: other.tab, deliver })
        }
      },
      close: () => {
        const at = channels.findIndex(other => other.channel === channel)
        channels.splice(at, 1)
      },
    }
    channels.push({ name, tab: this, channel })
    return channel
  }

  async #fetch(url: string, init: RequestInit): Promise<Response> {
    init.signal!.throwIfAborted()
    if (this.isDead) return new Promise((_, reject) => init.signal!.addEventListener('abort', reject))
    const reading = new FakeReading(
      this.#browser.log,
      new Headers(init.headers).get('last-event-id'),
      new URL(url).searchParams.get('from'),
    )
    const stream = new FakeStream(this, reading, init.signal!, () => this.#browser.streams.delete(stream))
    this.#browser.streams.add(stream)
    return stream.response
  }
}

/** One stream of a tab, moved on by a test. */
export class FakeStream {
  readonly tab: FakeTab
  readonly reading: FakeReading
  readonly response: Response
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined

  constructor(tab: FakeTab, reading: FakeReading, signal: AbortSignal, closed: () => void) {
    this.tab = tab
    this.reading = reading
    const body = new ReadableStream<Uint8Array>({
      start: controller => {
        this.#controller = controller
      },
    })
    this.response = new Response(body, { headers: { 'content-type': 'text/event-stream' } })
    this.send(reading.mark())
    signal.addEventListener('abort', () => {
      this.break(signal.reason)
      closed()
    })
  }

  send(text: string): void {
    const bytes = new TextEncoder().encode(text)
    if (text !== '') this.tab.do(() => this.#controller?.enqueue(bytes))
  }

  break(reason: unknown = new TypeError('the connection was cut')): void {
    const error = () => {
      this.#controller?.error(reason)
      this.#controller = undefined
    }
    // What is left of a tab that is gone must not keep the process waiting.
    if (this.tab.isDead) error()
    else this.tab.do(error)
  }
}

function seenOf({ topic, incarnation, offset }: ReceivedEvent): Seen {
  return { kind: 'event', topic, incarnation: incarnation!, offset }
}

function abortError(): Error {
  return new DOMException('The lock was not to be had.', 'AbortError')
}
