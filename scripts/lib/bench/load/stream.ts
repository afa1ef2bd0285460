import type { Socket } from 'node:net'
import type { Scan } from './scan.ts'
import { connectTo } from './sockets.ts'
import type { SubscribeWire } from './wire.ts'

/** Enough for any answer's headers and the first frame; a greeting that is not in them does not come. */
const MAX_GREETING_BYTES = 4_096

/** One subscription over a bare socket. */
export class Stream {
  readonly scan: Scan
  /** Resolves when the server has said that the stream is open; rejects when the connection ends before. */
  readonly open: Promise<void>
  /** Resolves when the connection has ended, by whomever. */
  readonly closed: Promise<void>
  /** The server, or the network, ended it. */
  isBroken = false
  /** Called after each read was looked at. */
  onBytes: (() => void) | undefined
  #isEnding = false
  readonly #socket: Socket

  /** `headers`: further ones, each ended by CR LF. */
  constructor(wire: SubscribeWire, scan: Scan, headers = '') {
    this.scan = scan
    let greeting = ''
    let isOpen = false
    let opened = (): void => {}
    let failed = (_: Error): void => {}
    this.open = new Promise((resolve, reject) => {
      opened = resolve
      failed = reject
    })
    this.open.catch(() => {})
    this.#socket = connectTo(wire.port, bytes => {
      if (isOpen) {
        scan.take(bytes)
        this.onBytes?.()
        return
      }
      greeting += bytes.toString('latin1')
      const at = greeting.indexOf(wire.greeting)
      if (at === -1) {
        if (greeting.length > MAX_GREETING_BYTES) this.#socket.destroy()
        return
      }
      isOpen = true
      opened()
      scan.take(Buffer.from(greeting.slice(at), 'latin1'))
    })
    this.#socket.write(`${wire.head}${headers}\r\n`)
    let error: Error | undefined
    this.#socket.on('error', reason => {
      error = reason
    })
    this.closed = new Promise(resolve => {
      this.#socket.once('close', () => {
        this.isBroken = !this.#isEnding
        this.scan.cut()
        failed(error ?? new Error(`the stream ended before it was open: ${greeting.slice(0, 200)}`))
        resolve()
      })
    })
  }

  /** Reads nothing until `resume`. */
  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /** Ends it from this side. */
  close(): void {
    this.#isEnding = true
    this.#socket.destroy()
  }
}
