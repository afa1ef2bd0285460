import type { Operation, Poll, Send } from '../../scripts/lib/checker/operations.ts'

/** Operations by name, in the order in which they happened: tests replace, drop and add some. */
export type Named = ReadonlyMap<string, Operation>

type Event = readonly [offset: number, id: string]

/** A send of the events of `ids` (`b,c`), answered one millisecond later. */
export function send(client: string, topic: string, ids: string, fromMs: number, more: Partial<Send>): Send {
  const times = { fromMs, toMs: fromMs + 1 }
  return { kind: 'send', client, topic, ids: ids.split(','), outcome: 'unknown', ...times, ...more }
}

/** Where an acknowledged send's events are. */
export function placed(incarnation: number, first: number, last = first) {
  return { outcome: 'acknowledged', incarnation, first, last } as const
}

export function poll(
  client: string,
  topic: string,
  atMs: number,
  incarnation: number,
  ...events: Event[]
): Poll {
  return { kind: 'poll', client, topic, atMs, incarnation, events: pairs(events) }
}

function pairs(events: readonly Event[]) {
  return events.map(([offset, id]) => ({ offset, id }))
}

/** What a peer holds at the end. */
export function final(
  client: string,
  topic: string,
  incarnation: number,
  events: readonly Event[],
  bounds: { earliest?: number; latest?: number } = {},
): Operation {
  const extent = { earliest: events[0]?.[0] ?? 1, latest: events.at(-1)?.[0] ?? 0, ...bounds }
  return { kind: 'final', client, topic, found: { incarnation, ...extent, events: pairs(events) } }
}

export const KEPT: readonly Event[] = [
  [1, 'a'],
  [2, 'b'],
  [3, 'c'],
  [4, 'd'],
  [5, 'f'],
  [6, 'g'],
  [7, 'h'],
]

/** A topic that keeps all: batches, a key's retries, a refusal, an unknown batch, a subscriber that resumes. */
function keep(): [string, Operation][] {
  const topic = 'keep'
  const created = { fromMs: 0, toMs: 1, outcome: 'acknowledged', incarnation: 1 } as const
  const found = { incarnation: 1, latest: 7 }
  const after = { incarnation: 1, offset: 3 }
  return [
    ['keep', { kind: 'create', client: 'admin', topic, ...created }],
    ['open s', { kind: 'open', client: 's', topic, atMs: 5 }],
    ['send a', send('p', topic, 'a', 10, placed(1, 1))],
    ['s has a', poll('s', topic, 12, 1, [1, 'a'])],
    ['send bc', send('p', topic, 'b,c', 20, placed(1, 2, 3))],
    ['s has bc', poll('s', topic, 22, 1, [2, 'b'], [3, 'c'])],
    ['close s', { kind: 'close', client: 's', topic, atMs: 24 }],
    ['send d', send('q', topic, 'd', 30, { key: 'k', outcome: 'unknown' })],
    ['retry d', send('q', topic, 'd', 40, { key: 'k', ...placed(1, 4) })],
    ['resume s', { kind: 'open', client: 's', topic, atMs: 45, after }],
    ['s has d', poll('s', topic, 46, 1, [4, 'd'])],
    ['send e', send('p', topic, 'e', 50, { outcome: 'refused', why: 'too late' })],
    ['send fg', send('p', topic, 'f,g', 60, { outcome: 'unknown' })],
    ['s has fg', poll('s', topic, 66, 1, [5, 'f'], [6, 'g'])],
    ['send h', send('p', topic, 'h', 70, placed(1, 7))],
    ['s has h', poll('s', topic, 72, 1, [7, 'h'])],
    ['again d', send('q', topic, 'd', 75, { key: 'k', ...placed(1, 4) })],
    ['read 1', { kind: 'barrier', client: 'r', topic, fromMs: 80, toMs: 81, found }],
    ['read 2', { kind: 'barrier', client: 'r', topic, fromMs: 82, toMs: 83, found }],
    ['final 1', final('000', topic, 1, KEPT)],
    ['final 2', final('001', topic, 1, KEPT)],
  ]
}

/** A topic whose oldest events are removed; one subscriber came too late for them and is told so. */
function trim(): [string, Operation][] {
  const topic = 'trim'
  const after = { incarnation: 1, offset: 0 }
  return [
    ['send t1', send('p', topic, 't1', 10, placed(1, 1))],
    ['send t2', send('p', topic, 't2', 20, placed(1, 2))],
    ['send t3', send('p', topic, 't3', 30, placed(1, 3))],
    ['open u', { kind: 'open', client: 'u', topic, atMs: 40, after }],
    ['gap u', { kind: 'gap', client: 'u', topic, atMs: 41, incarnation: 1, to: 2 }],
    ['u has t3', poll('u', topic, 42, 1, [3, 't3'])],
    ['final trim', final('000', topic, 1, [[3, 't3']])],
  ]
}

/** A topic that is deleted and created anew, and one that is deleted for good. */
function churn(): [string, Operation][] {
  const topic = 'churn'
  const acknowledged = { outcome: 'acknowledged' } as const
  const again = { incarnation: 4, latest: 1 }
  return [
    ['churn 2', { kind: 'create', client: 'c', topic, fromMs: 0, toMs: 1, ...acknowledged, incarnation: 2 }],
    ['open v', { kind: 'open', client: 'v', topic, atMs: 5 }],
    ['send x', send('p', topic, 'x', 10, { key: 'x', ...placed(2, 1) })],
    ['v has x', poll('v', topic, 12, 2, [1, 'x'])],
    ['delete', { kind: 'delete', client: 'c', topic, fromMs: 20, toMs: 21, ...acknowledged }],
    ['end v', { kind: 'end', client: 'v', topic, atMs: 22 }],
    ['replayed x', send('p', topic, 'x', 23, { key: 'x', ...placed(2, 1) })],
    [
      'churn 4',
      { kind: 'create', client: 'c', topic, fromMs: 30, toMs: 31, ...acknowledged, incarnation: 4 },
    ],
    ['reopen v', { kind: 'open', client: 'v', topic, atMs: 35 }],
    ['send y', send('p', topic, 'y', 40, placed(4, 1))],
    ['v has y', poll('v', topic, 42, 4, [1, 'y'])],
    ['read churn', { kind: 'barrier', client: 'r', topic, fromMs: 50, toMs: 51, found: again }],
    ['final churn', final('000', topic, 4, [[1, 'y']])],
    ['send z', send('p', 'gone', 'z', 10, placed(3, 1))],
    ['delete gone', { kind: 'delete', client: 'c', topic: 'gone', fromMs: 20, toMs: 21, outcome: 'unknown' }],
    ['read gone', { kind: 'barrier', client: 'r', topic: 'gone', fromMs: 30, toMs: 31, found: null }],
    ['final gone', { kind: 'final', client: '000', topic: 'gone', found: null }],
  ]
}

/** A history with something of everything, in which all is well. */
export function honest(): Named {
  return new Map([...keep(), ...trim(), ...churn()])
}
