import type { RunResult } from '../../../test/sim/run.ts'

/** What a worker is asked to run: one seed, perhaps twice. */
export interface Job {
  readonly seed: number
  /** Runs the seed again and compares the hashes of the two transcripts. */
  readonly twice: boolean
  /** Virtual time under faults in milliseconds; without it the seed decides. */
  readonly faultsMs?: number
}

/** What became of a seed. */
export interface Outcome {
  readonly seed: number
  /** Undefined when the worker died or hung over it. */
  readonly result: RunResult | undefined
  readonly violations: readonly string[]
  /** It was run a second time. */
  readonly wasTwice: boolean
}

/** Client operations that every seed must reach, so that faults meet work. */
export const MIN_OPERATIONS = 500
