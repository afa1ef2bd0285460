/**
 * `npm run scale`: what a cube costs against the number of its peers, counted on whole cubes in this thread on virtual
 * time, and held against formulas. Ends with 1 when a formula does not hold.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { LIMITS } from '../services/peer/limits.ts'
import { withTable } from './lib/readme-tables.ts'
import { type Check, check } from './lib/scale/formulas.ts'
import { type Figures, measure } from './lib/scale/measure.ts'
import { plots } from './lib/scale/plots.ts'
import { defaults } from './lib/scale/settings.ts'
import {
  eventsTable,
  failoverTable,
  formulasTable,
  placingTable,
  restTable,
  routesTable,
  settingsText,
} from './lib/scale/tables.ts'
import { natural } from './lib/sim/options.ts'

/** Full cubes, half-full ones, and those with the most links. */
const SIZES = [4, 5, 6, 7, 8, 12, 16, 24, 31, 32, 48, 64, 256, 1_024]
/** Fewer do not survive a failure. */
const LEAST_PEERS = 3

const options = new Command('scale')
  .description('Measures simulated cubes of several sizes and checks what it finds against formulas.')
  .option('--sizes <numbers>', 'peers of each cube, such as 4,8', readSizes, SIZES)
  .option('--seed <number>', 'of all that is left to chance', natural, 1)
  .option('--out <folder>', 'write the tables into SCALE.md of this folder, and its plots')
  .parse()
  .opts<{ sizes: readonly number[]; seed: number; out?: string }>()

const settings = defaults()
const all: Figures[] = []
for (const size of options.sizes) {
  const figures = await measure(size, options.seed, settings)
  all.push(figures)
  const { realMs, virtualMs } = figures
  console.error(`${size} peers: ${seconds(virtualMs)} of virtual time in ${seconds(realMs)}`)
}
const checks = all.flatMap(figures => check(figures))
const tables = new Map([
  ['settings', settingsText(settings, options.seed)],
  ['routes', routesTable(all)],
  ['rest', restTable(all)],
  ['events', eventsTable(all)],
  ['placing', placingTable(all)],
  ['failover', failoverTable(all)],
  ['formulas', formulasTable(checks)],
])
if (options.out === undefined) for (const [name, table] of tables) console.log(`${name}\n\n${table}\n`)
else write(options.out)
const broken = checks.filter(({ holds }) => !holds)
for (const one of broken) console.log(describe(one))
process.exitCode = broken.length > 0 ? 1 : 0

/** What stands around the tables in SCALE.md stays. */
function write(folder: string): void {
  const path = join(folder, 'SCALE.md')
  let text = readFileSync(path, 'utf8')
  for (const [name, table] of tables) text = withTable(text, name, table)
  writeFileSync(path, text)
  mkdirSync(join(folder, 'scale'), { recursive: true })
  for (const [name, svg] of plots(all)) writeFileSync(join(folder, 'scale', name), svg)
}

function describe({ formula, peers, measured, allowed, isExact }: Check): string {
  return `broken at ${peers} peers: ${formula.what}: ${measured}, allowed is ${isExact ? '' : 'at most '}${allowed} (${formula.formula})`
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`
}

function readSizes(text: string): readonly number[] {
  const sizes = text.split(',').map(natural)
  const most = 2 ** LIMITS.MAX_DIMENSION
  if (sizes.some(size => size < LEAST_PEERS || size > most)) {
    throw new InvalidArgumentError(`a cube of ${LEAST_PEERS} to ${most} peers is needed.`)
  }
  return sizes
}
