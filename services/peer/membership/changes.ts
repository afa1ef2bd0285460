import type { Roster } from '../cube/roster.ts'
import type { RosterChange } from '../cube/roster-change.ts'
import { type ErrorCode, HypercastError } from '../errors.ts'
import type { Dispatcher } from '../links/types.ts'

export type Wish = Exclude<RosterChange, { readonly kind: 'found' }>

export interface Changed {
  readonly roster: Roster
  /** False when the roster said so already. */
  readonly changed: boolean
}

/**
 * Appends one change to the roster's log, wherever its primary is, and resolves with the version that holds it.
 * `deadlineMs` is monotonic. Rejects with HypercastError: what the roster refuses, and OUTCOME_UNKNOWN, after which the
 * same change may be asked for again.
 */
export async function appendChange(
  dispatcher: Dispatcher,
  change: Wish,
  deadlineMs: number,
): Promise<Changed> {
  const { result } = await dispatcher.append({ kind: 'roster', change }, deadlineMs)
  if (result.kind === 'failed') {
    throw new HypercastError(result.definite ? result.code : 'OUTCOME_UNKNOWN', result.detail)
  }
  if (result.kind !== 'appended') throw new HypercastError('INTERNAL')
  const { result: applied } = result
  if (applied.kind === 'roster') return applied
  if (applied.kind !== 'refused') throw new HypercastError('INTERNAL')
  // The request was given up here before: it may have been applied.
  const code = applied.code === 'STALE_PRODUCER' ? 'OUTCOME_UNKNOWN' : (applied.code as ErrorCode)
  throw new HypercastError(code, applied.detail)
}
