import type { End } from './feed.ts'
import type { SubscriberOptions } from './listening.ts'
import type { ReceivedEvent } from './received.ts'

/** Takes one event; a promise it returns is awaited before the next. */
export type EventHandler = (event: ReceivedEvent) => void | Promise<void>

/** Options of a subscription that calls back. */
export interface CallbackOptions extends SubscriberOptions {
  readonly onEvent: EventHandler
}

/** What a subscription runs on: a Subscriber, or one that shares its stream. */
export interface Listener {
  readonly cursor: string | undefined
  close(): void
  subscribeAndListen(handler: EventHandler): Promise<End | undefined>
}

/** A subscription that runs and calls back. */
export class Subscription {
  /**
   * Settles when it is over: with the end of its only topic, with undefined when it was closed or aborted; rejects
   * with what no peer will mend and with what `onEvent` threw.
   */
  readonly done: Promise<End | undefined>
  readonly #listener: Listener

  constructor(listener: Listener, onEvent: EventHandler) {
    this.#listener = listener
    this.done = listener.subscribeAndListen(onEvent)
  }

  /** Behind the last event that `onEvent` is done with; undefined before the stream has a position. */
  get cursor(): string | undefined {
    return this.#listener.cursor
  }

  /** Ends it for good. */
  close(): void {
    this.#listener.close()
  }
}
