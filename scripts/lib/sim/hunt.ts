import { readFileSync } from 'node:fs'
import { type Mutant, mutate } from '../../../test/sim/mutants/mutant.ts'
import { ENDED_WITH_CODE, runSeeds } from './pool.ts'
import type { Job } from './protocol.ts'

const LOADER = new URL('../../../test/sim/mutants/load.ts', import.meta.url)

const PRODUCT = new URL('../../../services/peer/', import.meta.url)

export interface HuntOptions {
  readonly seeds: number
  /** The first of them. Without it they begin with the one that is known to show the mutant, and go on from 1. */
  readonly from: number | undefined
  readonly jobs: number
  readonly faultsMs?: number
}

/** The first seed that shows a mutant, and what it shows. */
export interface Caught {
  readonly seed: number
  readonly violation: string
}

/**
 * Runs seeds with one line of the product broken; undefined when none of them notices. Rejects when that line is not
 * there, or when a worker ends with an error: what is broken then is the mutant.
 */
export async function hunt(mutant: Mutant, options: HuntOptions): Promise<Caught | undefined> {
  const { jobs } = options
  mutate(readFileSync(new URL(mutant.file, PRODUCT), 'utf8'), mutant)
  const loader = `${LOADER.href}?mutant=${encodeURIComponent(mutant.name)}`
  const pool = { jobs, execArgv: ['--import', loader] }
  const caught: Caught[] = []
  await runSeeds(jobsFor(mutant, options), pool, ({ seed, violations }) => {
    const [violation] = violations
    if (violation !== undefined) caught.push({ seed, violation })
    return caught.length === 0
  })
  const broken = caught.find(({ violation }) => violation.startsWith(ENDED_WITH_CODE))
  if (broken) throw new Error(`mutant "${mutant.name}", seed ${broken.seed}: ${broken.violation}`)
  // Several run at a time: the first one is the same however many did.
  const known = knownTo(mutant, options)
  const rank = ({ seed }: Caught) => (seed === known ? -1 : seed)
  return caught.sort((one, other) => rank(one) - rank(other))[0]
}

/** The seed that is tried before those that are counted; undefined where the caller says which it wants. */
export function knownTo({ seed }: Mutant, { from }: Pick<HuntOptions, 'from'>): number | undefined {
  return from === undefined ? seed : undefined
}

function* jobsFor(mutant: Mutant, options: HuntOptions): Generator<Job> {
  const { seeds, from = 1, faultsMs } = options
  const length = faultsMs === undefined ? {} : { faultsMs }
  const known = knownTo(mutant, options)
  if (known !== undefined) yield { seed: known, twice: false, ...length }
  for (let seed = from; seed < from + seeds; seed++) yield { seed, twice: false, ...length }
}
