import type { RunResult } from '../../../test/sim/run.ts'
import { MIN_OPERATIONS } from './protocol.ts'

/**
 * What is wrong with a run: its violations, and too few client operations where the seed chose its own length.
 * @param faultsMs the length of the faults when it was given
 */
export function judge(result: RunResult, faultsMs: number | undefined): string[] {
  const violations = [...result.violations]
  const { operations } = result
  if (violations.length === 0 && faultsMs === undefined && operations < MIN_OPERATIONS) {
    violations.push(`a seed has ${MIN_OPERATIONS} client operations: this one has ${operations}`)
  }
  return violations
}
