import { SETTINGS, type Setting } from '../../../services/peer/config.ts'
import { LIMITS } from '../../../services/peer/limits.ts'
import { parseDuration, parseSize } from '../../../services/peer/units.ts'

/** The settings a peer has when nobody sets any, as far as they matter here. */
export interface Defaults {
  readonly slots: number
  readonly tickMs: number
  readonly heartbeatMs: number
  readonly electionMs: number
  readonly reclaimAfterMs: number
  readonly evictAfterMs: number
  readonly diskReserveBytes: number
  readonly publishTimeoutMs: number
  readonly sseHeartbeatMs: number
  readonly sseRetryMs: number
  readonly stallTimeoutMs: number
}

/** Reads them from the one table of settings. */
export function defaults(): Defaults {
  return {
    slots: Number(written('slots')),
    tickMs: duration('tickMs'),
    heartbeatMs: duration('heartbeatMs'),
    electionMs: duration('electionMs'),
    reclaimAfterMs: duration('reclaimAfterMs'),
    evictAfterMs: duration('evictAfterMs'),
    diskReserveBytes: known('diskReserveBytes', parseSize(written('diskReserveBytes'))),
    publishTimeoutMs: duration('publishTimeoutMs'),
    sseHeartbeatMs: duration('sseHeartbeatMs'),
    sseRetryMs: duration('sseRetryMs'),
    stallTimeoutMs: duration('stallTimeoutMs'),
  }
}

/** Replicas of a topic slot in a cube of so many peers. */
export function replicasAmong(peers: number): number {
  return Math.min(LIMITS.REPLICAS, peers)
}

function duration(key: Setting['key']): number {
  return known(key, parseDuration(written(key)))
}

function written(key: Setting['key']): string {
  return known(key, SETTINGS.find(setting => setting.key === key)?.default)
}

function known<T>(key: Setting['key'], value: T | undefined): T {
  if (value === undefined) throw new Error(`the setting ${key} has no default that can be read`)
  return value
}
