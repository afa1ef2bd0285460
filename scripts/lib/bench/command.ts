import { readFileSync, writeFileSync } from 'node:fs'
import { withTable } from '../readme-tables.ts'
import type { Verdict } from './verdicts.ts'

/** Measures and cleans up, whatever comes: an error, or a signal, which ends the process with 1. */
export async function measured(run: { measure(): Promise<void>; close(): Promise<void> }): Promise<void> {
  // Nobody may read on, as behind `| head`; what was started must be ended all the same.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
  let isInterrupted = false
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    // Not once: a signal that comes again, to the whole group perhaps, must not end this before all is cleaned up.
    process.on(signal, () => {
      if (isInterrupted) return
      isInterrupted = true
      void run.close().finally(() => process.exit(1))
    })
  }
  try {
    await run.measure()
  } finally {
    await run.close()
  }
}

/** The command line as somebody would type it. */
export function commandLine(name: string): string {
  const given = process.argv.slice(2).join(' ')
  return `npm run ${name}${given ? ` -- ${given}` : ''}`
}

/** What stands around the tables in the page stays. */
export function writeTables(path: string, tables: ReadonlyMap<string, string>): void {
  let text = readFileSync(path, 'utf8')
  for (const [name, table] of tables) text = withTable(text, name, table)
  writeFileSync(path, text)
}

/** Says the verdicts, and what is broken: that makes the process end with 1. */
export function tellVerdicts(verdicts: readonly Verdict[], broken: readonly string[]): void {
  for (const { what, measured, wanted, isPass } of verdicts) {
    console.error(`${isPass ? 'pass' : 'FAIL'}: ${what}: ${measured}; wanted: ${wanted}`)
  }
  for (const one of broken) console.error(`broken: ${one}`)
  process.exitCode = broken.length > 0 ? 1 : 0
}
