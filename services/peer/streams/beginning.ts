import { pause } from '../engine/pause.ts'
import type { Clock } from '../engine/types.ts'
import { HypercastError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { Placed, SlotStart } from '../links/slot-operations.ts'
import type { SlotPosition } from '../topics/positions.ts'
import { isSince, type SlotPlace } from '../topics/vector-cursor.ts'
import type { Channel } from './channel.ts'
import type { ChannelSubscriber } from './channel-subscriber.ts'
import { newest } from './newest.ts'
import type { SlotReads } from './slot-reads.ts'
import { Trail } from './trail.ts'
import type { SeveralStart } from './types.ts'
import { Vector } from './vector.ts'

type Resumed = SeveralStart & { readonly kind: 'cursor' }

/** How a stream begins in one slot: at a place, or where somebody has to be asked for. */
type Wish = SlotPosition | Exclude<SlotStart, { kind: 'last' }>

/**
 * Finds out where streams over several topics begin in each of their slots. What nobody has said within
 * LIMITS.STREAM_PATIENCE_MS is found out while the stream runs: there it begins with the events of a time.
 */
export class Beginning {
  readonly #reads: SlotReads
  readonly #clock: Clock
  readonly #random: () => number

  constructor(reads: SlotReads, clock: Clock, random: () => number) {
    this.#reads = reads
    this.#clock = clock
    this.#random = random
  }

  /** Writes `opening` at once, and where the stream stands as soon as it is known; then the channel goes on. */
  begin(channel: Channel, subscriber: ChannelSubscriber, start: SeveralStart, opening: Buffer): void {
    channel.add(subscriber)
    subscriber.write(opening)
    void this.#find(channel, subscriber, start)
    if (start.kind === 'cursor') void this.#confirm(channel, subscriber, start)
  }

  /** Rejects with HypercastError CURSOR_FROM_FUTURE for a cursor of which a majority says so soon. */
  async check(slots: readonly number[], start: SeveralStart): Promise<void> {
    if (start.kind !== 'cursor') return
    const places = this.#unconfirmed(slots, start)
    const isFuture = await Promise.all(places.map(([slot, place]) => this.#reads.isFuture(slot, place)))
    const at = isFuture.indexOf(true)
    if (at < 0) return
    throw new HypercastError(
      'CURSOR_FROM_FUTURE',
      `The cursor names a place in slot ${places[at]![0]} that was never reached.`,
    )
  }

  /** Ends a stream whose cursor is from the future, as soon as a majority says so. */
  async #confirm(channel: Channel, subscriber: ChannelSubscriber, start: Resumed): Promise<void> {
    let left = this.#unconfirmed(channel.log.slots, start)
    for (let attempt = 0; left.length > 0 && subscriber.open; attempt += 1) {
      const isFuture = await Promise.all(left.map(([slot, place]) => this.#reads.isFuture(slot, place)))
      if (isFuture.includes(true)) {
        subscriber.finish('future')
        return
      }
      left = left.filter((_, at) => isFuture[at] === undefined)
      if (left.length > 0) await this.#pause(attempt, subscriber.gone)
    }
  }

  /** Places of a cursor that nobody here knows to have been reached. */
  #unconfirmed(slots: readonly number[], { places }: Resumed): (readonly [number, SlotPosition])[] {
    return slots.flatMap(slot => {
      const place = places.get(slot)
      if (place === undefined || isSince(place) || this.#reads.reaches(slot, place)) return []
      return [[slot, place] as const]
    })
  }

  #pause(attempt: number, over: AbortSignal): Promise<void> {
    const longestMs = Math.min(LIMITS.STREAM_RETRY_MAX_MS, LIMITS.STREAM_RETRY_MIN_MS * 2 ** attempt)
    return pause(this.#clock, longestMs * (0.5 + this.#random() / 2), over)
  }

  async #find(channel: Channel, subscriber: ChannelSubscriber, start: SeveralStart): Promise<void> {
    const over = new AbortController()
    const stop = () => over.abort()
    subscriber.gone.addEventListener('abort', stop, { once: true })
    const cancel = this.#clock.after(LIMITS.STREAM_PATIENCE_MS, stop)
    const places = await (start.kind === 'last'
      ? this.#placeLast(channel, start.count, over.signal)
      : this.#placeEach(channel, start, over.signal))
    cancel()
    subscriber.gone.removeEventListener('abort', stop)
    if (!subscriber.open) return
    const all = [...places.keys()]
    const undecided = all.filter(at => isSince(places[at]!))
    const behind = all.filter(at => !isSince(places[at]!))
    const trail = new Trail(new Vector(channel.log.slots, places), behind, undecided)
    channel.begin(subscriber, trail)
  }

  async #placeEach(
    channel: Channel,
    start: Exclude<SeveralStart, { kind: 'last' }>,
    over: AbortSignal,
  ): Promise<SlotPlace[]> {
    const nowMs = this.#clock.nowMs()
    const wishes = channel.log.slots.map(slot => wishOf(start, slot))
    const found = await gather(
      wishes.map((wish, at) => this.#place(channel, at, wish, over)),
      over,
    )
    return wishes.map((wish, at) => found[at] ?? fallback(wish, nowMs))
  }

  async #placeLast(channel: Channel, count: number, over: AbortSignal): Promise<SlotPlace[]> {
    const nowMs = this.#clock.nowMs()
    const found = await gather(
      channel.log.slots.map((_, at) => this.#ask(channel, at, { kind: 'last', count }, over)),
      over,
    )
    return newest(found, count, nowMs)
  }

  async #place(
    channel: Channel,
    at: number,
    wish: Wish,
    over: AbortSignal,
  ): Promise<SlotPosition | undefined> {
    if (!('kind' in wish)) return wish
    if (wish.kind === 'latest') return this.#latest(channel, at, over)
    return (await this.#ask(channel, at, wish, over))?.position
  }

  /** Without a majority it begins where the live events do. */
  async #latest(channel: Channel, at: number, over: AbortSignal): Promise<SlotPosition | undefined> {
    const latest = await this.#reads.latest(channel.log.slots[at]!, () => !over.aborted)
    return latest ?? channel.covered(at, over)
  }

  /** Asks until somebody says it; undefined when it is `over` before. */
  async #ask(channel: Channel, at: number, start: SlotStart, over: AbortSignal): Promise<Placed | undefined> {
    for (let attempt = 0; !over.aborted; attempt += 1) {
      const placed = await this.#reads.place(
        channel.selection.scopes[at]!,
        start,
        attempt > 0,
        () => !over.aborted,
      )
      if (placed !== null) return placed
      await this.#pause(attempt, over)
    }
    return undefined
  }
}

function wishOf(start: Exclude<SeveralStart, { kind: 'last' }>, slot: number): Wish {
  if (start.kind !== 'cursor') return start
  const place = start.places.get(slot)
  if (place === undefined) return { kind: 'latest' }
  return isSince(place) ? { kind: 'time', timeMs: place.sinceMs } : place
}

/** The time with which the stream begins in a slot as long as nobody says more. */
function fallback(wish: Wish, nowMs: number): SlotPlace {
  if (!('kind' in wish)) return wish
  switch (wish.kind) {
    case 'latest':
      return { sinceMs: nowMs }
    case 'earliest':
      return { sinceMs: 0 }
    case 'time':
      return { sinceMs: wish.timeMs }
  }
}

/** What has come of the jobs when all are done or it is over. */
async function gather<Result>(
  jobs: readonly Promise<Result>[],
  over: AbortSignal,
): Promise<(Result | undefined)[]> {
  const found: (Result | undefined)[] = jobs.map(() => undefined)
  const all = Promise.all(
    jobs.map(async (job, at) => {
      found[at] = await job
    }),
  )
  await Promise.race([
    all,
    new Promise<void>(resolve => {
      if (over.aborted) resolve()
      over.addEventListener('abort', () => resolve(), { once: true })
    }),
  ])
  return [...found]
}
