/** Writes prepared bytes to every connection as fast as it takes them: what the readers can do at most. */
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { payload } from '../load/payload.ts'
import { serve } from '../load/worker.ts'

let block = Buffer.alloc(0)
const sockets = new Set<Socket>()

function pump(socket: Socket): void {
  // Leaves the loop now and then even if the socket takes everything.
  for (let writes = 0; writes < 16; writes += 1) if (!socket.write(block)) return
  setImmediate(() => {
    if (!socket.destroyed) pump(socket)
  })
}

const server = createServer(socket => {
  socket.on('error', () => socket.destroy())
  socket.on('drain', () => pump(socket))
  socket.once('data', () => {
    socket.write('HTTP/1.1 200 OK\r\n\r\n: hi\n\n')
    sockets.add(socket)
  })
})

const operations = {
  /** `frames`: events of one write. */
  listen: ({ frames }: { frames: number }): Promise<number> => {
    const events = Array.from(
      { length: frames },
      (_, at) => `id: ${at + 1}-1\ndata: ${payload(at + 1, 0)}\n\n`,
    )
    block = Buffer.from(events.join(''))
    return new Promise(resolve =>
      server.listen(0, '127.0.0.1', 4_096, () => resolve((server.address() as AddressInfo).port)),
    )
  },

  /** Begins to write. */
  go: (_: null): void => {
    for (const socket of sockets) pump(socket)
  },
}

export type PreparedOperations = typeof operations

serve(operations)
