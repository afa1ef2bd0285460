/**
 * `npm run sim:mutants`: breaks one line of the product at a time and runs seeds until the simulator notices. One that
 * survives is a hole in the simulator, and the exit code says so.
 */
import { availableParallelism } from 'node:os'
import { Command } from 'commander'
import type { Mutant } from '../test/sim/mutants/mutant.ts'
import { MUTANTS } from '../test/sim/mutants/table.ts'
import { type Caught, hunt, knownTo } from './lib/sim/hunt.ts'
import { natural, positive } from './lib/sim/options.ts'

const options = new Command('sim-mutants')
  .description('Shows that the simulator notices defects.')
  .option('--only <name>', 'this mutant only, or those whose name holds it')
  .option('--seeds <number>', 'seeds to try before a mutant has survived', positive, 200)
  .option(
    '--from <number>',
    'the first seed; without it 1, and before it the one known to show the mutant',
    natural,
  )
  .option('--jobs <number>', 'how many processes', positive, availableParallelism())
  .option('--faults-ms <number>', 'virtual time under faults; without it each seed decides', natural)
  .parse()
  .opts<{ only?: string; seeds: number; from: number | undefined; jobs: number; faultsMs?: number }>()

const { only } = options
const exact = MUTANTS.filter(({ name }) => name === only)
const wanted =
  exact.length > 0 ? exact : MUTANTS.filter(({ name }) => only === undefined || name.includes(only))
if (wanted.length === 0) throw new Error(`no mutant is named "${only}"`)
const startMs = performance.now()
const survivors: string[] = []
const width = Math.max(...wanted.map(({ name }) => name.length))
for (const mutant of wanted) {
  const caught = await hunt(mutant, options)
  if (caught === undefined) survivors.push(mutant.name)
  console.log(`${mutant.name.padEnd(width)}  ${told(caught, mutant)}`)
}
const tookS = ((performance.now() - startMs) / 1_000).toFixed(0)
console.log(`${wanted.length - survivors.length} of ${wanted.length} mutants caught, ${tookS} s`)
for (const name of survivors) console.log(`survived: ${name}`)
process.exitCode = survivors.length > 0 ? 1 : 0

function told(caught: Caught | undefined, mutant: Mutant): string {
  if (caught === undefined) return `SURVIVED ${options.seeds} seeds`
  const { seed, violation } = caught
  const count = seed - (options.from ?? 1) + 1
  const which = seed === knownTo(mutant, options) ? `seed ${seed}` : `${String(count).padStart(3)}. seed`
  const isExpected = mutant.shownBy.some(what => violation.includes(what))
  const [line] = violation.split('\n', 1)
  return `${which}  ${line!.slice(0, 150)}${isExpected ? '' : ' (not what was expected)'}`
}
