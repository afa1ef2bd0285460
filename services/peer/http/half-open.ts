import type { Socket } from 'node:net'
import type { Clock } from '../engine/types.ts'
import { LIMITS } from '../limits.ts'
import type { HttpLog } from './api.ts'
import { connectionKey, type QueueVisitor, readQueues, SOCKET_TABLES, tableOf } from './unacknowledged.ts'

export interface HalfOpenOptions {
  readonly clock: Clock
  /** Time without progress after which a connection is closed. */
  readonly timeoutMs: number
  readonly log: Pick<HttpLog, 'info'>
  /** Reads one of the kernel's tables; false where there is none. Another one for tests. */
  readonly read?: (path: string, visit: QueueVisitor) => Promise<boolean>
}

/** The part of a socket's inside that tells how much of what was written the kernel has. */
interface Inside {
  /** Bytes given to libuv, and those of them that it has not given to the kernel yet. */
  readonly _bytesDispatched?: number
  readonly _handle?: { readonly writeQueueSize?: number } | null
}

interface Watched {
  readonly socket: Socket & Inside
  readonly connection: string
  /** Bytes the kernel had before its table was read: what is written meanwhile must not look like progress. */
  givenBytes: number
  /** The most that was ever seen to have been acknowledged. */
  acknowledgedBytes: number
  /** Something was on its way at the last look. */
  waits: boolean
  progressMs: number
}

/**
 * Closes connections of streams whose other end takes nothing any more. Where the machine of a client vanished without a
 * word, heartbeats go into the kernel's send buffer, which Node does not see, and the kernel itself gives up only after a
 * quarter of an hour. Its tables say how many bytes were not acknowledged: while there are some, their number must be
 * seen to be worked off. A slow reader does that; one that has stopped reading, or is gone, does not. Where there are no
 * such tables, only what Node itself still holds is seen. TCP keep-alive would not help: it is silent while bytes wait.
 */
export class HalfOpenWatch {
  readonly #options: HalfOpenOptions
  readonly #read: NonNullable<HalfOpenOptions['read']>
  readonly #watched = new Map<string, Watched>()
  #isLooking = false
  #cancel: (() => void) | undefined

  constructor(options: HalfOpenOptions) {
    this.#options = options
    this.#read = options.read ?? readQueues
  }

  /** How many connections are watched. */
  get size(): number {
    return this.#watched.size
  }

  /** Watches a connection until it is closed; the same one again changes nothing. */
  watch(socket: (Socket & Inside) | null): void {
    const connection = socket && connectionKey(socket)
    if (!socket || !connection || socket.destroyed || bytesGiven(socket) === undefined) return
    if (this.#watched.get(connection)?.socket === socket) return
    const progressMs = this.#options.clock.monotonicMs()
    const one: Watched = { socket, connection, givenBytes: 0, acknowledgedBytes: 0, waits: false, progressMs }
    this.#watched.set(connection, one)
    socket.once('close', () => this.#forget(one))
    this.#schedule()
  }

  #forget(one: Watched): void {
    if (this.#watched.get(one.connection) === one) this.#watched.delete(one.connection)
    if (this.#watched.size > 0) return
    this.#cancel?.()
    this.#cancel = undefined
  }

  #schedule(): void {
    if (this.#cancel || this.#isLooking || this.#watched.size === 0) return
    const { clock, timeoutMs } = this.#options
    this.#cancel = clock.after(timeoutMs / LIMITS.LOOKS_PER_STALL, () => void this.#look())
  }

  async #look(): Promise<void> {
    this.#cancel = undefined
    this.#isLooking = true
    const tables = new Set<keyof typeof SOCKET_TABLES>()
    await this.#each(one => {
      one.givenBytes = bytesGiven(one.socket) ?? one.givenBytes
      tables.add(tableOf(one.connection))
    })
    for (const table of tables) {
      const isThere = await this.#read(SOCKET_TABLES[table], (connection, bytes) => {
        const one = this.#watched.get(connection)
        if (one) this.#judge(one, bytes)
      })
      if (isThere) continue
      await this.#each(one => {
        if (tableOf(one.connection) === table) this.#judge(one, 0)
      })
    }
    this.#isLooking = false
    this.#schedule()
  }

  /** Does something with each, some in one turn. */
  async #each(act: (one: Watched) => void): Promise<void> {
    let count = 0
    for (const one of this.#watched.values()) {
      act(one)
      count += 1
      if (count % LIMITS.WATCHED_PER_TURN === 0) {
        await new Promise<void>(resolve => this.#options.clock.endOfTurn(resolve))
      }
    }
  }

  #judge(one: Watched, unacknowledgedBytes: number): void {
    const { clock, timeoutMs, log } = this.#options
    const nowMs = clock.monotonicMs()
    const acknowledgedBytes = one.givenBytes - unacknowledgedBytes
    const waits = unacknowledgedBytes > 0 || holdsBytes(one.socket)
    if (!waits || !one.waits || acknowledgedBytes > one.acknowledgedBytes) one.progressMs = nowMs
    one.acknowledgedBytes = Math.max(one.acknowledgedBytes, acknowledgedBytes)
    one.waits = waits
    if (nowMs - one.progressMs < timeoutMs) return
    log.info({ client: one.socket.remoteAddress }, 'a stream is closed: its client takes nothing')
    // In order, and not by a reset: a client that comes back finds the end among what is sent to it again.
    one.socket.destroy()
  }
}

/** Bytes of the socket that the kernel has taken so far; undefined where this cannot be seen. */
function bytesGiven({ _bytesDispatched, _handle }: Inside): number | undefined {
  const waiting = _handle?.writeQueueSize
  return _bytesDispatched === undefined || waiting === undefined ? undefined : _bytesDispatched - waiting
}

/** Bytes wait in Node for the kernel to take them. */
function holdsBytes({ writableLength, _handle }: Socket & Inside): boolean {
  return writableLength + (_handle?.writeQueueSize ?? 0) > 0
}
