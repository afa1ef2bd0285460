import { accessSync, constants } from 'node:fs'
import { resolve } from 'node:path'
import { type Logger, pino } from 'pino'
import { createStream, type RotatingFileStream } from 'rotating-file-stream'
import type { LogLevel } from './config.ts'
import { makeFolder } from './folders.ts'
import { LIMITS } from './limits.ts'

export interface LogOptions {
  /** Folder of the log file; made when it is not there. */
  readonly folder: string
  readonly peer: string
  readonly port: number
  readonly level: LogLevel
  readonly rotateBytes: number
  readonly keepFiles: number
  /** Told when the file cannot be written any more. Default: a line on stderr. */
  readonly onTrouble?: (message: string) => void
}

export interface PeerLog {
  readonly log: Logger
  /** Where the lines go. */
  readonly path: string
  /** Resolves when every line given so far is in the file, or cannot be written. */
  close(): Promise<void>
}

/** The log cannot be opened. The message is one line that says what to do. */
export class LogError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'LogError'
  }
}

/** The name of a peer's log file. */
export function logFileName(port: number): string {
  return `peer_node_${port}.log`
}

/**
 * Opens `<folder>/peer_node_<port>.log`: JSON lines with ISO times, rotated by size, a bounded number of files kept.
 * Throws LogError when the folder cannot be written.
 */
export function openLog(options: LogOptions): PeerLog {
  const path = checkFolder(options)
  const file = new LogFile(options)
  const log = pino(
    {
      level: options.level,
      base: { peer: options.peer, port: options.port },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: label => ({ level: label }) },
    },
    file,
  )
  return { log, path, close: () => file.close() }
}

function checkFolder({ folder, port }: LogOptions): string {
  const path = resolve(folder, logFileName(port))
  try {
    makeFolder(folder)
    accessSync(folder, constants.W_OK | constants.X_OK)
  } catch (error) {
    throw new LogError(
      `cannot write logs to ${resolve(folder)} (${(error as NodeJS.ErrnoException).code}): give a writable folder with --logs`,
    )
  }
  return path
}

/**
 * The rotating file as pino writes to it. A log that cannot be written never stops the peer: its lines are dropped,
 * and the file is tried again after a while.
 */
class LogFile {
  readonly #options: LogOptions
  #stream: RotatingFileStream | undefined
  #brokenAtMs = 0
  #dropped = 0

  constructor(options: LogOptions) {
    this.#options = options
    this.#stream = this.#open()
  }

  write(line: string): void {
    if (!this.#stream && performance.now() - this.#brokenAtMs >= LIMITS.LOG_REOPEN_MS)
      this.#stream = this.#open()
    if (!this.#stream || this.#stream.writableLength > LIMITS.MAX_LOG_BUFFER_BYTES) {
      this.#dropped += 1
      return
    }
    if (this.#dropped > 0) {
      const time = new Date().toISOString()
      const { peer, port } = this.#options
      const msg = 'log lines were dropped'
      this.#stream.write(
        `${JSON.stringify({ level: 'warn', time, peer, port, dropped: this.#dropped, msg })}\n`,
      )
      this.#dropped = 0
    }
    this.#stream.write(line)
  }

  close(): Promise<void> {
    const stream = this.#stream
    if (!stream) return Promise.resolve()
    this.#stream = undefined
    this.#brokenAtMs = Number.POSITIVE_INFINITY
    return new Promise(done => {
      stream.once('close', done).once('error', () => done())
      stream.end(() => done())
    })
  }

  #open(): RotatingFileStream {
    const { folder, port, rotateBytes, keepFiles } = this.#options
    const stream = createStream(logFileName(port), {
      path: folder,
      size: `${rotateBytes}B`,
      rotate: keepFiles,
    })
    const trouble = (error: Error): void => {
      if (this.#stream !== stream) return
      this.#stream = undefined
      this.#brokenAtMs = performance.now()
      stream.destroy()
      const tell = this.#options.onTrouble ?? (message => process.stderr.write(`${message}\n`))
      tell(`the log cannot be written (${error.message}): its lines are dropped until it can`)
    }
    stream.on('error', trouble)
    stream.on('warning', error => {
      if (this.#stream === stream) this.#options.onTrouble?.(`the log cannot be rotated (${error.message})`)
    })
    return stream
  }
}
