import { comparePlaces, formatPlace, type Place } from './log.ts'
import type { Send } from './operations.ts'
import { at, type Examined } from './topic.ts'

interface Acknowledged extends Send {
  readonly incarnation: number
  readonly first: number
  readonly last: number
}

/**
 * Checks the answers to publishes and enters the places they name into the log: `int-send-skip`,
 * `int-nonmonotonic-send`, `idempotency` (a key outlives its topic), `nonmonotonic-send`, `deleted-stays-deleted`.
 */
export function checkAnswers(examined: Examined): void {
  const { topic, operations, findings } = examined
  const ofKey = new Map<string, Acknowledged>()
  const lastOfClient = new Map<string, Acknowledged>()
  for (const send of operations.sends) {
    if (send.outcome !== 'acknowledged') continue
    if (!isPlaced(send)) {
      findings.add('inconsistent-offsets', () => `${topic}: ${name(send)} was acknowledged without a place`)
      continue
    }
    const before = send.key === undefined ? undefined : ofKey.get(send.key)
    if (before !== undefined && !isSameAnswer(before, send)) {
      tellOfKey(examined, before, send)
      continue
    }
    if (send.key !== undefined) ofKey.set(send.key, send)
    enter(examined, send)
    checkOrder(examined, send, lastOfClient)
  }
}

/** Of an acknowledgement: as many places as events. */
function enter({ topic, log, findings }: Examined, send: Acknowledged): void {
  const { ids, first, last, incarnation, client, toMs } = send
  const count = last - first + 1
  if (count !== ids.length) {
    const kind = count > ids.length ? 'int-send-skip' : 'int-nonmonotonic-send'
    findings.add(kind, () => `${topic}: ${name(send)} has ${ids.length} events and was given ${range(send)}`)
    if (ids[0] !== undefined) log.note(client, toMs, incarnation, first, ids[0])
    return
  }
  for (const [index, id] of ids.entries()) log.note(client, toMs, incarnation, first + index, id)
}

function tellOfKey({ topic, findings }: Examined, before: Acknowledged, send: Acknowledged): void {
  findings.add(
    'idempotency',
    () =>
      `${topic}: key ${send.key} of ${send.client} was answered ${range(before)} ${at(before.toMs)} ` +
      `and ${range(send)} ${at(send.toMs)}`,
  )
}

/** Against what was known before the event was sent for the first time: a retry may be given an old answer. */
function checkOrder(
  { topic, log, timeline, findings }: Examined,
  send: Acknowledged,
  lastOfClient: Map<string, Acknowledged>,
): void {
  const fromMs = log.firstSentMs(send)
  const over = timeline.over.before(fromMs)
  if (over !== undefined && send.incarnation <= over.incarnation) {
    findings.add(
      'deleted-stays-deleted',
      () => `${topic}: ${name(send)} was given ${range(send)}, and ${over.by()}`,
    )
    return
  }
  const place = { incarnation: send.incarnation, offset: send.first }
  const reached = timeline.reached.before(fromMs)
  const previous = lastOfClient.get(send.client)
  // A client's own operations follow each other also within one moment of virtual time.
  const isLevel =
    previous !== undefined && previous.toMs <= fromMs && comparePlaces(place, lastOf(previous)) <= 0
  if (reached !== undefined && comparePlaces(place, reached) <= 0) {
    findings.add(
      'nonmonotonic-send',
      () => `${topic}: ${name(send)} was given ${range(send)}, and ${reached.by()}`,
    )
  } else if (isLevel) {
    findings.add(
      'nonmonotonic-send',
      () =>
        `${topic}: ${name(send)} was given ${range(send)}, after ${name(previous)} was given ${range(previous)}`,
    )
  }
  if (fromMs === send.fromMs) lastOfClient.set(send.client, send)
}

/**
 * When all that was seen is in the log: the events of one batch stand side by side and in order, whatever was answered
 * (`int-send-skip`, `int-nonmonotonic-send`).
 */
export function checkBatches({ topic, operations, log, findings }: Examined): void {
  const checked = new Set<string>()
  for (const send of operations.sends) {
    const { ids, first, last } = send
    if (ids.length < 2 || checked.has(ids[0]!)) continue
    checked.add(ids[0]!)
    if (first !== undefined && last !== undefined && last - first + 1 !== ids.length) continue
    for (let index = 1; index < ids.length; index += 1) {
      const [one, next] = [log.placeOf(ids[index - 1]!), log.placeOf(ids[index]!)]
      if (one === undefined || next === undefined) continue
      const kind = stepKind(one, next)
      if (kind === undefined) continue
      const where = () =>
        `${ids[index - 1]} is at ${formatPlace(one)} and ${ids[index]} at ${formatPlace(next)}`
      findings.add(kind, () => `${topic}: of ${name(send)} ${where()}`)
    }
  }
}

function stepKind(one: Place, next: Place): 'int-send-skip' | 'int-nonmonotonic-send' | undefined {
  if (comparePlaces(next, one) <= 0) return 'int-nonmonotonic-send'
  return next.incarnation === one.incarnation && next.offset === one.offset + 1 ? undefined : 'int-send-skip'
}

function isPlaced(send: Send): send is Acknowledged {
  return send.incarnation !== undefined && send.first !== undefined && send.last !== undefined
}

function isSameAnswer(a: Acknowledged, b: Acknowledged): boolean {
  return a.incarnation === b.incarnation && a.first === b.first && a.last === b.last
}

function lastOf({ incarnation, last }: Acknowledged): Place {
  return { incarnation, offset: last }
}

function range({ incarnation, first, last }: Acknowledged): string {
  return first === last ? `${first}-${incarnation}` : `${first} to ${last} of life ${incarnation}`
}

/** A send in descriptions. */
function name({ ids, client, fromMs, toMs }: Send): string {
  const shown = ids.length > 3 ? `${ids[0]}…${ids.at(-1)}` : ids.join()
  return `${shown} (${client}, ${Math.round(fromMs)} to ${Math.round(toMs)} ms)`
}
