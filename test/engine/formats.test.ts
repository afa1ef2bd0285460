import t from 'tap'
import type { Roster } from '../../services/peer/cube/roster.ts'
import type { RosterChange } from '../../services/peer/cube/roster-change.ts'
import { COMMAND_FORMAT, NewerFormatError } from '../../services/peer/engine/codec.ts'
import {
  FORMAT,
  FORMAT_TABLE,
  FORMATS,
  formatFault,
  heldBack,
  heldBackOperation,
  OLDEST_FORMAT,
  wireFormatOf,
} from '../../services/peer/engine/formats.ts'
import { answerBody, beatBody, WIRE_FORMAT } from '../../services/peer/engine/wire.ts'
import type { Operation, OperationResult } from '../../services/peer/links/types.ts'
import type { Request, TopicRow } from '../../services/peer/topics/types.ts'
import { anyTime, Engines, text } from './engines.ts'

/** Three peers whose programs speak formats up to these. */
function rosterWith(formats: readonly number[], format = Math.min(...formats)): Roster {
  const peers = formats.map((own, at) => ({
    ...{ id: `${at}`.padStart(2, '0'), uid: `u${at}`, number: at + 1, url: `http://${at}.test` },
    format: own,
  }))
  return { version: 1, clusterId: 'c', dimension: 2, slots: 4, peers, format }
}

const request = (change: object): Request => ({
  kind: 'roster',
  change: { by: 'test', why: 'a test', ...change } as Exclude<RosterChange, { kind: 'found' }>,
})
const displacing = request({ kind: 'address', uid: 'u0', url: 'http://1.test', displaces: 'u1' })
const free = request({ kind: 'address', uid: 'u0', url: 'http://9.test' })

t.test('the table says of every format what it allows, up to all that this program writes', async t => {
  t.equal(FORMAT_TABLE.length, FORMAT)
  t.same(FORMATS, { oldest: OLDEST_FORMAT, newest: FORMAT })
  t.same(FORMAT_TABLE.at(-1), { command: COMMAND_FORMAT, wire: WIRE_FORMAT })
  FORMAT_TABLE.slice(1).forEach(({ command, wire }, at) => {
    const before = FORMAT_TABLE[at]!
    t.ok(command >= before.command && wire >= before.wire, `format ${at + 2} takes nothing away`)
  })
  t.equal(wireFormatOf(FORMAT + 1), WIRE_FORMAT, 'a program writes nothing newer than it knows')
})

t.test('a request is held back by the peers whose programs do not know it, and they are named', async t => {
  t.equal(heldBack(displacing, rosterWith([2, 2, 2])), undefined)
  t.match(heldBack(displacing, rosterWith([2, 1, 1])), /needs format 2.*\(01, 02\): restart them/)
  const all: Request[] = [
    free,
    { kind: 'create', topic: 'a', settings: anyTime },
    { kind: 'publish', topic: 'a', events: text('x') },
    request({ kind: 'join', uid: 'u9', url: 'http://9.test', format: 2 }),
    request({ kind: 'format', uid: 'u1', format: 2 }),
  ]
  for (const one of all) t.equal(heldBack(one, rosterWith([2, 1, 1])), undefined, 'what all know goes on')
})

t.test(
  'an operation is held back as its request is, and what is new by the peers that do not know it',
  async t => {
    const append = (request: Request): Operation => ({ kind: 'append', slot: 0, request })
    t.match(heldBackOperation(append(displacing), rosterWith([1, 1, 1])), /needs format 2/)
    t.equal(heldBackOperation(append(displacing), rosterWith([2, 2, 2])), undefined)
    t.equal(heldBackOperation({ kind: 'describe', slot: 0, topic: 'a' }, rosterWith([1, 1, 1])), undefined)
    const newer: Operation[] = [
      { kind: 'glance', slot: 0, topic: 'a' },
      { kind: 'placeSlot', slot: 0, wants: ['a'], start: { kind: 'latest' } },
      {
        kind: 'readSlot',
        slot: 0,
        wants: ['a'],
        position: { sequence: 0, index: 0 },
        maxEvents: 1,
        maxBytes: 1,
      },
    ]
    for (const one of newer) {
      t.match(heldBackOperation(one, rosterWith([3, 2, 1])), /needs format 3.*\(01, 02\): restart them/)
      t.equal(heldBackOperation(one, rosterWith([3, 3, 3])), undefined)
    }
  },
)

t.test('a trim that says how far it gets is held back, and one that does not is not', async t => {
  const trim = { kind: 'trim', topic: 'a', incarnation: 1, before: 2, bytes: 3 } as const
  t.match(heldBack({ ...trim, sequence: 4 }, rosterWith([3, 2, 3])), /needs format 3.*\(01\)/)
  t.equal(heldBack({ ...trim, sequence: 4 }, rosterWith([3, 3, 3])), undefined)
  t.equal(heldBack(trim, rosterWith([3, 1, 3])), undefined)
})

t.test('a program fits a cluster whose format lies between its oldest and its newest', async t => {
  const cluster = rosterWith([3, 3, 3])
  t.equal(formatFault({ oldest: 1, newest: 3 }, cluster), undefined)
  t.equal(formatFault({ oldest: 3, newest: 5 }, cluster), undefined)
  t.match(formatFault({ oldest: 1, newest: 2 }, cluster), /knows up to 2: run a version that speaks it/)
  t.match(formatFault({ oldest: 4, newest: 5 }, cluster), /none before 4: run a version in between/)
})

t.test('what an older peer would not read is left out of what it is told', async t => {
  const configuration = { rosterVersion: 1, voters: [{ number: 1, uid: 'u' }] }
  const topic = {
    name: 'a',
    incarnation: 1,
    settings: anyTime,
    earliest: 2,
    latest: 2,
    bytes: 1,
    createdMs: 1,
  }
  const described = (row: TopicRow): OperationResult => {
    return { kind: 'described', view: { topic: row, incarnation: 1, primary: null } }
  }
  const results: [newer: OperationResult, older: OperationResult][] = [
    [described({ ...topic, floor: { sequence: 1, index: 3 } }), described(topic)],
    [
      { kind: 'members', configuration, primary: '01', level: [1], bytesToMove: 7 },
      { kind: 'members', configuration, primary: '01' },
    ],
    [
      { kind: 'failed', code: 'UPGRADE_UNDER_WAY', definite: true, detail: 'because' },
      { kind: 'failed', code: 'UPGRADE_UNDER_WAY', definite: true },
    ],
  ]
  const answered = (result: OperationResult) =>
    ({ index: 0, answer: { kind: 'answered', path: [], result } }) as const
  for (const [newer, older] of results) {
    for (const format of ['msgpack', 'json'] as const) {
      const [said, plain] = [answered(newer), answered(older)]
      t.same(answerBody.decode(answerBody.encode(said, format), format), said)
      const written = answerBody.encode(said, format, 1)
      t.ok(written.equals(answerBody.encode(plain, format, 1)), `${newer.kind} in ${format}, byte for byte`)
      t.same(answerBody.decode(written, format), plain)
    }
  }
})

t.test('a body of a newer format is refused as that, and an error that is not known is one', async t => {
  const body = (version: number, code: string) =>
    Buffer.from(
      JSON.stringify({
        version,
        answered: {
          index: 0,
          answer: { kind: 'answered', path: [], result: { kind: 'failed', code, definite: true } },
        },
      }),
    )
  t.throws(() => answerBody.decode(body(WIRE_FORMAT + 1, 'NO_PRIMARY'), 'json'), NewerFormatError)
  t.match(answerBody.decode(body(1, 'OF_TOMORROW'), 'json').answer, {
    result: { code: 'INTERNAL', definite: true },
  })
  t.match(answerBody.decode(body(1, 'toString'), 'json').answer, { result: { code: 'INTERNAL' } })
  const beat = { uid: 'u', to: 'v', boot: 1, rosterVersion: 1, nowMs: 1, lowDisk: false, stopping: false }
  const older = beatBody.encode({ ...beat, leads: [], follows: [] }, 'msgpack', 1)
  t.same(beatBody.decode(older), { ...beat, leads: [], follows: [] }, 'an older one is read')
})

t.test('a newer command is taken when the last peer knows it, and not before', async t => {
  const cube = new Engines(['00', '01', '10'])
  /** The roster's own. */
  const slot = 1
  await cube.start()
  const ask = (change: object) => cube.append(request(change), cube.primary(slot), slot)
  const take = { kind: 'address', uid: 'uid-00', url: 'http://01.test', displaces: 'uid-01' }
  await cube.append({ kind: 'create', topic: 'a', settings: anyTime })
  for (const uid of ['uid-00', 'uid-01']) {
    await t.rejects(ask(take), { failure: { kind: 'heldBack', detail: /10\): restart/ } } as never)
    t.match(await ask({ kind: 'format', uid, format: 2 }), { result: { changed: true } })
    const published = await cube.append({ kind: 'publish', topic: 'a', events: text(uid) })
    t.match(published.result, { kind: 'published' }, 'all else goes on')
  }
  await t.rejects(ask(take), { failure: { kind: 'heldBack', detail: /\(10\)/ } } as never)
  await ask({ kind: 'format', uid: 'uid-10', format: 2 })
  t.match(await ask(take), { result: { kind: 'roster', changed: true, roster: { format: 2 } } })
})
