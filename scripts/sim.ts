/**
 * `npm run sim`: whole cubes on virtual time, network and disks, harmed in every way a seed thinks of while clients use
 * them. Seeds run in as many processes as there are cores. A seed that finds something prints the one command that
 * replays it.
 */
import { availableParallelism } from 'node:os'
import { Command } from 'commander'
import { runSeed } from '../test/sim/run.ts'
import { judge } from './lib/sim/judge.ts'
import { above0, natural, positive } from './lib/sim/options.ts'
import { runSeeds } from './lib/sim/pool.ts'
import type { Job, Outcome } from './lib/sim/protocol.ts'
import { Summary } from './lib/sim/summary.ts'

const options = new Command('sim')
  .description('Simulates cubes under faults and checks the promises.')
  .option('--seeds <number>', 'how many seeds to run', positive, 200)
  .option('--from <number>', 'the first seed', natural, 1)
  .option('--seed <number>', 'this seed only', natural)
  .option('--minutes <number>', 'go on from seed to seed for so long, instead of --seeds', above0)
  .option('--jobs <number>', 'how many processes', positive, availableParallelism())
  .option('--twice', 'run every seed twice: it must do the same', false)
  .option('--faults-ms <number>', 'virtual time under faults; without it each seed decides', natural)
  .option('--trace', 'print the transcript of the one --seed', false)
  .parse()
  .opts<{
    seeds: number
    from: number
    seed?: number
    minutes?: number
    jobs: number
    twice: boolean
    faultsMs?: number
    trace: boolean
  }>()

/** Between two lines of progress. */
const PROGRESS_EVERY_MS = 5_000

/** Lines of the transcript's end that are shown of a seed that fails. */
const TAIL_LINES = 80

const { faultsMs, twice } = options
const startMs = performance.now()
const summary = new Summary()
if (options.trace) await trace(options.seed ?? options.from)
else await many()
for (const line of summary.lines()) console.log(line)
console.log(`${((performance.now() - startMs) / 1_000).toFixed(0)} s`)
summary.failed.sort((a, b) => a - b)
for (const seed of summary.failed) console.log(`seed ${seed} failed; replay: ${replay(seed)}`)
process.exitCode = summary.failed.length > 0 ? 1 : 0

async function many(): Promise<void> {
  let toldMs = startMs
  const settled = (outcome: Outcome): boolean => {
    summary.add(outcome)
    if (outcome.violations.length > 0) report(outcome)
    else if (options.seed !== undefined) console.log(`seed ${outcome.seed}: hash ${outcome.result?.hash}`)
    if (performance.now() - toldMs > PROGRESS_EVERY_MS) {
      toldMs = performance.now()
      console.log(summary.line())
    }
    return true
  }
  await runSeeds(jobs(), { jobs: options.jobs }, settled)
}

/** One seed in this process, line by line. */
async function trace(seed: number): Promise<void> {
  const result = await runSeed(seed, {
    ...(faultsMs !== undefined && { faultsMs }),
    print: line => console.log(line),
  })
  const outcome = { seed, result: { ...result, tail: [] }, violations: judge(result, faultsMs) }
  summary.add({ ...outcome, wasTwice: false })
  if (outcome.violations.length > 0) report(outcome)
  else console.log(`seed ${seed}: hash ${result.hash}`)
}

function* jobs(): Generator<Job> {
  const length = faultsMs === undefined ? {} : { faultsMs }
  if (options.seed !== undefined) {
    yield { seed: options.seed, twice, ...length }
    return
  }
  const { from, minutes } = options
  const untilMs = minutes === undefined ? Number.POSITIVE_INFINITY : startMs + minutes * 60_000
  const count = minutes === undefined ? options.seeds : Number.POSITIVE_INFINITY
  for (let seed = from; seed < from + count && performance.now() < untilMs; seed++) {
    yield { seed, twice, ...length }
  }
}

function report({ seed, result, violations }: Pick<Outcome, 'seed' | 'result' | 'violations'>): void {
  for (const line of result?.tail.slice(-TAIL_LINES) ?? []) console.log(line)
  console.log(`seed ${seed} broke a promise:`)
  for (const violation of violations) console.log(`  ${violation}`)
  console.log(`replay: ${replay(seed)}`)
}

function replay(seed: number): string {
  return `npm run sim -- --seed ${seed}${faultsMs === undefined ? '' : ` --faults-ms ${faultsMs}`} --trace`
}
