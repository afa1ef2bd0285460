import fc from 'fast-check'
import t from 'tap'
import { NOTED_KINDS } from '../../services/peer/cube/roster.ts'
import type { RosterChange } from '../../services/peer/cube/roster-change.ts'
import {
  COMMAND_FORMAT,
  CodecError,
  decodeCommand,
  decodeEvents,
  encodeCommand,
  NewerFormatError,
  packBehind,
} from '../../services/peer/engine/codec.ts'
import type { SlotMessage } from '../../services/peer/engine/types.ts'
import {
  answerBody,
  beatBody,
  bodyFormat,
  messagesBody,
  operationsBody,
  snapshotBody,
} from '../../services/peer/engine/wire.ts'
import type { Forwarded, ForwardedAnswer, OperationResult } from '../../services/peer/links/types.ts'
import type { Command, EventInput, Request } from '../../services/peer/topics/types.ts'
import { rosterOf } from '../cube/changes.ts'

const uint = fc.maxSafeNat()
const data = fc.uint8Array({ maxLength: 40 })
const text = fc.string({ unit: 'grapheme', maxLength: 12 })
const event: fc.Arbitrary<EventInput> = fc.record(
  { data, id: text, type: text, contentType: text, attributes: fc.dictionary(text, text, { maxKeys: 3 }) },
  { requiredKeys: ['data'] },
)
const setting = fc.option(uint)
const settings = fc.record({ maxAgeMs: setting, maxEvents: setting, maxBytes: setting })
const someSettings = fc.record(
  { maxAgeMs: setting, maxEvents: setting, maxBytes: setting },
  { requiredKeys: [] },
)
const producer = fc.record({ uid: text, boot: uint, sequence: uint, low: uint })
const clientKey = fc.record({ key: text, payloadHash: text })

const note = { by: text, why: text }
const rosterPeer = fc.record(
  { id: text, uid: text, number: uint, url: text, leaving: fc.constant(true as const), format: uint },
  { requiredKeys: ['id', 'uid', 'number', 'url'] },
)
const noteOfChange = fc.record({
  kind: fc.constantFrom(...NOTED_KINDS),
  id: text,
  ...note,
  timeMs: uint,
})
const anyRoster = fc.record(
  {
    ...{ version: uint, clusterId: text, dimension: uint, slots: uint },
    peers: fc.array(rosterPeer, { maxLength: 4 }),
    lastNumber: uint,
    change: noteOfChange,
    format: uint,
  },
  { requiredKeys: ['version', 'clusterId', 'dimension', 'slots', 'peers'] },
)
const changeOf = (kind: RosterChange['kind'], more: object, also: object = {}) =>
  fc.record(
    { ...note, ...more, ...also, kind: fc.constant(kind) },
    { requiredKeys: ['by', 'why', 'kind', ...Object.keys(more)] as never },
  )
const changes = [
  changeOf('join', { uid: text, url: text }, { id: text, format: uint }),
  changeOf('leave', { id: text }),
  changeOf('evict', { id: text, uid: text }),
  changeOf('replace', { id: text, uid: text, replaces: text, url: text }, { format: uint }),
  changeOf('address', { uid: text, url: text }, { displaces: text }),
  changeOf('remove', { uid: text }),
  changeOf('format', { uid: text, format: uint }),
]
const founding = fc.record({ kind: fc.constant('found'), roster: anyRoster })

const command = (head: object): fc.Arbitrary<Command> => {
  const base = { ...head, topic: text, producer }
  const of = (kind: Command['kind'], more: object, also: object = {}) =>
    fc.record(
      { ...base, ...more, ...also, kind: fc.constant(kind) },
      { requiredKeys: [...Object.keys(head), ...Object.keys(more), 'topic', 'kind'] as never },
    )
  const change = fc.oneof(...changes, ...('timeMs' in head ? [founding] : []))
  const { topic: _, ...headOnly } = base
  const roster = fc.record(
    { ...headOnly, change, kind: fc.constant('roster') },
    { requiredKeys: [...Object.keys(head), 'change', 'kind'] as never },
  )
  const recover = fc.record(
    { ...head, incarnation: uint, roster: anyRoster, skip: uint, kind: fc.constant('recover') },
    { requiredKeys: [...Object.keys(head), 'incarnation', 'kind'] as never },
  )
  return fc.oneof(
    // Nobody's request: a replica writes it itself.
    ...('timeMs' in head ? [recover] : []),
    roster,
    of('create', { settings }),
    of('configure', { settings: someSettings }),
    of('delete', {}),
    of('publish', { events: fc.array(event, { maxLength: 5 }) }, { clientKey }),
    of('trim', { incarnation: uint, before: uint, bytes: uint }),
  ) as unknown as fc.Arbitrary<Command>
}

/** Buffers and plain byte arrays alike, objects without a prototype too: what counts is what they hold. */
const bare = (value: unknown): unknown => {
  if (value instanceof Uint8Array) return `bytes:${Buffer.from(value).toString('hex')}`
  if (Array.isArray(value)) return value.map(bare)
  if (typeof value !== 'object' || value === null) return value
  return Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, item]) => [key, bare(item)])
}

/** The format that brought what the command says. */
const formatOf = (value: Command): number => {
  if (value.kind === 'recover') return 5
  if (value.kind !== 'roster') return 1
  const { change } = value
  if ('displaces' in change) return 4
  const saying = change.kind === 'found' ? [change.roster, ...change.roster.peers] : [change]
  return saying.some(one => 'format' in one) ? 3 : 2
}

t.test('a command comes back from a log entry as it was', async t => {
  fc.assert(
    fc.property(command({ timeMs: uint }), value => {
      const encoded = encodeCommand(value)
      t.equal(encoded[0], formatOf(value))
      return JSON.stringify(bare(decodeCommand(encoded))) === JSON.stringify(bare(value))
    }),
    { verbose: true },
  )
})

t.test('a change of address that an earlier version wrote is read as it was meant', async t => {
  const change = { kind: 'address', by: 'u', why: 'moved', uid: 'u', url: 'http://a.test' } as const
  const packed = packBehind([6, 7, [6, 'u', 'moved', 'u', 'http://a.test']], 1)
  packed[0] = 2
  const command = { kind: 'roster', timeMs: 7, change } as const
  t.same(decodeCommand(packed), command)
  t.same(Buffer.from(encodeCommand(command)), packed, 'and it is written in the same bytes')
})

t.test('small and large commands survive the encoding of others behind them', async t => {
  const sizes = [1, 100, 5_000, 70_000, 1_200_000, 9_000_000, 3, 4_095]
  const encoded = sizes.map((size, i) =>
    encodeCommand({ kind: 'publish', timeMs: i, topic: 'a', events: [{ data: Buffer.alloc(size, i) }] }),
  )
  encoded.forEach((bytes, i) => {
    const [event] = decodeEvents(bytes)
    t.ok(Buffer.alloc(sizes[i]!, i).equals(event!.data), `${sizes[i]} bytes`)
  })
})

t.test('the payload of a decoded event is a view of the entry, not a copy', async t => {
  const encoded = encodeCommand({
    kind: 'publish',
    timeMs: 1,
    topic: 'a',
    events: [{ data: Buffer.from('x') }],
  })
  t.equal(decodeEvents(encoded)[0]!.data.buffer, encoded.buffer)
})

t.test(
  'an entry from another peer keeps nothing of the body it came in, nor of the pool that is in',
  async t => {
    const entry = (index: number, sizeBytes: number) => ({
      ...{ index, term: 1, type: 'data' as const, data: Buffer.alloc(sizeBytes, index) },
    })
    const append = (entries: readonly ReturnType<typeof entry>[]) => [
      {
        slot: 1,
        message: {
          ...{ type: 'append' as const, from: 1, to: 2, term: 1, prevIndex: 0, prevTerm: 0, commit: 0 },
          entries,
        },
      },
    ]
    for (const format of ['msgpack', 'json'] as const) {
      const sent = [entry(1, 100), entry(2, 100_000), entry(3, 0)]
      // As a body lies in memory that was read from a socket.
      const body = Buffer.from(messagesBody.encode(append(sent), format))
      const [received] = messagesBody.decode(body, format) as ReturnType<typeof append>
      for (const [at, { data }] of received!.message.entries.entries()) {
        t.ok(sent[at]!.data.equals(data))
        t.ok(
          data.buffer.byteLength <= 2 * data.length,
          `${format}: ${data.buffer.byteLength} for ${data.length}`,
        )
      }
    }
    const [alone] = messagesBody.decode(
      Buffer.from(messagesBody.encode(append([entry(1, 100_000)]))),
    ) as ReturnType<typeof append>
    t.ok(alone!.message.entries[0]!.data.byteOffset > 0, 'one that is nearly all of its body is not copied')
  },
)

t.test('a range of a batch is read without the rest of it', async t => {
  const events = Array.from({ length: 10 }, (_, i) => ({ data: Buffer.from(String(i)) }))
  const encoded = encodeCommand({ kind: 'publish', timeMs: 1, topic: 'a', events })
  t.same(
    decodeEvents(encoded, 3, 2).map(({ data }) => Buffer.from(data).toString()),
    ['3', '4'],
  )
  t.equal(decodeEvents(encoded).length, 10)
  t.equal(decodeEvents(encoded, 9, 5).length, 1)
})

t.test('a plain event costs a few bytes beyond its payload', async t => {
  const events = Array.from({ length: 100 }, () => ({ data: Buffer.alloc(20) }))
  const { length } = encodeCommand({ kind: 'publish', timeMs: 1_700_000_000_000, topic: 'sports', events })
  t.ok(length < 100 * 22 + 30, `${length} bytes`)
})

t.test('an entry of a newer format is told from a broken one', async t => {
  const encoded = Buffer.from(encodeCommand({ kind: 'delete', timeMs: 1, topic: 'a' }))
  encoded[0] = COMMAND_FORMAT + 1
  t.throws(() => decodeCommand(encoded), NewerFormatError)
  t.throws(() => decodeEvents(encoded), NewerFormatError)
  encoded[0] = 0
  t.throws(() => decodeCommand(encoded), CodecError)
  t.throws(() => decodeCommand(new Uint8Array(0)), CodecError)
  t.throws(() => decodeEvents(encodeCommand({ kind: 'delete', timeMs: 1, topic: 'a' })), CodecError)
})

t.test('an entry written before the roster changed by entries is read as before', async t => {
  const packed = [1, 0x94, 3, 7, 0xa1, 0x61, 0xc0]
  t.same(decodeCommand(Uint8Array.from(packed)), { kind: 'delete', timeMs: 7, topic: 'a' })
  const now = encodeCommand({ kind: 'delete', timeMs: 7, topic: 'a' })
  t.same([...now], [1, 0x93, 3, 7, 0xa1, 0x61])
})

const configuration = { rosterVersion: 1, voters: [{ number: 1, uid: 'u' }] }
const messages: SlotMessage[] = [
  {
    slot: 0,
    message: { type: 'preVote', from: 1, to: 2, term: 3, lastIndex: 4, lastTerm: 5, transfer: false },
  },
  { slot: 1, message: { type: 'preVoteResponse', from: 1, to: 2, term: 3, granted: true } },
  { slot: 2, message: { type: 'vote', from: 1, to: 2, term: 3, lastIndex: 4, lastTerm: 5, transfer: true } },
  { slot: 3, message: { type: 'voteResponse', from: 1, to: 2, term: 3, granted: false } },
  {
    slot: 4,
    message: {
      type: 'append',
      from: 1,
      to: 2,
      term: 3,
      prevIndex: 9,
      prevTerm: 2,
      commit: 8,
      entries: [
        { index: 10, term: 3, type: 'data', data: Buffer.from([1, 2, 3]) },
        { index: 11, term: 3, type: 'noop', data: Buffer.alloc(0) },
        { index: 12, term: 3, type: 'config', data: Buffer.alloc(0), configuration },
      ],
    },
  },
  {
    slot: 5,
    message: {
      type: 'appendResponse',
      from: 1,
      to: 2,
      term: 3,
      index: 9,
      rejected: true,
      hintIndex: 7,
      hintTerm: 1,
    },
  },
  { slot: 6, message: { type: 'heartbeat', from: 1, to: 2, term: 3, commit: 4, context: 5 } },
  { slot: 7, message: { type: 'heartbeatResponse', from: 1, to: 2, term: 3, context: 5 } },
  {
    slot: 8,
    message: { type: 'snapshot', from: 1, to: 2, term: 3, snapshot: { index: 9, term: 3, configuration } },
  },
  { slot: 9, message: { type: 'timeoutNow', from: 1, to: 2, term: 3 } },
]

const untouched = {
  name: 'тема',
  incarnation: 1,
  settings: { maxAgeMs: null, maxEvents: 5, maxBytes: null },
  earliest: 1,
  latest: 7,
  bytes: 70,
  createdMs: 1_700_000_000_000.25,
}
const topicRow = { ...untouched, earliest: 3, floor: { sequence: 8, index: 9 } }
const published = { kind: 'published', incarnation: 1, first: 1, last: 2, sequence: 3, timeMs: 4 } as const
const producerRow = { uid: 'u', boot: 1, low: 2, usedIndex: 9, results: [[3, published]] } as const
const roster = {
  ...rosterOf(3, ['0', '10', '011'], ['10']),
  lastNumber: 7,
  change: { kind: 'leave', id: '10', by: 'ops', why: 'less room', timeMs: 5.5 },
} as const
const chunk = {
  records: [
    {
      run: { logIndex: 4, incarnation: 1, first: 1, count: 2, sequence: 1, timeMs: 5, bytes: 6 },
      data: Buffer.from('run'),
    },
  ],
  last: {
    snapshot: { index: 9, term: 3, configuration },
    image: {
      slot: { appliedIndex: 9, appliedTerm: 3, sequence: 2, incarnation: 1, timeMs: 5 },
      topics: [topicRow, untouched],
      keys: [{ topic: 'a', key: 'k', payloadHash: 'h', timeMs: 4, result: published }],
      producers: [producerRow],
    },
  },
}
const rosterChunk = {
  records: [],
  last: {
    ...chunk.last,
    image: {
      slot: { ...chunk.last.image.slot, roster },
      topics: [],
      keys: [],
      producers: [{ ...producerRow, results: [[3, { kind: 'roster', roster, changed: true }]] }],
    },
  },
} as const
const forwarded = (operation: Forwarded['operation']): Forwarded => ({
  operation,
  target: '011',
  path: ['000'],
  visited: ['000', '100'],
  patienceMs: 1_234.5,
})
const operations: Forwarded[] = [
  forwarded({ kind: 'describe', slot: 3, topic: 'a' }),
  forwarded({ kind: 'read', slot: 3, topic: 'a', incarnation: 1, from: 2, maxEvents: 3, maxBytes: 4 }),
  forwarded({ kind: 'offsetAt', slot: 3, topic: 'a', timeMs: 5 }),
  forwarded({ kind: 'list', slots: [1, 2], after: '', limit: 3 }),
  forwarded({
    ...{ kind: 'readSlot', slot: 3, wants: ['a', 'b/**'], position: { sequence: 4, index: 5 } },
    ...{ maxEvents: 6, maxBytes: 7 },
  }),
  forwarded({
    ...{ kind: 'readSlot', slot: 3, wants: ['a'], position: { sequence: 4, index: 5 } },
    ...{ maxEvents: 6, maxBytes: 7, shown: [['a', 2]] },
  }),
  forwarded({ kind: 'placeSlot', slot: 3, wants: ['a'], start: { kind: 'latest' } }),
  forwarded({ kind: 'placeSlot', slot: 3, wants: ['a'], start: { kind: 'latest' }, fresh: true }),
  forwarded({ kind: 'placeSlot', slot: 3, wants: [], start: { kind: 'earliest' } }),
  forwarded({ kind: 'placeSlot', slot: 3, wants: ['*'], start: { kind: 'time', timeMs: 4.5 } }),
  forwarded({ kind: 'placeSlot', slot: 3, wants: ['*'], start: { kind: 'last', count: 4 } }),
  forwarded({ kind: 'glance', slot: 3, topic: 'a' }),
  forwarded({ kind: 'ping', peer: '01' }),
  forwarded({ kind: 'listeners', peer: '01', topic: 'a' }),
]
const stored = { offset: 1, incarnation: 1, sequence: 2, timeMs: 3, data: Buffer.from('x'), type: 'goal' }
const answers: ForwardedAnswer[] = [
  { kind: 'answered', path: ['0'], result: { kind: 'listeners', count: 7 } },
  {
    kind: 'answered',
    path: ['0'],
    result: { kind: 'appended', result: published, replicas: 2, primary: '011' },
  },
  {
    kind: 'answered',
    path: [],
    result: { kind: 'described', view: { topic: topicRow, incarnation: 4, primary: null } },
  },
  {
    kind: 'answered',
    path: [],
    result: { kind: 'described', view: { incarnation: 4, primary: '1' } as never },
  },
  { kind: 'answered', path: [], result: { kind: 'events', events: [stored], earliest: 1, latest: 2 } },
  { kind: 'answered', path: [], result: { kind: 'offset', offset: 9 } },
  { kind: 'answered', path: [], result: { kind: 'topics', topics: [topicRow], primaries: ['011', null] } },
  {
    kind: 'answered',
    path: [],
    result: { kind: 'members', configuration, primary: '011', level: [1, 2], bytesToMove: 5_000 },
  },
  { kind: 'answered', path: [], result: { kind: 'members', configuration, primary: '011' } },
  {
    kind: 'answered',
    path: [],
    result: {
      kind: 'slice',
      events: [{ topic: 'a', event: stored }],
      gaps: [{ topic: 'b', incarnation: 1, to: 4, index: 6 }],
      position: { sequence: 5, index: 6 },
      latest: 7,
    },
  },
  {
    kind: 'answered',
    path: [],
    result: {
      ...{
        kind: 'slice',
        events: [],
        gaps: [],
        position: { sequence: 5, index: 6 },
        latest: 7,
        over: [1, 2],
      },
    },
  },
  {
    kind: 'answered',
    path: [],
    result: {
      kind: 'placed',
      position: { sequence: 5, index: 6 },
      tail: [
        [6, 1.5],
        [7, 2],
      ],
    },
  },
  { kind: 'answered', path: [], result: { kind: 'failed', code: 'NO_PRIMARY', definite: true } },
  { kind: 'exhausted', visited: ['0', '1'], primary: '1', definite: false },
]
const results = ['created', 'configured', 'deleted', 'trimmed', 'roster', 'refused', 'told'].map(kind => ({
  kind: kind === 'told' ? 'refused' : kind,
  ...(kind === 'created' && { topic: topicRow, fresh: true }),
  ...(kind === 'configured' && { topic: topicRow }),
  ...(kind === 'deleted' && { incarnation: 1, latest: 2 }),
  ...(kind === 'trimmed' && { earliest: 3 }),
  ...(kind === 'roster' && { roster, changed: false }),
  ...(kind === 'refused' && { code: 'KEY_REUSED' }),
  ...(kind === 'told' && { code: 'LABEL_TAKEN', detail: 'The label 11 belongs to another.' }),
}))
const beat = {
  uid: 'u',
  boot: 2,
  to: 'uid',
  rosterVersion: 1,
  nowMs: 3.5,
  lowDisk: false,
  stopping: false,
  leads: [[1, 2, 3]],
  follows: [[4, 5]],
} as const

for (const format of ['msgpack', 'json'] as const) {
  t.test(`everything peers say comes back from ${format} as it was`, async t => {
    t.same(bare(messagesBody.decode(messagesBody.encode(messages, format), format)), bare(messages))
    t.same(bare(beatBody.decode(beatBody.encode(beat, format), format)), bare(beat))
    t.same(bare(snapshotBody.decode(snapshotBody.encode(chunk, format), format)), bare(chunk))
    const decoded = snapshotBody.decode(snapshotBody.encode(rosterChunk, format), format)
    t.same(bare(decoded), bare(rosterChunk))
    const more = { records: [] }
    t.same(bare(snapshotBody.decode(snapshotBody.encode(more, format), format)), bare(more))
    t.same(bare(operationsBody.decode(operationsBody.encode(operations, format), format)), bare(operations))
    for (const answer of answers) {
      const wrapped = { index: 3, answer }
      t.same(bare(answerBody.decode(answerBody.encode(wrapped, format), format)), bare(wrapped))
    }
    for (const result of results) {
      const appended = { kind: 'appended', result, replicas: 2, primary: '011' }
      const wrapped = { index: 0, answer: { kind: 'answered', path: [], result: appended } } as never
      t.same(bare(answerBody.decode(answerBody.encode(wrapped, format), format)), bare(wrapped))
    }
  })

  t.test(`a request forwarded in ${format} is the one that was asked for`, async t => {
    fc.assert(
      fc.property(command({}), request => {
        const sent = [forwarded({ kind: 'append', slot: 1, request: request as Request })]
        const came = operationsBody.decode(operationsBody.encode(sent, format), format)
        return JSON.stringify(bare(came)) === JSON.stringify(bare(sent))
      }),
      { verbose: true },
    )
    t.pass('no counterexample')
  })
}

t.test('what is still to move is left out for peers that do not know it', async t => {
  const members = { kind: 'members', configuration, primary: '011' } as const
  const wrap = (result: OperationResult) =>
    ({ index: 3, answer: { kind: 'answered', path: [], result } }) as const
  for (const format of ['msgpack', 'json'] as const) {
    const encoded = answerBody.encode(wrap({ ...members, bytesToMove: 5_000 }), format, 1)
    t.same(bare(answerBody.decode(encoded, format)), bare(wrap(members)), format)
  }
})

t.test('a person can write what a peer would say', async t => {
  const body = Buffer.from(
    '{"version":1,"messages":[{"slot":4,"message":{"type":"append","from":1,"to":2,"term":3,"prevIndex":0,' +
      '"prevTerm":0,"commit":0,"entries":[{"index":1,"term":3,"type":"data","data":{"base64":"AQI="}}]}}]}',
  )
  const [first] = messagesBody.decode(body, 'json')
  t.match(first, { slot: 4, message: { type: 'append', entries: [{ index: 1 }] } })
})

t.test('garbage is refused with an error that can be answered, and nothing else', async t => {
  const documents = [messagesBody, beatBody, snapshotBody, operationsBody, answerBody]
  const refuses = (decode: () => unknown) => {
    try {
      decode()
      return true
    } catch (error) {
      if (error instanceof CodecError && error.code === 'INVALID_REQUEST') return true
      throw error
    }
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), body =>
      documents.every(
        document => refuses(() => document.decode(body)) && refuses(() => document.decode(body, 'json')),
      ),
    ),
    { numRuns: 2_000, verbose: true },
  )
  const whole = [
    messagesBody.encode(messages),
    operationsBody.encode(operations),
    snapshotBody.encode(chunk),
    encodeCommand({ kind: 'publish', timeMs: 1, topic: 'a', events: [{ data: Buffer.from('x'), id: 'i' }] }),
  ].map(body => Buffer.from(body))
  fc.assert(
    fc.property(fc.constantFrom(...whole), uint, fc.nat(255), (body, at, byte) => {
      const bent = Buffer.from(body)
      bent[at % bent.length] = byte
      const cut = body.subarray(0, at % body.length)
      return [bent, cut].every(
        bytes =>
          documents.every(document => refuses(() => document.decode(bytes))) &&
          refuses(() => decodeCommand(bytes)),
      )
    }),
    { numRuns: 5_000, verbose: true },
  )
  t.pass('no counterexample')
})

t.test('what is nearly right is refused by name', async t => {
  const json = (value: unknown) => Buffer.from(JSON.stringify(value))
  const beatOf = (change: object) => json({ version: 1, beat: { ...beat, ...change } })
  t.throws(() => beatBody.decode(beatOf({ boot: -1 }), 'json'), { message: /boot must be an integer/ })
  t.throws(() => beatBody.decode(beatOf({ boot: 1.5 }), 'json'), { message: /boot/ })
  t.throws(() => beatBody.decode(beatOf({ boot: 2 ** 53 }), 'json'), { message: /boot/ })
  t.throws(() => beatBody.decode(beatOf({ extra: 1 }), 'json'), { message: /no field "extra"/ })
  t.throws(() => beatBody.decode(beatOf({ leads: [[1, 2]] }), 'json'), {
    message: /leads must be a list of 3/,
  })
  t.throws(() => beatBody.decode(json({ beat }), 'json'), { message: /"version": 3/ })
  t.throws(() => beatBody.decode(json({ version: 9, beat }), 'json'), NewerFormatError)
  t.throws(
    () => messagesBody.decode(json({ version: 1, messages: [{ slot: 1, message: { type: 'x' } }] }), 'json'),
    {
      message: /no known type/,
    },
  )
  const bad = { ...forwarded({ kind: 'list', slots: [], after: '', limit: 1 }), target: '012' }
  t.throws(() => operationsBody.decode(operationsBody.encode([bad])), {
    message: /target must be a peer's label/,
  })
  const huge = Buffer.from([0xdd, 0x7f, 0xff, 0xff, 0xff])
  t.throws(() => messagesBody.decode(huge), CodecError)
})

t.test('a roster that is not sound and a founding on request do not come in', async t => {
  for (const format of ['msgpack', 'json'] as const) {
    const last = { ...rosterChunk.last, image: { ...rosterChunk.last.image } }
    const slot = { ...last.image.slot, roster: { ...roster, dimension: 2 } }
    const bent = { records: [], last: { ...last, image: { ...last.image, slot } } }
    t.throws(() => snapshotBody.decode(snapshotBody.encode(bent, format), format), {
      message: /the roster is not sound: peer id 011/,
    })
    const leaving = { ...roster, peers: [{ ...roster.peers[0], leaving: false }] }
    const stays = { ...bent.last, image: { ...last.image, slot: { ...slot, roster: leaving as never } } }
    t.throws(() => snapshotBody.decode(snapshotBody.encode({ records: [], last: stays }, format), format), {
      message: /leaving must be true or absent/,
    })
    const found = { kind: 'roster', change: { kind: 'found', roster } } as const
    t.throws(
      () => {
        const sent = operationsBody.encode([forwarded({ kind: 'append', slot: 8, request: found })], format)
        operationsBody.decode(sent, format)
      },
      { message: /no kind "found"/ },
    )
    const leave = { kind: 'roster', change: { kind: 'leave', id: '0', by: 'b', why: 'w' } } as const
    const asked = operationsBody.encode([forwarded({ kind: 'append', slot: 8, request: leave })], 'json')
    const forged = asked
      .toString()
      .replace('{"kind":"leave","by":"b","why":"w","id":"0"}', () => JSON.stringify(found.change))
    t.throws(() => operationsBody.decode(Buffer.from(forged), 'json'), { message: /no known kind/ })
  }
})

t.test('only the two formats of peers are taken', async t => {
  t.equal(bodyFormat('application/vnd.msgpack'), 'msgpack')
  t.equal(bodyFormat('Application/JSON; charset=utf-8'), 'json')
  t.throws(() => bodyFormat('text/plain'), { code: 'UNSUPPORTED_MEDIA_TYPE' })
  t.throws(() => bodyFormat(undefined), { code: 'UNSUPPORTED_MEDIA_TYPE' })
})
