import { comparePlaces, formatPlace, type Place } from './log.ts'
import type { End, Gap, Open, Poll, Position } from './operations.ts'
import { at, type Examined } from './topic.ts'

/** Where one subscriber stands in one topic. */
export interface Subscriber {
  readonly client: string
  /** A stream was opened and neither ended nor closed. */
  isOpen: boolean
  openedMs: number | undefined
  /** Where the server began this stream, when it was asked to choose. */
  placed: Position | undefined
  /** The event due next; undefined while only the server knows the place. */
  next: Place | undefined
  /** Furthest place that was due next, over all its streams. */
  furthest: Place | undefined
  /** The life it was told is over, in this stream. */
  ended: number
  /** This stream was found to deliver a deleted life. */
  isStale: boolean
}

/** Where the final log begins: no gap may reach beyond. */
export interface Kept {
  readonly incarnation: number
  readonly earliest: number
}

export interface StreamRules {
  readonly kept: Kept | undefined
  /** A stream opened after a deletion may deliver the old life. */
  readonly allowStale: boolean
}

/**
 * Follows every subscriber through the history and enters what it was given into the log: `poll-skip`,
 * `nonmonotonic-poll`, `int-poll-skip`, `int-nonmonotonic-poll`, `deleted-stays-deleted`, `false-end`.
 * @returns where each stands at the end
 */
export function checkStreams(examined: Examined, rules: StreamRules): Iterable<Subscriber> {
  const subscribers = new Map<string, Subscriber>()
  for (const operation of examined.operations.streams) {
    const { client } = operation
    let subscriber = subscribers.get(client)
    if (subscriber === undefined) {
      subscriber = newSubscriber(client)
      subscribers.set(client, subscriber)
    }
    switch (operation.kind) {
      case 'open':
        opened(examined, subscriber, operation)
        break
      case 'position':
        positioned(examined, subscriber, operation, rules)
        break
      case 'poll':
        polled(examined, subscriber, operation, rules)
        break
      case 'gap':
        toldOfGap(examined, subscriber, operation, rules.kept)
        break
      case 'end':
        toldOfEnd(examined, subscriber, operation)
        break
      case 'close':
        subscriber.isOpen = false
    }
  }
  return subscribers.values()
}

function newSubscriber(client: string): Subscriber {
  const place = { placed: undefined, next: undefined, furthest: undefined }
  return { client, isOpen: false, openedMs: undefined, ended: 0, isStale: false, ...place }
}

function opened({ topic, findings }: Examined, subscriber: Subscriber, { after, atMs, client }: Open): void {
  const { next } = subscriber
  if (after !== undefined && next !== undefined) {
    // Only a server can have led it there: with a position mark or a frame that its client did not get.
    const due = after.incarnation > next.incarnation ? 1 : next.offset
    if (after.incarnation >= next.incarnation && after.offset >= due) {
      findings.add(
        'poll-skip',
        () =>
          `${topic}: ${client} resumes behind ${formatPlace(after)} ${at(atMs)}, ${formatPlace(next)} was next`,
      )
    }
  }
  subscriber.isOpen = true
  subscriber.openedMs = atMs
  subscriber.placed = undefined
  subscriber.ended = 0
  subscriber.isStale = false
  if (after === undefined) subscriber.next = undefined
  else moveTo(subscriber, after.incarnation, after.offset + 1)
}

/** A stream that resumes begins where it asked to. */
function positioned(
  examined: Examined,
  subscriber: Subscriber,
  position: Position,
  { allowStale }: StreamRules,
): void {
  const { topic, findings } = examined
  const { client, atMs, incarnation, offset } = position
  checkLife(examined, subscriber, position, allowStale)
  const { next } = subscriber
  if (next === undefined) subscriber.placed = position
  else if (incarnation !== next.incarnation || offset + 1 !== next.offset) {
    findings.add(
      comparePlaces({ incarnation, offset: offset + 1 }, next) > 0 ? 'poll-skip' : 'nonmonotonic-poll',
      () =>
        `${topic}: ${client} was put behind ${formatPlace(position)} ${at(atMs)}, ${formatPlace(next)} was next`,
    )
  }
  moveTo(subscriber, incarnation, offset + 1)
}

function polled(examined: Examined, subscriber: Subscriber, poll: Poll, { allowStale }: StreamRules): void {
  const { topic, findings, log } = examined
  const { client, atMs, incarnation, events } = poll
  if (events.length === 0) return
  checkLife(examined, subscriber, poll, allowStale)
  let previous = dueIn(subscriber, incarnation)
  let isWithin = false
  for (const { offset, id } of events) {
    const due = previous
    if (due !== undefined && offset !== due) {
      const kind = offset > due ? 'poll-skip' : 'nonmonotonic-poll'
      findings.add(isWithin ? `int-${kind}` : kind, () => {
        const place = formatPlace({ incarnation, offset })
        const expected = due === NEVER ? `life ${subscriber.next?.incarnation}` : `${due}-${incarnation}`
        return `${topic}: ${client} was given ${id} at ${place} ${at(atMs)}, ${expected} was next`
      })
    }
    log.note(client, atMs, incarnation, offset, id)
    previous = offset + 1
    isWithin = true
  }
  moveTo(subscriber, incarnation, previous!)
}

/** Above every offset: nothing is due any more in a life that was left. */
const NEVER = Number.POSITIVE_INFINITY

/** The offset due next in that life; undefined when any will do. */
function dueIn({ next }: Subscriber, incarnation: number): number | undefined {
  if (next === undefined) return undefined
  if (incarnation === next.incarnation) return next.offset
  return incarnation > next.incarnation ? 1 : NEVER
}

function checkLife(
  { topic, findings, timeline }: Examined,
  subscriber: Subscriber,
  { incarnation, atMs }: Poll | Position,
  allowStale: boolean,
): void {
  const { client, openedMs, ended, isStale } = subscriber
  if (isStale) return
  const given = () => `${topic}: ${client} was given a stream of life ${incarnation} ${at(atMs)}`
  if (incarnation <= ended) {
    subscriber.isStale = true
    findings.add('deleted-stays-deleted', () => `${given()}, after it was told that life ${ended} is over`)
    return
  }
  const over = openedMs === undefined || allowStale ? undefined : timeline.over.before(openedMs)
  if (over === undefined || incarnation > over.incarnation) return
  subscriber.isStale = true
  findings.add(
    'deleted-stays-deleted',
    () => `${given()} from a stream opened ${at(openedMs!)}, and ${over.by()}`,
  )
}

function toldOfGap(
  { topic, findings }: Examined,
  subscriber: Subscriber,
  { client, atMs, incarnation, to }: Gap,
  kept: Kept | undefined,
): void {
  const due = dueIn(subscriber, incarnation)
  const told = () => `${topic}: ${client} was told ${at(atMs)} that life ${incarnation} is gone up to ${to}`
  if (due !== undefined && to + 1 < due) {
    findings.add('nonmonotonic-poll', () => `${told()}, behind what it had`)
  } else if (to >= (due ?? 1) && kept?.incarnation === incarnation && to >= kept.earliest) {
    findings.add('poll-skip', () => `${told()}, and the log still begins at ${kept.earliest}`)
  }
  moveTo(subscriber, incarnation, to + 1)
}

/** A life that was left may be over only when somebody may have deleted it. */
function toldOfEnd(
  { topic, findings, timeline }: Examined,
  subscriber: Subscriber,
  { client, atMs }: End,
): void {
  const incarnation = subscriber.next?.incarnation
  if (incarnation !== undefined && !timeline.deaths.mayBeOver(incarnation, atMs)) {
    findings.add(
      'false-end',
      () =>
        `${topic}: ${client} was told ${at(atMs)} that life ${incarnation} is over, and nobody can have deleted it`,
    )
  }
  subscriber.ended = incarnation ?? 0
  subscriber.isOpen = false
}

function moveTo(subscriber: Subscriber, incarnation: number, offset: number): void {
  const next = { incarnation, offset }
  subscriber.next = next
  const { furthest } = subscriber
  if (furthest === undefined || furthest.incarnation !== incarnation || furthest.offset < offset) {
    subscriber.furthest = next
  }
}
