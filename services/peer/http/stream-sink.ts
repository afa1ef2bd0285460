import type { ServerResponse } from 'node:http'
import { ownBytes } from '../engine/own-bytes.ts'
import type { Sink } from '../streams/types.ts'

const LINE_END = Buffer.from('\r\n')

/** Chunks as they lie on the wire, kept while somebody holds the bytes they were made of. */
const framed = new WeakMap<Uint8Array, Buffer>()

/**
 * The stream of one client below Node's response: the same bytes go to many, and the frame of HTTP/1.1's chunked coding
 * (RFC 9112, section 7.1) is made once for all of them. The headers must have been sent. Where the answer is not chunked,
 * or waits behind an earlier one on its connection, the response writes as always.
 */
export class StreamSink implements Sink {
  readonly #response: ServerResponse
  readonly #isChunked: boolean

  constructor(response: ServerResponse) {
    this.#response = response
    this.#isChunked = response.chunkedEncoding && response.socket !== null
  }

  get destroyed(): boolean {
    return this.#response.destroyed
  }

  get writableLength(): number {
    const { socket } = this.#response
    return this.#isChunked && socket ? socket.writableLength : this.#response.writableLength
  }

  /** For whoever looks at what the kernel was given. */
  get socket(): ServerResponse['socket'] {
    return this.#response.socket
  }

  write(bytes: Uint8Array): boolean {
    const { socket, writableEnded } = this.#response
    if (!this.#isChunked || !socket) return this.#response.write(bytes)
    // An empty chunk would be the last one.
    if (bytes.length === 0) return true
    if (writableEnded || socket.destroyed) return false
    return socket.write(chunkOf(bytes))
  }

  end(): void {
    this.#response.end()
  }

  destroy(): void {
    this.#response.destroy()
  }

  on(event: 'drain' | 'close' | 'error', listener: () => void): void {
    if (event === 'drain' && this.#isChunked) {
      const { socket } = this.#response
      socket?.on('drain', listener)
      // The connection may carry other answers after this one.
      this.#response.once('close', () => socket?.off('drain', listener))
    } else this.#response.on(event, listener)
  }
}

function chunkOf(bytes: Uint8Array): Buffer {
  const known = framed.get(bytes)
  if (known) return known
  const head = Buffer.from(`${bytes.length.toString(16)}\r\n`)
  const chunk = ownBytes(Buffer.concat([head, bytes, LINE_END]))
  framed.set(bytes, chunk)
  return chunk
}
