import { formatPlace } from './log.ts'
import type { Final } from './operations.ts'
import type { Kept, Subscriber } from './polls.ts'
import { at, type Examined } from './topic.ts'

type Found = NonNullable<Final['found']>

export interface FinalRules {
  /** Retention may have taken its first events away. */
  readonly isTrimmed: boolean
  /** A topic that somebody was told of must have been read at the end. */
  readonly isExpected: boolean
}

/** The first final read of a topic that found something: the one the others are held against. */
export function keptOf(finals: readonly Final[]): Kept | undefined {
  const found = finals[0]?.found
  return found ? { incarnation: found.incarnation, earliest: found.earliest } : undefined
}

/**
 * Checks the final reads against each other and against all that was acknowledged, seen and found: `replicas-differ`,
 * `lost-write`, `unseen`, `stale-read`, `deleted-stays-deleted`, and within one read `int-poll-skip` and
 * `int-nonmonotonic-poll`. A topic without final reads is not checked for these: it is `unread` where one is expected.
 */
export function checkFinals(examined: Examined, subscribers: Iterable<Subscriber>, rules: FinalRules): void {
  const { operations, log } = examined
  const [reference, ...others] = operations.finals
  if (reference === undefined) {
    if (rules.isExpected) checkRead(examined)
    return
  }
  for (const other of others) compare(examined, reference, other)
  const { client, found } = reference
  if (found === null) {
    checkGone(examined, client, Number.POSITIVE_INFINITY)
    return
  }
  if (isOver(examined, client, found)) return
  checkGone(examined, client, found.incarnation)
  checkStale(examined, client, found)
  for (const { offset, id } of found.events) log.note(client, undefined, found.incarnation, offset, id)
  checkWhole(examined, client, found, rules.isTrimmed)
  checkPartOfBatch(examined, found)
  for (const other of others) {
    for (const { offset, id } of other.found?.events ?? []) {
      log.note(other.client, undefined, other.found!.incarnation, offset, id)
    }
  }
  for (const subscriber of subscribers) checkUnseen(examined, subscriber, found)
}

function checkRead({ topic, operations: { sends, creates }, findings }: Examined): void {
  const known = [...creates, ...sends].find(({ outcome }) => outcome === 'acknowledged')
  if (known === undefined) return
  findings.add(
    'unread',
    () => `${topic}: acknowledged to ${known.client} ${at(known.toMs)}, and nobody read it at the end`,
  )
}

function compare({ topic, findings }: Examined, one: Final, other: Final): void {
  const difference = differenceOf(one.found, other.found)
  if (difference === undefined) return
  findings.add('replicas-differ', () => `${topic}: ${one.client} and ${other.client}: ${difference}`)
}

function differenceOf(one: Final['found'], other: Final['found']): string | undefined {
  if (one === null || other === null) return one === other ? undefined : 'only one has the topic'
  for (const field of ['incarnation', 'earliest', 'latest'] as const) {
    if (one[field] !== other[field]) return `${field} ${one[field]} and ${other[field]}`
  }
  if (one.events.length !== other.events.length)
    return `${one.events.length} and ${other.events.length} events`
  const index = one.events.findIndex(({ offset, id }, i) => {
    const there = other.events[i]!
    return there.offset !== offset || there.id !== id
  })
  if (index < 0) return undefined
  const [a, b] = [one.events[index]!, other.events[index]!]
  return `${a.id} at ${a.offset} and ${b.id} at ${b.offset}`
}

function isOver({ topic, timeline, findings }: Examined, client: string, { incarnation }: Found): boolean {
  const over = timeline.over.before(Number.POSITIVE_INFINITY)
  if (over === undefined || incarnation > over.incarnation) return false
  findings.add(
    'deleted-stays-deleted',
    () => `${topic}: at the end ${client} holds life ${incarnation}, and ${over.by()}`,
  )
  return true
}

/** Of the lives before the one that is held: somebody must have deleted each, and one deletion ends one life. */
function checkGone({ topic, timeline, log, findings }: Examined, client: string, held: number): void {
  for (const { incarnation, overMs } of timeline.deaths.lives) {
    if (incarnation >= held || timeline.deaths.mayBeOver(incarnation, overMs)) continue
    for (const [offset, id] of log.life(incarnation)) {
      const place = formatPlace({ incarnation, offset })
      findings.add(
        'lost-write',
        () =>
          `${topic}: ${id} was at ${place}; at the end ${client} no longer has that life, and nobody can have deleted it`,
      )
    }
  }
}

function checkStale({ topic, operations, findings }: Examined, client: string, found: Found): void {
  const { incarnation, latest } = found
  for (const barrier of operations.barriers) {
    if (barrier.found?.incarnation !== incarnation || barrier.found.latest <= latest) continue
    const known = `${barrier.client} had found ${barrier.found.latest}-${incarnation} ${at(barrier.toMs)}`
    findings.add(
      'stale-read',
      () => `${topic}: at the end ${client} holds ${latest}-${incarnation}, and ${known}`,
    )
    return
  }
}

/** Dense from `earliest` to `latest`, and everything in it that anybody knows of. */
function checkWhole(
  { topic, log, findings }: Examined,
  client: string,
  found: Found,
  isTrimmed: boolean,
): void {
  const { incarnation, earliest, latest, events } = found
  const held = new Set<number>()
  let previous = earliest - 1
  for (const { offset, id } of events) {
    held.add(offset)
    if (offset <= previous) {
      findings.add(
        'int-nonmonotonic-poll',
        () => `${topic}: ${client} holds ${id} at ${offset}-${incarnation}, behind ${previous}`,
      )
    }
    previous = offset
  }
  let lost = 0
  for (const [offset, id] of log.life(incarnation)) {
    if ((offset < earliest && isTrimmed) || held.has(offset)) continue
    if (offset >= earliest && offset <= latest) lost += 1
    const fate = log.fateOf(id)
    findings.add(
      'lost-write',
      () =>
        `${topic}: ${id} of ${fate?.client}, ${fate?.outcome}, was at ${offset}-${incarnation}; ` +
        `at the end ${client} holds ${earliest} to ${latest} without it`,
    )
  }
  const missing = latest - earliest + 1 - held.size - lost
  if (missing !== 0) {
    const extent = `${held.size} offsets of ${earliest} to ${latest} of life ${incarnation}`
    findings.add('int-poll-skip', () => `${topic}: ${client} holds ${extent}`)
  }
}

/** Of a batch all or nothing: where one event is, the others must be (Jepsen's `must-have-committed?`). */
function checkPartOfBatch({ topic, operations, log, findings }: Examined, found: Found): void {
  for (const { ids, client, outcome } of operations.sends) {
    if (ids.length < 2 || outcome === 'acknowledged') continue
    const seen = ids.findIndex(id => log.placeOf(id) !== undefined)
    if (seen < 0) continue
    const place = log.placeOf(ids[seen]!)!
    if (place.incarnation !== found.incarnation) continue
    for (const [index, id] of ids.entries()) {
      if (log.placeOf(id) !== undefined || place.offset + index - seen < found.earliest) continue
      findings.add(
        'lost-write',
        () =>
          `${topic}: ${id} of ${client} is nowhere, ${ids[seen]} of the same batch is at ${formatPlace(place)}`,
      )
    }
  }
}

/** What is due is behind its place, and what was sent only after the server had said where the stream begins. */
function checkUnseen({ topic, log, findings }: Examined, subscriber: Subscriber, found: Found): void {
  const { client, isOpen, next, furthest, placed } = subscriber
  if (!isOpen || next === undefined || next.incarnation > found.incarnation) return
  const isSameLife = next.incarnation === found.incarnation
  const due = isSameLife ? Math.max(next.offset, furthest?.offset ?? 0) : 1
  const begin = placed?.incarnation === found.incarnation ? placed : undefined
  const isPassedOver = (offset: number, id: string) =>
    begin !== undefined && offset <= begin.offset && (log.fateOf(id)?.fromMs ?? 0) > begin.atMs
  const missed = found.events.filter(({ offset, id }) => offset >= due || isPassedOver(offset, id))
  if (missed.length === 0) return
  const shown = missed.slice(0, 3).map(({ id, offset }) => `${id} (${offset}-${found.incarnation})`)
  findings.add(
    'unseen',
    () => `${topic}: ${client}, open to the last, never got ${missed.length} events: ${shown.join(', ')}`,
  )
}
