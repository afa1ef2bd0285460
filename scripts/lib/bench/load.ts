import { violations } from './exactness.ts'
import type { DiskOperations } from './load/disk.ts'
import type { PublisherOperations } from './load/publisher.ts'
import type { Counted, ReaderOperations, Settled } from './load/reader.ts'
import type { TopicWire } from './load/wire.ts'
import { Worker } from './load/worker.ts'

const module = (name: string) => new URL(`./load/${name}.ts`, import.meta.url)
const OPEN_TIMEOUT_MS = 120_000
/** For a backlog to drain when the publishing has stopped. */
export const SETTLE_MS = 60_000

/** Events over all readers between two looks. */
export interface Rate {
  readonly perS: number
  /** Readers' own CPU time, microseconds for each event. */
  readonly readerCpuUs: number
}

/** The processes of the load: one or more that subscribe, one that publishes, one that measures the disk. */
export class Load {
  readonly readers: readonly Worker<ReaderOperations>[]
  readonly publisher: Worker<PublisherOperations>
  readonly disk: Worker<DiskOperations>

  constructor(readers: number) {
    this.readers = Array.from({ length: readers }, () => new Worker<ReaderOperations>(module('reader')))
    this.publisher = new Worker<PublisherOperations>(module('publisher'))
    this.disk = new Worker<DiskOperations>(module('disk'))
  }

  /** Opens `count` streams, shared out to the readers; latencies are taken from every `sampleEvery`th. */
  async open(wire: TopicWire, count: number, sampleEvery: number): Promise<void> {
    const share = (at: number) =>
      Math.floor((count * (at + 1)) / this.readers.length) - Math.floor((count * at) / this.readers.length)
    await Promise.all(
      this.readers.map((reader, at) =>
        reader.ask(
          'open',
          { wires: wire.subscribe, count: share(at), sampleEvery, keeps: at === this.readers.length - 1 },
          OPEN_TIMEOUT_MS,
        ),
      ),
    )
  }

  counts(): Promise<Counted[]> {
    return Promise.all(this.readers.map(reader => reader.ask('count', null)))
  }

  /** From now on latencies are those of events whose time is at or after `fromUs`. */
  async measure(fromUs: number): Promise<void> {
    await Promise.all(this.readers.map(reader => reader.ask('measure', fromUs)))
  }

  /** What was measured since, as `latencies` of figures.ts takes it. */
  latencies(): Promise<string[]> {
    return Promise.all(this.readers.map(reader => reader.ask('latencies', null)))
  }

  /** Waits until every stream has had all `published` events; what is wrong with what they had, in words. */
  async settle(published: number): Promise<string[]> {
    const settled: Settled[] = await Promise.all(
      this.readers.map(reader =>
        reader.ask('settle', { count: published, timeoutMs: SETTLE_MS }, SETTLE_MS + OPEN_TIMEOUT_MS),
      ),
    )
    return violations(published, settled)
  }

  async close(): Promise<void> {
    await Promise.all(this.readers.map(reader => reader.ask('close', null)))
  }

  /** Ends the processes. */
  async end(): Promise<void> {
    await Promise.all([...this.readers, this.publisher, this.disk].map(worker => worker.end()))
  }
}

/** What came between two looks, each reader by its own clock. */
export function rateBetween(before: readonly Counted[], after: readonly Counted[]): Rate {
  let perS = 0
  let events = 0
  let cpuUs = 0
  for (const [at, end] of after.entries()) {
    const start = before[at]!
    perS += (end.events - start.events) / ((end.atUs - start.atUs) / 1_000_000)
    events += end.events - start.events
    cpuUs += end.cpuUs - start.cpuUs
  }
  return { perS, readerCpuUs: cpuUs / events }
}
