/**
 * `npm run sim`: whole cubes in one thread on virtual time, network and disks, harmed in every way a seed thinks of
 * while clients use them. A seed that finds something prints the one command that replays it.
 */
import { Command, InvalidArgumentError } from 'commander'
import { type RunResult, runSeed } from '../test/sim/run.ts'

const options = new Command('sim')
  .description('Simulates cubes under faults and checks the promises.')
  .option('--seeds <number>', 'how many seeds to run', natural, 200)
  .option('--from <number>', 'the first seed', natural, 1)
  .option('--seed <number>', 'this seed only', natural)
  .option('--minutes <number>', 'go on from seed to seed for so long, instead of --seeds', natural)
  .option('--faults-ms <number>', 'virtual time under faults; without it each seed decides', natural)
  .option('--trace', 'print the transcript', false)
  .parse()
  .opts<{ seeds: number; from: number; seed?: number; minutes?: number; faultsMs?: number; trace: boolean }>()

/** Between two lines of progress. */
const PROGRESS_EVERY_MS = 5_000

interface Sum {
  seeds: number
  virtualMs: number
  steps: number
  events: number
  snapshots: number
  readonly faults: Record<string, number>
  readonly failed: number[]
}

const sum: Sum = { seeds: 0, virtualMs: 0, steps: 0, events: 0, snapshots: 0, faults: {}, failed: [] }
const { faultsMs } = options
const runOptions = {
  ...(faultsMs !== undefined && { faultsMs }),
  ...(options.trace && { print: (line: string) => console.log(line) }),
}
const startMs = performance.now()
let toldMs = startMs
for (const seed of seeds()) {
  const result = await runSeed(seed, runOptions)
  add(sum, result)
  if (result.violations.length > 0) report(result)
  else if (options.trace || options.seed !== undefined) console.log(`seed ${seed}: hash ${result.hash}`)
  if (performance.now() - toldMs > PROGRESS_EVERY_MS) {
    toldMs = performance.now()
    console.log(`seed ${seed}: ${summary(sum)}`)
  }
}
console.log(`${summary(sum)}, ${((performance.now() - startMs) / 1_000).toFixed(0)} s`)
const kinds = Object.entries(sum.faults).sort(([one], [other]) => (one < other ? -1 : 1))
console.log(`faults: ${kinds.map(([kind, count]) => `${count} ${kind}`).join(', ')}`)
if (sum.failed.length > 0) console.log(`failed seeds: ${sum.failed.join(' ')}`)
process.exitCode = sum.failed.length > 0 ? 1 : 0

function* seeds(): Generator<number> {
  if (options.seed !== undefined) {
    yield options.seed
    return
  }
  const { from, minutes } = options
  const untilMs = minutes === undefined ? Number.POSITIVE_INFINITY : performance.now() + minutes * 60_000
  const count = minutes === undefined ? options.seeds : Number.POSITIVE_INFINITY
  for (let seed = from; seed < from + count && performance.now() < untilMs; seed++) yield seed
}

function add(sum: Sum, result: RunResult): void {
  sum.seeds++
  sum.virtualMs += result.virtualMs
  sum.steps += result.steps
  sum.events += result.events
  sum.snapshots += result.snapshots
  for (const [kind, count] of Object.entries(result.faults)) {
    sum.faults[kind] = (sum.faults[kind] ?? 0) + count
  }
  if (result.violations.length > 0) sum.failed.push(result.seed)
}

function report(result: RunResult): void {
  if (!options.trace) for (const line of result.tail.slice(-80)) console.log(line)
  console.log(`seed ${result.seed} broke a promise:`)
  for (const violation of result.violations) console.log(`  ${violation}`)
  const faults = faultsMs === undefined ? '' : ` --faults-ms ${faultsMs}`
  console.log(`replay: npm run sim -- --seed ${result.seed}${faults} --trace`)
}

function summary({ seeds, virtualMs, steps, events, snapshots, failed }: Sum): string {
  const hours = (virtualMs / 3_600_000).toFixed(2)
  const work = `${steps} steps, ${events} events acknowledged, ${snapshots} snapshots`
  return `${seeds} seeds, ${hours} virtual hours, ${work}, ${failed.length} violations`
}

function natural(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('a whole number is needed.')
  return Number(text)
}
