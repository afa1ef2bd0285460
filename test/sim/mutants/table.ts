import type { Mutant } from './mutant.ts'
import { RAFT_MUTANTS } from './raft.ts'
import { ROSTER_MUTANTS } from './roster.ts'
import { SLOT_MUTANTS } from './slots.ts'
import { STREAM_MUTANTS } from './streams.ts'

/** All of them. Each must be caught by the simulator (`npm run sim:mutants`). */
export const MUTANTS: readonly Mutant[] = [
  ...RAFT_MUTANTS,
  ...SLOT_MUTANTS,
  ...STREAM_MUTANTS,
  ...ROSTER_MUTANTS,
]
