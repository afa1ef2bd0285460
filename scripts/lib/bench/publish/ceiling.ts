import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from '../load/worker.ts'
import type { Load } from './load.ts'
import type { BareOperations } from './servers/bare-process.ts'
import { describe, type Workload } from './workloads.ts'

const MODULE = new URL('./servers/bare-process.ts', import.meta.url)

/** What the load publishes to a server that answers 201 at once. */
export interface Ceiling {
  readonly workload: Workload
  readonly eventsPerS: number
  /** What it would publish if it had a core to itself: events for each second of its own CPU time. */
  readonly perCpuS: number
}

export async function ceilings(
  load: Load,
  workloads: readonly Workload[],
  measureMs: number,
  tell: (text: string) => void,
): Promise<Ceiling[]> {
  const found: Ceiling[] = []
  const server = new Worker<BareOperations>(MODULE)
  try {
    const port = await server.ask('listen', null)
    for (const workload of workloads) {
      const { inFlight, batch, payloadBytes } = workload
      const wire = {
        kind: 'http',
        port,
        topics: ['bare'],
        before: '/v1/topics/',
        single: '/publish',
        batch: { behind: '/batch', contentType: 'application/x-ndjson', open: '{"data":"', close: '"}\n' },
      } as const
      await load.publisher.ask('start', { wire, inFlight, batch, payloadBytes })
      await delay(measureMs / 2)
      await load.publisher.ask('look', null)
      await delay(measureMs)
      const { events, seconds, cpuUs } = await load.publisher.ask('look', null)
      await load.publisher.ask('stop', null)
      found.push({ workload, eventsPerS: events / seconds, perCpuS: (events * 1_000_000) / cpuUs })
      tell(`the load alone, ${describe(workload)}: ${Math.round(events / seconds)} events/s`)
    }
  } finally {
    await server.end()
  }
  return found
}
