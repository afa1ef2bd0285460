import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { LIMITS } from '../limits.ts'
import { CommandError } from './ask.ts'
import { cursorForm, describeSelection, fits, type Selection, sameWants } from './selection.ts'

/**
 * The cursor to resume behind, kept in a file that is replaced as a whole: at most once in so long, and at the end. Its
 * first line is the cursor; the others are the topics that it belongs to.
 */
export class CursorFile {
  readonly #path: string
  readonly #selection: Selection
  readonly #everyMs: number
  #kept = ''
  #next = ''
  #timer: NodeJS.Timeout | undefined
  #writtenMs = Number.NEGATIVE_INFINITY
  #error: unknown

  constructor(path: string, selection: Selection, everyMs: number = LIMITS.CURSOR_WRITE_MS) {
    this.#path = path
    this.#selection = selection
    this.#everyMs = everyMs
  }

  /** The cursor that is kept; undefined when there is no file. Throws CommandError for what is no cursor, and for one of other topics. */
  read(): string | undefined {
    let text: string
    try {
      text = readFileSync(this.#path, 'utf8')
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOENT') return undefined
      throw new CommandError(`the cursor file ${this.#path} cannot be read (${code})`)
    }
    const [first = '', ...wants] = text.split('\n').filter(Boolean)
    const cursor = first.trim()
    this.#check(cursor, wants)
    this.#kept = text
    return cursor
  }

  #check(cursor: string, wants: readonly string[]): void {
    const otherwise = 'remove it, or name another with --cursor-file'
    const form = cursorForm(cursor)
    if (form === undefined) throw new CommandError(`${this.#path} holds no cursor: ${otherwise}`)
    if (wants.length > 0 && !sameWants(wants, this.#selection.wants)) {
      const [is, asked] = [describeSelection({ wants }), describeSelection(this.#selection)]
      throw new CommandError(`${this.#path} holds the cursor of ${is}, not of ${asked}: ${otherwise}`)
    }
    if (!fits(cursor, this.#selection)) {
      const asked = describeSelection(this.#selection)
      throw new CommandError(
        `${this.#path} holds the cursor of ${form === 'one' ? 'one topic' : 'several topics'}, not of ${asked}: ${otherwise}`,
      )
    }
  }

  /** Keeps this cursor, now or when it is time. Throws CommandError when a write has failed. */
  keep(cursor: string): void {
    this.#rethrow()
    this.#next = `${[cursor, ...this.#selection.wants].join('\n')}\n`
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
      writeFileSync(draft, this.#next, { flush: true })
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
