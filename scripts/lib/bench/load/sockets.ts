import { connect, type Socket } from 'node:net'

const READ_BYTES = 65_536
/** All connections read into the same memory: what is read is used up before the next read. */
const shared = Buffer.allocUnsafe(READ_BYTES)

/** A connection to a port of this machine. What `onBytes` is given is overwritten when it returns. */
export function connectTo(port: number, onBytes: (bytes: Buffer) => void): Socket {
  return connect({
    port,
    host: '127.0.0.1',
    noDelay: true,
    onread: {
      buffer: shared,
      callback: count => {
        onBytes(shared.subarray(0, count))
        return true
      },
    },
  })
}
