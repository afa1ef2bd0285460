/**
 * Loaded into a peer before its program (`node --import`): tells what memory is left after a full collection to whoever
 * connects to the socket that BENCH_COLLECTOR names. What lies between two collections says nothing of growth: it is as much
 * as the collector lets lie. The loop stands still meanwhile, so this is nothing for what measures latency.
 *
 * A request of `snapshot <file>` writes a heap snapshot besides.
 */
import { createServer, type Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { setFlagsFromString, writeHeapSnapshot } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** The process just after full collections, in bytes. */
export interface Settled {
  readonly heapUsed: number
  /** Memory outside the heap that objects in it hold, array buffers included. */
  readonly external: number
  readonly arrayBuffers: number
  readonly rss: number
}

/** What a collection finds dead may free further objects in callbacks of the turn behind it. */
const COLLECTIONS = 3

const path = process.env.BENCH_COLLECTOR
if (path !== undefined) {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const answer = async (socket: Socket, request: string): Promise<void> => {
    for (let count = 0; count < COLLECTIONS; count += 1) {
      collect()
      await nextTurn()
    }
    const { heapUsed, external, arrayBuffers, rss } = process.memoryUsage()
    const [, file] = /^snapshot (\S+)/.exec(request) ?? []
    if (file !== undefined) writeHeapSnapshot(file)
    socket.end(JSON.stringify({ heapUsed, external, arrayBuffers, rss } satisfies Settled))
  }
  const server = createServer(socket => {
    socket.on('error', () => socket.destroy())
    socket.once('data', request => void answer(socket, request.toString()))
  })
  server.listen(path).unref()
}
