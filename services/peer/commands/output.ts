import type { Writable } from 'node:stream'
import { LIMITS } from '../limits.ts'
import { CommandError } from './ask.ts'

/** Where a command's result goes. A reader that goes away is no error of the command's. */
export class Output {
  readonly #stream: Writable
  readonly #aborter = new AbortController()
  /** Aborted when nothing can be written any more, or need be. */
  readonly ended: AbortSignal
  #error: NodeJS.ErrnoException | undefined

  /** @param signal ends the waiting for a reader that takes nothing */
  constructor(stream: Writable, signal?: AbortSignal) {
    this.#stream = stream
    this.ended = signal ? AbortSignal.any([signal, this.#aborter.signal]) : this.#aborter.signal
    // Stays: the error of the last write may come when the command is over.
    stream.on('error', error => this.#fail(error))
    stream.once('close', () => this.#aborter.abort())
  }

  /** Resolves with true when the stream has taken all of it; with false when it is over, or takes too long when it need not be waited for. */
  async write(text: string | Uint8Array): Promise<boolean> {
    if (this.#aborter.signal.aborted) return false
    if (text.length === 0) return true
    return new Promise<boolean>(resolve => {
      let timer: NodeJS.Timeout | undefined
      // What was taken is most often told a moment later.
      const giveUp = () => {
        timer = setTimeout(resolve, LIMITS.OUTPUT_GRACE_MS, false)
      }
      if (this.ended.aborted) giveUp()
      else this.ended.addEventListener('abort', giveUp)
      this.#stream.write(text, error => {
        this.ended.removeEventListener('abort', giveUp)
        clearTimeout(timer)
        if (error) this.#fail(error)
        resolve(!error)
      })
    })
  }

  /** Throws CommandError when it could not be written to for another reason than that its reader is gone. */
  check(): void {
    if (this.#error === undefined) return
    const { code, message } = this.#error
    if (code !== 'EPIPE' && code !== 'ERR_STREAM_DESTROYED') {
      throw new CommandError(`stdout cannot be written (${code ?? message})`)
    }
  }

  #fail(error: Error): void {
    this.#error ??= error
    this.#aborter.abort()
  }
}
