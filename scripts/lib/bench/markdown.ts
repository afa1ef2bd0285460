import { cpus, release, totalmem, type } from 'node:os'
import type { Verdict } from './verdicts.ts'

const MIB = 1_048_576

/** A whole number with its thousands; a dash for none. */
export const number = (value: number): string =>
  Number.isFinite(value) ? Math.round(value).toLocaleString('en-US') : '–'
/** Milliseconds, with as many digits as tell something; a dash for none. */
export const ms = (value: number): string =>
  Number.isFinite(value) ? value.toFixed(value < 10 ? 2 : 1) : '–'
/** A ratio; a dash for none. */
export const times = (value: number): string => (Number.isFinite(value) ? value.toFixed(2) : '–')

/** A table of Markdown. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map(cells => `| ${cells.join(' | ')} |`).join('\n')
}

/** What was run, where, and beside whom. */
export function runText(
  servers: readonly { readonly name: string; readonly title: string; readonly guarantees: string }[],
  missing: readonly string[],
  command: string,
): string {
  const [cpu] = cpus()
  const machine = `${cpus().length} × ${cpu?.model.trim() ?? 'unknown CPU'}, ${number(totalmem() / MIB)} MiB, ${type()} ${release()}, Node ${process.version}`
  const rows = servers.map(({ name, title, guarantees }) => [name, title, guarantees])
  const lines = [`\`${command}\``, '', machine, '', table(['', 'what', 'an acknowledged event is'], rows)]
  if (missing.length > 0) lines.push('', ...missing.map(one => `Not measured: ${one}.`))
  return lines.join('\n')
}

export function verdictsTable(all: readonly Verdict[]): string {
  return table(
    ['must show', 'measured', 'wanted', ''],
    all.map(({ what, measured, wanted, isPass }) => [what, measured, wanted, isPass ? 'pass' : 'FAIL']),
  )
}
