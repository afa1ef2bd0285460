/**
 * `npm run bench:fanout`: fan-out of a cube beside nginx with nchan and a bare Node server: throughput, latency, memory,
 * churn and a resume storm. Ends with 1 when an event was lost, doubled or in disorder, or a process died; figures
 * that miss what is wanted are told and are for people to judge.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readOptions } from './lib/bench/options.ts'
import { broken } from './lib/bench/results.ts'
import { Run } from './lib/bench/run.ts'
import { tables } from './lib/bench/tables.ts'
import { verdicts } from './lib/bench/verdicts.ts'
import { withTable } from './lib/readme-tables.ts'

const options = readOptions(process.argv)
const startMs = performance.now()
const run = new Run(options, text => console.error(text))
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void run.close().finally(() => process.exit(1)))
}
try {
  await run.measure()
} finally {
  await run.close()
}
const given = process.argv.slice(2).join(' ')
const found = tables(
  run.results,
  run.servers,
  run.missing,
  `npm run bench:fanout${given ? ` -- ${given}` : ''}`,
)
if (options.out === undefined) for (const [name, table] of found) console.log(`${name}\n\n${table}\n`)
else write(options.out)
if (options.asJson) console.log(JSON.stringify({ ...run.results, verdicts: verdicts(run.results) }))
for (const { what, measured, wanted, isPass } of verdicts(run.results)) {
  console.error(`${isPass ? 'pass' : 'FAIL'}: ${what}: ${measured}; wanted: ${wanted}`)
}
const wrong = broken(run.results)
for (const one of wrong) console.error(`broken: ${one}`)
console.error(`${Math.round((performance.now() - startMs) / 1_000)} s`)
process.exitCode = wrong.length > 0 ? 1 : 0

/** What stands around the tables in FANOUT.md stays. */
function write(folder: string): void {
  const path = join(folder, 'FANOUT.md')
  let text = readFileSync(path, 'utf8')
  for (const [name, table] of found) text = withTable(text, name, table)
  writeFileSync(path, text)
}
