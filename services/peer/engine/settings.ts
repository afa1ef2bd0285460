/** What an operator sets of the engine; durations in milliseconds. Defaults stand in config.ts. */
export interface EngineSettings {
  /** One step of Raft's time. */
  readonly tickMs: number
  /** Between two heartbeat exchanges of a pair of peers. */
  readonly heartbeatMs: number
  /** Silence that makes a replica suspect its primary. */
  readonly electionMs: number
  /** A home must have been reachable this long, without a break, before it is given its slots back. */
  readonly reclaimAfterMs: number
  /** Free bytes below which publishes are refused. */
  readonly diskReserveBytes: number
}

/** The log the engine writes to, pino's shape. */
export interface EngineLog {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}
