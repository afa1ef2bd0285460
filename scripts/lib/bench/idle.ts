import { setTimeout as delay } from 'node:timers/promises'
import type { Load } from './load.ts'
import { mayOpen, residentBytes } from './process.ts'
import type { BenchServer, ServerName } from './servers/server.ts'

export interface IdleFigures {
  readonly server: ServerName
  readonly subscribers: number
  /** Resident memory of the process that serves them; the kernel's for its sockets is not in it. */
  readonly beforeBytes: number
  readonly afterBytes: number
  readonly perSubscriberBytes: number
}

const SETTLE_MS = 5_000
/** Beside the subscribers: stores, logs, other peers. */
const OTHER_FILES = 500
const WARM = 200

/** How many of the subscribers wished for one process may have sockets for, on this machine. */
export function affordable(wished: number): number {
  return Math.min(wished, mayOpen() - OTHER_FILES)
}

/** Memory of each server before and with so many subscribers to a topic that nobody publishes to. */
export async function idle(
  servers: readonly BenchServer[],
  load: Load,
  subscribers: number,
  settleMs = SETTLE_MS,
): Promise<IdleFigures[]> {
  const figures: IdleFigures[] = []
  for (const server of servers) {
    const { wire, pid } = await server.topic('idle')
    // What the first streams of a process need once is not counted as theirs.
    await load.open(wire, WARM, 0)
    await load.close()
    await delay(settleMs)
    const beforeBytes = residentBytes(pid)
    await load.open(wire, subscribers, 0)
    await delay(settleMs)
    const afterBytes = residentBytes(pid)
    await load.close()
    const perSubscriberBytes = (afterBytes - beforeBytes) / subscribers
    figures.push({ server: server.name, subscribers, beforeBytes, afterBytes, perSubscriberBytes })
  }
  return figures
}
