import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { LIMITS } from '../limits.ts'

/**
 * The connections of one server, so that it can close in order. By itself Node closes those that it takes for idle when
 * the closing begins, also one whose last answer is given and not yet sent; and it looks no second time: one whose answer
 * ends later, or that never sent a byte, holds the server open for as long as its client keeps it.
 */
export class Connections {
  /** Answers under way, by connection. */
  readonly #answers = new Map<Socket, Set<ServerResponse>>()
  #isClosing = false
  #onSent: (() => void) | undefined

  constructor(server: Server) {
    server.on('connection', socket => {
      this.#answers.set(socket, new Set())
      socket.once('close', () => this.#answers.delete(socket))
    })
    server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
      this.#answers.get(socket)?.add(response)
      response.once('close', () => this.#sent(socket, response))
    })
  }

  /**
   * To be called before the server closes. Ends the connections that never sent anything, and from now on each one whose
   * last answer is sent. Resolves when no answer that is given waits to be sent, at the latest after
   * LIMITS.STREAM_CLOSE_MS: from then on the server may close.
   */
  async close(): Promise<void> {
    this.#isClosing = true
    for (const [socket, { size }] of this.#answers) if (size === 0 && socket.bytesRead === 0) socket.destroy()
    const untilMs = performance.now() + LIMITS.STREAM_CLOSE_MS
    while (this.#waits() && performance.now() < untilMs) {
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, untilMs - performance.now())
        this.#onSent = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }

  #waits(): boolean {
    const all = [...this.#answers.values()].flatMap(answers => [...answers])
    return all.some(({ writableEnded, writableFinished }) => writableEnded && !writableFinished)
  }

  #sent(socket: Socket, response: ServerResponse): void {
    const answers = this.#answers.get(socket)
    answers?.delete(response)
    if (this.#isClosing && answers?.size === 0) socket.destroySoon()
    this.#onSent?.()
  }
}
