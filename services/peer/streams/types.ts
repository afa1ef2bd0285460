import type { SlotPlace } from '../topics/vector-cursor.ts'

/** Where a stream of one topic begins. `cursor` resumes behind an event that was received. */
export type StreamStart =
  | { readonly kind: 'latest' }
  | { readonly kind: 'earliest' }
  /** Inclusive. */
  | { readonly kind: 'offset'; readonly offset: number }
  | { readonly kind: 'time'; readonly timeMs: number }
  | { readonly kind: 'last'; readonly count: number }
  | { readonly kind: 'cursor'; readonly offset: number; readonly incarnation: number }

export interface StreamOptions {
  readonly topic: string
  readonly start: StreamStart
  /** The publisher's type becomes the SSE event's name. */
  readonly named: boolean
  readonly format: 'plain' | 'cloudevents'
}

/** Where a stream over several topics begins. In slots that a cursor does not name it begins at `latest`. */
export type SeveralStart =
  | { readonly kind: 'latest' }
  | { readonly kind: 'earliest' }
  | { readonly kind: 'time'; readonly timeMs: number }
  /** So many of all events, the newest. */
  | { readonly kind: 'last'; readonly count: number }
  | { readonly kind: 'cursor'; readonly places: ReadonlyMap<number, SlotPlace> }

export interface SeveralOptions {
  /** Topics and patterns, at least one. */
  readonly wants: readonly string[]
  readonly start: SeveralStart
}

/** The part of a socket that the fan-out writer needs; `http.ServerResponse` has it. */
export interface Sink {
  /** False: wait for `drain`. */
  write(chunk: Uint8Array | string): boolean
  end(): void
  destroy(): void
  readonly destroyed: boolean
  readonly writableLength: number
  on(event: 'drain' | 'close' | 'error', listener: () => void): unknown
}

/** What came of asking for a stream. `ended` is answered 204, which stops a browser's EventSource. */
export type OpenedStream =
  | { readonly kind: 'ended' }
  /** Write the headers first, then attach; the stream runs until its end or the sink's. */
  | {
      readonly kind: 'open'
      attach(sink: Sink): void
      /** Instead of `attach`, when there is no sink after all: another stream may take the place. */
      abandon(): void
    }

/** What the streams of one peer come to. */
export interface StreamStats {
  /** Open streams to clients. */
  readonly streams: number
  /** Trunks to peers below this one in the relay tree, and above it. */
  readonly trunksDown: number
  readonly trunksUp: number
  /** Events written to clients since the start. */
  readonly deliveries: number
}
