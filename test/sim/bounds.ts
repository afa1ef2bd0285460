import { LIMITS } from '../../services/peer/limits.ts'

/**
 * Small bounds, so that what is rare in use is common in a short run: compaction, snapshots in many chunks, sweeps in
 * many slices, appends in several messages, reads of a slot in many steps, peers that are given up. They hold for this whole process.
 */
export const SMALL_BOUNDS = {
  KEEP_LOG_ENTRIES: 25,
  COMPACT_EVERY_ENTRIES: 10,
  SWEEP_SLICE: 30,
  TRIM_SLICE_RUNS: 10,
  SNAPSHOT_CHUNK_BYTES: 4_000,
  MAX_APPEND_BYTES: 2_000,
  MAX_INFLIGHT_APPENDS: 4,
  MAX_CACHED_LOG_BYTES: 4_000,
  DEPARTURE_LOOK_MS: 500,
  DEPARTURE_PATIENCE_MS: 2_500,
  EVICTION_PAUSE_MAX_MS: 4_000,
  LIVE_CHUNK_BYTES: 1_000,
  SLOT_READ_RUNS: 10,
  SLOT_SEEK_TOPICS: 2,
  MAX_KNOWN_ENDS: 4,
  MAX_KNOWN_OFFSETS: 3,
  MAX_SLOT_READS: 2,
  MAX_SLOT_RETRIES: 1,
  MAX_COVER_WANTS: 2,
  MAX_AUDIENCES: 3,
  TRUNK_RETURN_MS: 2_000,
  TRUNK_IDLE_MS: 1_000,
} as const satisfies Partial<Record<keyof typeof LIMITS, number>>

export function useSmallBounds(): void {
  Object.assign(LIMITS, SMALL_BOUNDS)
}
