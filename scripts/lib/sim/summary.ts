import type { Outcome } from './protocol.ts'

/** What some seeds came to, whichever worker ran them and in whatever order. */
export class Summary {
  seeds = 0
  /** Seeds that were run a second time. */
  twice = 0
  virtualMs = 0
  steps = 0
  events = 0
  operations = 0
  snapshots = 0
  violations = 0
  readonly faults = new Map<string, number>()
  readonly clients = new Map<string, number>()
  readonly failed: number[] = []

  add({ seed, result, violations, wasTwice }: Outcome): void {
    this.seeds++
    if (wasTwice) this.twice++
    this.violations += violations.length
    if (violations.length > 0) this.failed.push(seed)
    if (result === undefined) return
    this.virtualMs += result.virtualMs
    this.steps += result.steps
    this.events += result.events
    this.operations += result.operations
    this.snapshots += result.snapshots
    addCounts(this.faults, result.faults)
    addCounts(this.clients, result.clients)
  }

  /** One line: what was done so far. */
  line(): string {
    const { seeds, steps, operations, events, violations } = this
    const hours = (this.virtualMs / 3_600_000).toFixed(2)
    const work = `${steps} steps, ${operations} client operations, ${events} events acknowledged`
    return `${seeds} seeds, ${hours} virtual hours, ${work}, ${violations} violations`
  }

  /** The whole account; the same for the same seeds. */
  lines(): string[] {
    return [
      this.line(),
      `faults: ${listed(this.faults)}`,
      `clients: ${listed(this.clients)}`,
      `${this.snapshots} snapshots installed`,
      ...(this.twice > 0 ? [`${this.twice} seeds were run twice`] : []),
    ]
  }
}

function addCounts(sum: Map<string, number>, counts: Readonly<Record<string, number>>): void {
  for (const [kind, count] of Object.entries(counts)) sum.set(kind, (sum.get(kind) ?? 0) + count)
}

function listed(counts: ReadonlyMap<string, number>): string {
  const byKind = [...counts].sort(([one], [other]) => (one < other ? -1 : 1))
  return byKind.map(([kind, count]) => `${count} ${kind}`).join(', ')
}
