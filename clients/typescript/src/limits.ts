/** Every bound of the client. What a user may change is in the options instead. */
export const LIMITS = {
  /** Peers of one list: more than one cube has. */
  MAX_PEERS: 1_024,
  /** Characters of one frame of a stream: the largest payload, written as JSON, and room to spare. */
  MAX_FRAME_CHARACTERS: 67_108_864,
  /** Pause before the next untried peer is asked: spreads the subscribers of a peer that died over time. */
  NEXT_PEER_MS: 50,
  /** First and longest pause once every peer has failed. */
  RETRY_MIN_MS: 200,
  RETRY_MAX_MS: 10_000,
  /** One attempt at one peer. */
  ATTEMPT_TIMEOUT_MS: 5_000,
  /** All attempts of one request. */
  PATIENCE_MS: 30_000,
  /** Silence after which a stream counts as dead: three of the peers' heartbeats. */
  SILENCE_MS: 45_000,
  /** Topics of one subscription whose offsets are remembered: about 10 MB. */
  MAX_TRACKED_TOPICS: 100_000,
  /** Events that wait for a tab's own use; with more, it leaves the shared stream and reads on later by its own. */
  MAX_WAITING: 1_000,
  /** Shared events kept while a tab catches up: where it may join the shared stream. */
  MAX_SHARED_KEPT: 10_000,
  /** How often a tab asks whether the leader is there, unless it heard of it. */
  HEARTBEAT_MS: 3_000,
  /** Questions without an answer after which the leader counts as frozen. */
  UNANSWERED: 3,
  /** How long a tab lets another one catch up before it does so beside it. */
  CATCH_UP_WAIT_MS: 10_000,
} as const
