import { LIMITS } from '../limits.ts'

/** The bounds of the fan-out that a test makes small. */
export interface StreamBounds {
  readonly ringEvents: number
  readonly ringBytes: number
  /** The same for a selection of several topics. */
  readonly channelEvents: number
  readonly channelBytes: number
  /** Bytes waiting in a subscriber's socket from which on it is not fed. */
  readonly bufferBytes: number
  /** Bytes waiting in a trunk's socket from which on events are left out. */
  readonly trunkBytes: number
  /** Events read from the log at a time. */
  readonly replayEvents: number
}

/** The bounds in use, from limits.ts. */
export const STREAM_BOUNDS: StreamBounds = {
  ringEvents: LIMITS.MAX_RING_EVENTS,
  ringBytes: LIMITS.MAX_RING_BYTES,
  channelEvents: LIMITS.MAX_CHANNEL_RING_EVENTS,
  channelBytes: LIMITS.MAX_CHANNEL_RING_BYTES,
  bufferBytes: LIMITS.MAX_SUBSCRIBER_BUFFER_BYTES,
  trunkBytes: LIMITS.MAX_TRUNK_BUFFER_BYTES,
  replayEvents: LIMITS.REPLAY_EVENTS,
}
