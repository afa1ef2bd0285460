import { setTimeout as delay } from 'node:timers/promises'
import { nowUs } from './load/payload.ts'
import { Worker } from './load/worker.ts'
import { type Load, rateBetween } from './load.ts'
import type { PreparedOperations } from './servers/prepared-process.ts'

const MODULE = new URL('./servers/prepared-process.ts', import.meta.url)
const STREAMS = 1_000

/** What the readers take from a server that only writes prepared bytes, `frames` events a write. */
export interface Ceiling {
  readonly frames: number
  readonly deliveriesPerS: number
  /** What they would take if they had a core to themselves: events for each second of their own CPU time. */
  readonly perCpuS: number
}

/** Measures the readers themselves, over 1,000 streams. */
export async function ceilings(load: Load, measureMs: number): Promise<Ceiling[]> {
  const found: Ceiling[] = []
  for (const frames of [1, 10, 100]) {
    const server = new Worker<PreparedOperations>(MODULE)
    try {
      const port = await server.ask('listen', { frames })
      const head = `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n`
      const publish = { port, single: '', batch: { kind: 'pipelined' } } as const
      await load.measure(nowUs())
      await load.open({ subscribe: [{ port, head, greeting: ': hi' }], publish }, STREAMS, STREAMS / 50)
      await server.ask('go', null)
      await delay(measureMs / 2)
      const before = await load.counts()
      await delay(measureMs)
      const { perS, readerCpuUs } = rateBetween(before, await load.counts())
      found.push({ frames, deliveriesPerS: perS, perCpuS: 1_000_000 / readerCpuUs })
      await load.close()
    } finally {
      await server.end()
    }
  }
  return found
}
