import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { LIMITS } from '../limits.ts'
import { parseCursor } from '../topics/cursor.ts'
import { CommandError } from './ask.ts'

/** The cursor to resume behind, kept in a file that is replaced as a whole: at most once in so long, and at the end. */
export class CursorFile {
  readonly #path: string
  readonly #everyMs: number
  #kept = ''
  #next = ''
  #timer: NodeJS.Timeout | undefined
  #writtenMs = Number.NEGATIVE_INFINITY
  #error: unknown

  constructor(path: string, everyMs: number = LIMITS.CURSOR_WRITE_MS) {
    this.#path = path
    this.#everyMs = everyMs
  }

  /** The cursor that is kept; undefined when there is no file. Throws CommandError for what is no cursor. */
  read(): string | undefined {
    let text: string
    try {
      text = readFileSync(this.#path, 'utf8').trim()
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOENT') return undefined
      throw new CommandError(`the cursor file ${this.#path} cannot be read (${code})`)
    }
    if (parseCursor(text) === undefined) {
      throw new CommandError(`${this.#path} holds no cursor: remove it, or name another with --cursor-file`)
    }
    this.#kept = text
    return text
  }

  /** Keeps this cursor, now or when it is time. Throws CommandError when a write has failed. */
  keep(cursor: string): void {
    this.#rethrow()
    this.#next = cursor
    if (this.#timer) return
    const waitMs = this.#writtenMs + this.#everyMs - performance.now()
    if (waitMs <= 0) this.#write()
    else this.#timer = setTimeout(() => this.#write(), waitMs)
    this.#rethrow()
  }

  /** Writes what is not written yet. Throws CommandError. */
  close(): void {
    this.#write()
    this.#rethrow()
  }

  #write(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#next === this.#kept || this.#next === '') return
    const draft = `${this.#path}.${process.pid}.tmp`
    try {
      writeFileSync(draft, `${this.#next}\n`, { flush: true })
      renameSync(draft, this.#path)
      this.#kept = this.#next
      this.#writtenMs = performance.now()
    } catch (error) {
      this.#error ??= error
      rmSync(draft, { force: true })
    }
  }

  #rethrow(): void {
    if (this.#error === undefined) return
    const { code, message } = this.#error as NodeJS.ErrnoException
    throw new CommandError(`the cursor file ${this.#path} cannot be written (${code ?? message})`)
  }
}
