import type { DiskOperations } from '../load/disk.ts'
import type { ReaderOperations } from '../load/reader.ts'
import { Worker } from '../load/worker.ts'
import type { PublisherOperations } from './load/publisher.ts'

const READER = new URL('../load/reader.ts', import.meta.url)
const DISK = new URL('../load/disk.ts', import.meta.url)
const PUBLISHER = new URL('./load/publisher.ts', import.meta.url)

/** The processes of the load, each cheap enough not to be the limit: one that publishes, one that subscribes, one that measures the disk. */
export class Load {
  readonly publisher = new Worker<PublisherOperations>(PUBLISHER)
  readonly reader = new Worker<ReaderOperations>(READER)
  readonly disk = new Worker<DiskOperations>(DISK)

  async end(): Promise<void> {
    await Promise.all([this.publisher.end(), this.reader.end(), this.disk.end()])
  }
}
