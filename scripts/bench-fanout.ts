/**
 * `npm run bench:fanout`: fan-out of a cube beside nginx with nchan and a bare Node server: throughput, latency, memory,
 * churn and a resume storm. Ends with 1 when an event was lost, doubled or in disorder, or a process died; figures
 * that miss what is wanted are told and are for people to judge.
 */
import { join } from 'node:path'
import { commandLine, measured, tellVerdicts, writeTables } from './lib/bench/command.ts'
import { readOptions } from './lib/bench/options.ts'
import { broken } from './lib/bench/results.ts'
import { Run } from './lib/bench/run.ts'
import { tables } from './lib/bench/tables.ts'
import { verdicts } from './lib/bench/verdicts.ts'

const options = readOptions(process.argv)
const startMs = performance.now()
const run = new Run(options, text => console.error(text))
await measured(run)
const found = tables(run.results, run.servers, run.missing, commandLine('bench:fanout'))
if (options.out === undefined) for (const [name, table] of found) console.log(`${name}\n\n${table}\n`)
else writeTables(join(options.out, 'FANOUT.md'), found)
const all = verdicts(run.results)
if (options.asJson) console.log(JSON.stringify({ ...run.results, verdicts: all }))
tellVerdicts(all, broken(run.results))
console.error(`${Math.round((performance.now() - startMs) / 1_000)} s`)
