import type { AnomalyKind } from '../../scripts/lib/checker/check.ts'
import type { Operation } from '../../scripts/lib/checker/operations.ts'
import { final, KEPT, type Named, placed, poll, send } from './histories.ts'

type Change = Operation | null

/** How the honest history is changed so that it has one anomaly. */
export interface Doctored {
  readonly kind: AnomalyKind
  readonly how: string
  /** By name: another operation in its place, or none. */
  readonly change: Readonly<Record<string, Change>>
  /** Added behind that operation. */
  readonly add?: readonly [behind: string, ...Operation[]]
  readonly what?: RegExp
}

/** The history with that change. */
export function doctor(history: Named, { change, add }: Doctored): Operation[] {
  const operations: Operation[] = []
  for (const name of [...Object.keys(change), ...(add ? [add[0]] : [])]) {
    if (!history.has(name)) throw new Error(`There is no ${name}`)
  }
  for (const [name, operation] of history) {
    const changed = name in change ? change[name]! : operation
    if (changed !== null) operations.push(changed)
    if (add?.[0] === name) operations.push(...(add.slice(1) as Operation[]))
  }
  return operations
}

const finals = (...events: [number, string][]) => ({
  'final 1': final('000', 'keep', 1, events),
  'final 2': final('001', 'keep', 1, events),
})
const kept = (...replaced: [number, string][]): [number, string][] =>
  KEPT.map(([offset, id]) => replaced.find(([at]) => at === offset) ?? [offset, id])
const without = (offset: number): [number, string][] => kept().filter(([at]) => at !== offset)
/** Without `offset` the server says where the stream begins. */
export const open = (
  client: string,
  topic: string,
  atMs: number,
  offset?: number,
  incarnation = 1,
): Operation => {
  const after = offset !== undefined && { after: { incarnation, offset } }
  return { kind: 'open', client, topic, atMs, ...after }
}
/** The opening frame of a stream of the topic that keeps all. */
const position = (client: string, atMs: number, offset: number): Operation => {
  return { kind: 'position', client, topic: 'keep', atMs, incarnation: 1, offset }
}
/** A read by `x`, answered one millisecond later. */
export const barrier = (topic: string, fromMs: number, incarnation: number, latest: number): Operation => {
  return { kind: 'barrier', client: 'x', topic, fromMs, toMs: fromMs + 1, found: { incarnation, latest } }
}

/** For every kind of anomaly histories that have one of it and nothing else. */
export const DOCTORED: readonly Doctored[] = [
  { kind: 'lost-write', how: 'an acknowledged event is not in the final log', change: finals(...without(2)) },
  {
    kind: 'lost-write',
    how: 'an event that was seen is not in it',
    change: finals(...without(5)),
    what: /f of p/,
  },
  {
    kind: 'lost-write',
    how: 'the last event is not in it',
    change: { ...finals(...without(7)), 'read 1': null, 'read 2': null },
    what: /h of p, acknowledged/,
  },
  {
    kind: 'lost-write',
    how: 'half of a batch is there',
    change: {
      's has fg': poll('s', 'keep', 66, 1, [5, 'f']),
      's has h': null,
      'send h': null,
      'read 1': null,
      'read 2': null,
      ...finals(...kept().slice(0, 5)),
    },
    what: /g of p is nowhere/,
  },
  {
    kind: 'lost-write',
    how: 'a topic is gone that nobody deleted',
    change: { 'delete gone': null, 'read gone': null },
  },
  {
    kind: 'unseen',
    how: 'a subscriber open to the last lacks the end',
    change: { 's has h': null },
    what: /s, .*h \(7-1\)/,
  },
  {
    kind: 'lost-write',
    how: 'a life follows another that nobody deleted',
    change: { delete: null, 'end v': null },
    what: /x was at 1-2/,
  },
  {
    kind: 'lost-write',
    how: 'one deletion of unknown outcome would have had to end two lives',
    change: {},
    add: ['read gone', send('p', 'gone', 'z5', 40, placed(5, 1))],
    what: /z5 was at 1-5/,
  },
  {
    kind: 'unseen',
    how: 'a subscriber never comes to the new life',
    change: { 'end v': null, 'reopen v': null, 'v has y': null },
  },
  {
    kind: 'unseen',
    how: 'a subscriber that began at the end is given nothing',
    change: {},
    add: ['s has fg', open('w', 'keep', 67), position('w', 68, 6)],
    what: /w, .*h \(7-1\)/,
  },
  {
    kind: 'unseen',
    how: 'a stream begins behind an event that was sent only later',
    change: {},
    add: ['s has fg', open('w', 'keep', 67), position('w', 68, 7)],
    what: /w, .* 1 events: h \(7-1\)/,
  },
  { kind: 'unread', how: 'nobody read a topic at the end', change: { 'final trim': null }, what: /^trim: / },
  {
    kind: 'duplicate',
    how: 'an event is in the log twice',
    change: { 's has h': poll('s', 'keep', 72, 1, [7, 'h'], [8, 'a']), ...finals(...kept(), [8, 'a']) },
    what: /a .*also at 1-1/,
  },
  {
    kind: 'inconsistent-offsets',
    how: 'a subscriber got another event than the acknowledged one',
    change: {},
    add: [
      's has h',
      send('p', 'keep', 'i', 90, {}),
      open('w', 'keep', 91),
      poll('w', 'keep', 92, 1, [7, 'i']),
    ],
    what: /i where h is/,
  },
  {
    kind: 'inconsistent-offsets',
    how: 'an acknowledgement names no place',
    change: {},
    add: ['send h', send('p', 'keep', 'i', 90, { outcome: 'acknowledged' })],
  },
  {
    kind: 'G1a',
    how: 'a refused event is in the log',
    change: finals(...kept(), [8, 'e']),
    add: ['s has h', poll('s', 'keep', 73, 1, [8, 'e'])],
    what: /has e .*too late/,
  },
  {
    kind: 'phantom',
    how: 'an event is in the log that nobody sent',
    change: finals(...kept(), [8, 'ghost']),
    add: ['s has h', poll('s', 'keep', 73, 1, [8, 'ghost'])],
  },
  { kind: 'poll-skip', how: 'a delivery is missing', change: { 's has d': null }, what: /4-1 was next/ },
  { kind: 'poll-skip', how: 'a gap is not told', change: { 'gap u': null } },
  {
    kind: 'poll-skip',
    how: 'a gap is told that is none',
    change: { 's has fg': { kind: 'gap', client: 's', topic: 'keep', atMs: 66, incarnation: 1, to: 6 } },
    what: /log still begins at 1/,
  },
  {
    kind: 'poll-skip',
    how: 'a subscriber is led to resume too far on',
    change: { 'resume s': open('s', 'keep', 45, 4), 's has d': null },
    what: /resumes behind 4-1/,
  },
  {
    kind: 'poll-skip',
    how: 'a resumed stream is put too far on',
    change: { 's has d': null },
    add: ['resume s', position('s', 45, 4)],
    what: /put behind 4-1 .*4-1 was next/,
  },
  {
    kind: 'poll-skip',
    how: 'a new life does not begin at its first event',
    change: {
      'end v': null,
      'reopen v': null,
      'read churn': null,
      'v has y': poll('v', 'churn', 42, 4, [2, 'y2']),
      'final churn': final('000', 'churn', 4, [
        [1, 'y'],
        [2, 'y2'],
      ]),
    },
    add: ['send y', send('p', 'churn', 'y2', 41.5, placed(4, 2))],
    what: /1-4 was next/,
  },
  {
    kind: 'nonmonotonic-poll',
    how: 'a resumed stream begins at its cursor, not behind',
    change: { 's has d': poll('s', 'keep', 46, 1, [3, 'c'], [4, 'd']) },
    what: /c at 3-1 .*4-1 was next/,
  },
  {
    kind: 'nonmonotonic-poll',
    how: 'a resumed stream is put further back',
    change: { 's has d': poll('s', 'keep', 46, 1, [3, 'c'], [4, 'd']) },
    add: ['resume s', position('s', 45, 2)],
    what: /put behind 2-1/,
  },
  {
    kind: 'nonmonotonic-poll',
    how: 'a delivery comes twice',
    change: {},
    add: ['s has h', poll('s', 'keep', 73, 1, [7, 'h'])],
  },
  {
    kind: 'nonmonotonic-poll',
    how: 'a stream goes back to an earlier life',
    change: { 'open v': open('v', 'churn', 5), 'end v': null, 'reopen v': null },
    add: [
      'v has y',
      poll('v', 'churn', 43, 2, [1, 'x']),
      { kind: 'close', client: 'v', topic: 'churn', atMs: 44 },
    ],
    what: /life 4 was next/,
  },
  {
    kind: 'nonmonotonic-poll',
    how: 'a gap reaches less far than the cursor',
    change: {},
    add: [
      's has h',
      { kind: 'gap', client: 's', topic: 'keep', atMs: 73, incarnation: 1, to: 0 },
      poll('s', 'keep', 74, 1, ...KEPT),
    ],
  },
  {
    kind: 'int-poll-skip',
    how: 'a delivery has a hole',
    change: {
      's has fg': poll('s', 'keep', 66, 1, [5, 'f']),
      's has h': null,
      's has d': poll('s', 'keep', 46, 1, [4, 'd']),
    },
    add: ['send h', open('s', 'keep', 71, 4), poll('s', 'keep', 72, 1, [5, 'f'], [7, 'h'])],
  },
  {
    kind: 'int-poll-skip',
    how: 'the final log has a hole of which nobody knows',
    change: {
      's has fg': null,
      's has h': null,
      'resume s': null,
      's has d': null,
      ...finals(...without(5).filter(([at]) => at !== 6)),
    },
    what: /5 offsets of 1 to 7/,
  },
  {
    kind: 'int-nonmonotonic-poll',
    how: 'a delivery holds an event twice',
    change: { 's has bc': poll('s', 'keep', 22, 1, [2, 'b'], [2, 'b'], [3, 'c']) },
  },
  {
    kind: 'nonmonotonic-send',
    how: 'of two events of one client the later one stands first',
    change: { 'send fg': null },
    add: ['send h', send('p', 'keep', 'f,g', 71, placed(1, 5, 6))],
    what: /f,g \(p.* given 5 to 6 of life 1, after h .* given 7-1/,
  },
  {
    kind: 'nonmonotonic-send',
    how: 'an event is put before one that another client was told of',
    change: { 'send d': null, 'retry d': null, 'again d': send('q', 'keep', 'd', 75, placed(1, 4)) },
    what: /7-1 was acknowledged to p/,
  },
  {
    kind: 'nonmonotonic-send',
    how: 'an event is put where a read had found one before it was sent',
    change: { 'send h': send('p', 'keep', 'h', 90, placed(1, 7)) },
    what: /r had found 7-1/,
  },
  {
    kind: 'int-send-skip',
    how: 'a batch is given more places than it has events',
    change: { 'send bc': send('p', 'keep', 'b,c', 20, placed(1, 2, 4)) },
  },
  {
    kind: 'int-send-skip',
    how: 'a foreign event stands in a batch of unknown outcome',
    change: {
      'send fg': send('p', 'keep', 'f,g', 60, {}),
      'send h': send('w', 'keep', 'h', 60, placed(1, 6)),
      's has fg': poll('s', 'keep', 66, 1, [5, 'f'], [6, 'h']),
      's has h': poll('s', 'keep', 72, 1, [7, 'g']),
      ...finals(...kept([6, 'h'], [7, 'g'])),
    },
  },
  {
    kind: 'int-nonmonotonic-send',
    how: 'a batch is in the log in another order',
    change: {
      's has fg': poll('s', 'keep', 66, 1, [5, 'g'], [6, 'f']),
      ...finals(...kept([5, 'g'], [6, 'f'])),
    },
  },
  {
    kind: 'int-nonmonotonic-send',
    how: 'a batch is given fewer places than it has events',
    change: { 'send bc': send('p', 'keep', 'b,c', 20, placed(1, 2, 2)) },
  },
  {
    kind: 'idempotency',
    how: 'a retry under a key is given another place',
    change: {
      'again d': send('q', 'keep', 'd', 75, { key: 'k', ...placed(1, 8) }),
      'read 1': null,
      'read 2': null,
    },
    what: /key k of q/,
  },
  {
    kind: 'idempotency',
    how: 'a key begins anew in the next life of its topic',
    change: { 'send y': send('p', 'churn', 'y', 40, { key: 'x', ...placed(4, 1) }) },
    what: /key x of p was answered 1-2 .* and 1-4/,
  },
  {
    kind: 'stale-read',
    how: 'a read finds less than was acknowledged',
    change: { 'read 1': barrier('keep', 80, 1, 6) },
    what: /found 6-1, and 7-1 was acknowledged/,
  },
  {
    kind: 'stale-read',
    how: 'a read finds less than the one before',
    change: {
      'send h': send('p', 'keep', 'h', 70, { ...placed(1, 7), toMs: 200 }),
      'read 2': barrier('keep', 82, 1, 6),
    },
    what: /r had found 7-1/,
  },
  {
    kind: 'stale-read',
    how: 'a read finds no topic',
    change: { 'read 1': { kind: 'barrier', client: 'r', topic: 'keep', fromMs: 80, toMs: 81, found: null } },
  },
  {
    kind: 'stale-read',
    how: 'a read finds no topic before a deletion of unknown outcome can have ended it',
    change: {},
    add: ['read gone', barrier('gone', 40, 3, 1)],
    what: /r asked at 30 ms and found no topic/,
  },
  {
    kind: 'stale-read',
    how: 'the final log is shorter than a read had found it',
    change: { 'read 2': barrier('keep', 82, 1, 8) },
    what: /at the end 000 holds 7-1/,
  },
  {
    kind: 'deleted-stays-deleted',
    how: 'a send is acknowledged in the deleted life',
    change: {},
    add: ['end v', send('q', 'churn', 'late', 25, placed(2, 2))],
  },
  {
    kind: 'deleted-stays-deleted',
    how: 'a stream opened later delivers it',
    change: {},
    add: [
      'end v',
      open('w', 'churn', 25),
      poll('w', 'churn', 26, 2, [1, 'x']),
      { kind: 'close', client: 'w', topic: 'churn', atMs: 27 },
    ],
  },
  {
    kind: 'deleted-stays-deleted',
    how: 'a stream opened later is put into it',
    change: {},
    add: [
      'end v',
      open('w', 'churn', 25),
      { kind: 'position', client: 'w', topic: 'churn', atMs: 26, incarnation: 2, offset: 1 },
      { kind: 'close', client: 'w', topic: 'churn', atMs: 27 },
    ],
  },
  {
    kind: 'deleted-stays-deleted',
    how: 'a read finds it',
    change: {},
    add: ['end v', barrier('churn', 25, 2, 1)],
  },
  {
    kind: 'deleted-stays-deleted',
    how: 'it is there at the end',
    change: {
      'churn 4': null,
      'reopen v': null,
      'send y': null,
      'v has y': null,
      'read churn': null,
      'final churn': final('000', 'churn', 2, [[1, 'x']]),
    },
  },
  {
    kind: 'deleted-stays-deleted',
    how: 'it is created again under its old number',
    change: {
      'churn 4': null,
      'reopen v': null,
      'send y': null,
      'v has y': null,
      'read churn': null,
      'final churn': { kind: 'final', client: '000', topic: 'churn', found: null },
    },
    add: [
      'replayed x',
      {
        kind: 'create',
        client: 'c',
        topic: 'churn',
        fromMs: 30,
        toMs: 31,
        outcome: 'acknowledged',
        incarnation: 2,
      },
    ],
  },
  {
    kind: 'deleted-stays-deleted',
    how: 'a stream goes on after its end',
    change: {},
    add: ['end v', poll('v', 'churn', 23, 2, [2, 'x2']), send('q', 'churn', 'x2', 15, placed(2, 2))],
  },
  {
    kind: 'false-end',
    how: 'a subscriber is told that a topic is over which nobody deleted',
    change: {},
    add: ['s has d', { kind: 'end', client: 's', topic: 'keep', atMs: 61 }, open('s', 'keep', 61, 4)],
  },
  {
    kind: 'false-end',
    how: 'a deletion of unknown outcome can only have come after what a subscriber was told',
    change: {},
    add: [
      's has d',
      { kind: 'delete', client: 'c', topic: 'keep', fromMs: 50, toMs: 51, outcome: 'unknown' },
      { kind: 'end', client: 's', topic: 'keep', atMs: 61 },
      open('s', 'keep', 61, 4),
    ],
  },
  {
    kind: 'replicas-differ',
    how: 'a replica begins elsewhere',
    change: { 'final 2': final('001', 'keep', 1, without(1)) },
  },
  {
    kind: 'replicas-differ',
    how: 'a replica lacks the topic',
    change: { 'final 2': { kind: 'final', client: '001', topic: 'keep', found: null } },
  },
]
