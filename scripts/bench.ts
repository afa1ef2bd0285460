/**
 * `npm run bench`: publishing to a cube beside NATS JetStream, Redis and nginx with nchan, where they are installed. Ends
 * with 1 when an acknowledged event is not kept, a publish was refused, or a process died; figures that miss what is wanted
 * are told and are for people to judge.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { commandLine, measured, tellVerdicts, writeTables } from './lib/bench/command.ts'
import { charts } from './lib/bench/publish/charts.ts'
import { readOptions } from './lib/bench/publish/options.ts'
import { broken } from './lib/bench/publish/results.ts'
import { Run } from './lib/bench/publish/run.ts'
import { tables } from './lib/bench/publish/tables.ts'
import { verdicts } from './lib/bench/publish/verdicts.ts'

const options = readOptions(process.argv)
const startMs = performance.now()
const run = new Run(options, text => console.error(`${elapsed().padStart(5)} s  ${text}`))
await measured(run)
const found = tables(run.results, run.servers, run.missing, commandLine('bench'))
const all = verdicts(run.results)
mkdirSync(options.results, { recursive: true })
writeFileSync(
  join(options.results, 'latest.json'),
  `${JSON.stringify({ ...run.results, verdicts: all }, null, 1)}\n`,
)
const drawn = charts(run.results)
writeCharts(options.results)
if (options.out === undefined) for (const [name, table] of found) console.log(`${name}\n\n${table}\n`)
else {
  writeTables(join(options.out, 'PERFORMANCE.md'), found)
  writeCharts(join(options.out, 'performance'))
}
tellVerdicts(all, broken(run.results))
console.error(`${elapsed()} s`)

function elapsed(): string {
  return String(Math.round((performance.now() - startMs) / 1_000))
}

function writeCharts(folder: string): void {
  mkdirSync(folder, { recursive: true })
  for (const [name, svg] of drawn) writeFileSync(join(folder, `${name}.svg`), svg)
}
