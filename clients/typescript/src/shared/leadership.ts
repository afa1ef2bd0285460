import type { Item } from '../feed.ts'
import { LIMITS } from '../limits.ts'
import {
  type Channel,
  compareTerms,
  type Message,
  NO_TERM,
  type Surroundings,
  type Term,
} from './messages.ts'

/** What a tab does for a shared stream, and with it. */
export interface Sharing {
  /** Opens the stream behind a cursor, or, where that is empty, live. */
  bring(cursor: string, signal: AbortSignal): AsyncIterable<readonly Item[]>
  /** Takes what the stream of whichever tab leads brought behind the cursor `before`. */
  take(before: string, items: readonly Item[]): void
}

/** How tabs find each other. */
export interface LeadershipOptions {
  readonly surroundings: Surroundings
  /** What the tabs share, and with whom: the name of their lock and of their channel. */
  readonly name: string
  /** This tab's, like no other's. */
  readonly id: string
  readonly heartbeatMs: number
}

/**
 * One tab of those with the same name holds the stream: the one that has the lock. It is let go when that tab closes;
 * from one that is frozen, and so answers nobody, it is taken. Whoever leads goes on from the last cursor it heard,
 * under a term above all it heard, and steps down when it hears of a higher one.
 */
export class Leadership {
  readonly #options: LeadershipOptions
  readonly #sharing: Sharing
  readonly #channel: Channel
  /** The highest term that was heard or taken. */
  #heard: Term = NO_TERM
  /** Set while this tab leads. */
  #leading: { readonly term: Term; readonly resign: AbortController } | undefined
  /** The shared stream's place: behind the last item that was heard or brought. */
  #cursor = ''
  #queued = new AbortController()
  #shallSteal = false
  #hasHeard = false
  #unanswered = 0
  /** The last outdated term whose leader was told so. */
  #corrected: Term = NO_TERM

  constructor(options: LeadershipOptions, sharing: Sharing) {
    this.#options = options
    this.#sharing = sharing
    this.#channel = options.surroundings.channel(options.name)
  }

  get isLeading(): boolean {
    return this.#leading !== undefined
  }

  /**
   * Listens to the leader, and leads when it is this tab's turn, until the signal is aborted.
   * @throws what `bring` throws, and whatever but an abortion locks are refused with
   */
  async run(signal: AbortSignal): Promise<void> {
    const { every } = this.#options.surroundings
    this.#channel.onmessage = ({ data }) => this.#hear(data)
    const stop = every(this.#options.heartbeatMs, () => this.#tick())
    const onAbort = () => this.#queued.abort()
    signal.addEventListener('abort', onAbort)
    this.ask()
    try {
      while (!signal.aborted) await this.#queue(signal)
    } finally {
      stop()
      signal.removeEventListener('abort', onAbort)
      this.#channel.onmessage = null
      this.#channel.close()
    }
  }

  /** Has the leader say where the stream is; this tab too, when it leads. */
  ask(): void {
    if (this.#leading === undefined) this.#channel.postMessage({ kind: 'ask', term: this.#heard })
    else if (this.#cursor !== '') this.#sharing.take(this.#cursor, [])
  }

  async #queue(signal: AbortSignal): Promise<void> {
    const { surroundings, name } = this.#options
    this.#queued = new AbortController()
    const options = this.#shallSteal ? { steal: true } : { signal: this.#queued.signal }
    this.#shallSteal = false
    let holding: Promise<void> | undefined
    const request = surroundings.locks.request(name, options, () => {
      holding = this.#lead(signal)
      return holding
    })
    const refusal = await request.then(
      () => undefined,
      error => ({ error }),
    )
    // Of a lock that was stolen one is told at once, whatever one still does.
    this.#leading?.resign.abort()
    if (holding !== undefined) await holding
    else if (refusal && (refusal.error as Error | undefined)?.name !== 'AbortError') throw refusal.error
  }

  async #lead(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    const resign = new AbortController()
    const onAbort = () => resign.abort()
    signal.addEventListener('abort', onAbort)
    const leading = { term: { number: this.#heard.number + 1, leader: this.#options.id }, resign }
    this.#leading = leading
    this.#heard = leading.term
    this.#shallSteal = false
    try {
      this.#announce(leading.term)
      for await (const items of this.#sharing.bring(this.#cursor, resign.signal)) {
        if (resign.signal.aborted) return
        // Every stream opens with where it begins.
        const before = this.#cursor || items[0]!.cursor
        this.#cursor = items.at(-1)!.cursor || this.#cursor
        this.#channel.postMessage({ kind: 'items', term: leading.term, before, items })
        this.#sharing.take(before, items)
      }
    } finally {
      this.#leading = undefined
      signal.removeEventListener('abort', onAbort)
    }
  }

  #announce(term: Term): void {
    const message: Message =
      this.#cursor === ''
        ? { kind: 'leading', term }
        : { kind: 'items', term, before: this.#cursor, items: [] }
    this.#channel.postMessage(message)
  }

  #hear(message: Message): void {
    const order = compareTerms(message.term, this.#heard)
    if (order > 0) {
      this.#heard = message.term
      // Somebody took the lock while this tab was frozen, or it began without knowing: who leads next will know.
      this.#leading?.resign.abort()
    }
    if (message.kind === 'ask') {
      if (this.#leading && !this.#leading.resign.signal.aborted) this.#announce(this.#leading.term)
      return
    }
    if (order < 0) {
      this.#correct(message.term)
      return
    }
    this.#hasHeard = true
    if (message.kind !== 'items') return
    this.#cursor = message.items.at(-1)?.cursor || message.before
    this.#sharing.take(message.before, message.items)
  }

  /** Tells whoever leads under an outdated term, once. */
  #correct(term: Term): void {
    if (compareTerms(term, this.#corrected) === 0) return
    this.#corrected = term
    this.#channel.postMessage({ kind: 'ask', term: this.#heard })
  }

  #tick(): void {
    if (this.#leading !== undefined) return
    if (this.#hasHeard) this.#unanswered = 0
    else if (this.#unanswered >= LIMITS.UNANSWERED) {
      this.#unanswered = 0
      this.#shallSteal = true
      this.#queued.abort()
      return
    } else this.#unanswered += 1
    this.#hasHeard = false
    this.ask()
  }
}
