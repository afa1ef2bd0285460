import type { Socket } from 'node:net'
import { connectTo } from '../../load/sockets.ts'

/** A connection to a server on this machine, which says when it is there and when it is lost. */
export class Connection {
  /** Resolves when it stands; rejects when it does not come to that. */
  readonly connected: Promise<void>
  /** Why nothing can be sent any more. */
  lost: string | undefined
  readonly #socket: Socket

  /** What `onBytes` is given is overwritten when it returns. `onLost` is not called when this side closes. */
  constructor(port: number, onBytes: (bytes: Buffer) => void, onLost: (why: string) => void) {
    const socket = connectTo(port, bytes => {
      try {
        onBytes(bytes)
      } catch (error) {
        socket.destroy(error as Error)
      }
    })
    this.#socket = socket
    let why = 'the connection of a publisher was lost'
    socket.on('error', error => {
      why = `${why}: ${error.message}`
    })
    this.connected = new Promise((resolve, reject) => {
      socket.once('connect', () => resolve())
      socket.once('close', () => {
        const isOurs = this.lost !== undefined
        this.lost ??= why
        reject(new Error(this.lost))
        if (!isOurs) onLost(this.lost)
      })
    })
    this.connected.catch(() => {})
  }

  write(text: string): void {
    this.#socket.write(text, 'latin1')
  }

  close(): void {
    this.lost ??= 'the connection was closed'
    this.#socket.destroy()
  }
}
