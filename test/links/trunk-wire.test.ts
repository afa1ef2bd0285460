import fc from 'fast-check'
import t from 'tap'
import { LIMITS } from '../../services/peer/limits.ts'
import {
  decodeWants,
  encodeWants,
  parseTrunkQuery,
  trunkPath,
} from '../../services/peer/links/trunk-wants.ts'
import { encodeTrunkFrame, type TrunkFrame, TrunkParser } from '../../services/peer/links/trunk-wire.ts'

const event = {
  offset: 2 ** 40,
  incarnation: 3,
  sequence: 2 ** 41,
  timeMs: 1_700_000_000_123,
  data: Buffer.from([0, 255, 10]),
}

const position = { sequence: 2 ** 42, index: 17 }
const full = {
  ...event,
  ...{ id: 'm-1', type: 'goal', contentType: 'image/png', attributes: { subject: 'final' } },
}

const FRAMES: TrunkFrame[] = [
  {
    ...{ kind: 'covered', slot: 7, turn: 3, wants: ['тема', 'b/**'], position, incarnation: 4 },
    rows: [{ topic: 'тема', incarnation: 3, earliest: 1, latest: 2 ** 40 }],
  },
  { kind: 'covered', slot: 0, turn: 0, wants: [], position, incarnation: 0, rows: [] },
  { kind: 'events', slot: 7, topic: 'тема', index: 17, events: [event, full] },
  { kind: 'ended', slot: 7, topic: 'тема', incarnation: 3, latest: 9, index: 18 },
  {
    kind: 'marks',
    marks: [
      { slot: 7, position, led: true, depth: 0 },
      { slot: 8, position, led: false, depth: 2 },
    ],
  },
  { kind: 'marks', marks: [] },
  { kind: 'refused', slot: 7, turn: 2 },
  { kind: 'interrupted', slot: 63 },
]
const KINDS = ['covered', 'events', 'ended', 'marks', 'refused', 'interrupted']

/** With payloads as lists: a Buffer and another array of bytes are the same then. */
function plain(frames: readonly TrunkFrame[]): unknown {
  return frames.map(frame =>
    frame.kind === 'events'
      ? { ...frame, events: frame.events.map(one => ({ ...one, data: [...one.data] })) }
      : frame,
  )
}

t.test('every frame arrives as it was, however the bytes are cut', async t => {
  const bytes = Buffer.concat(FRAMES.map(encodeTrunkFrame))
  for (const piece of [1, 2, 3, 7, 64, bytes.length]) {
    const parser = new TrunkParser()
    const frames: TrunkFrame[] = []
    for (let at = 0; at < bytes.length; at += piece)
      frames.push(...parser.push(bytes.subarray(at, at + piece)))
    t.strictSame(plain(frames), plain(FRAMES))
  }
})

t.test('a frame beyond the bound is refused before it is gathered', async t => {
  const head = Buffer.alloc(4)
  head.writeUInt32BE(LIMITS.MAX_PEER_BODY_BYTES + 1)
  t.throws(() => new TrunkParser().push(head), /a frame of/)
})

t.test('garbage throws and gives no frame', async t => {
  const seed = Date.now() & 0x7fffffff
  t.comment(`seed ${seed}`)
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(), (garbage, at) => {
      const frame = encodeTrunkFrame(FRAMES[at % FRAMES.length]!)
      const framed = Buffer.alloc(4 + garbage.length)
      framed.writeUInt32BE(garbage.length)
      framed.set(garbage, 4)
      const flipped = Buffer.from(frame)
      flipped[4 + (at % (frame.length - 4))]! ^= 1 << (at % 8)
      for (const bytes of [framed, flipped]) {
        try {
          for (const parsed of new TrunkParser().push(bytes)) {
            if (!KINDS.includes(parsed.kind)) return false
          }
        } catch (error) {
          if (!(error instanceof Error)) return false
        }
      }
      return true
    }),
    { seed },
  )
  for (const wrong of [
    [9],
    [0, 7, 1, 'a', 1, 1, 1, []],
    [0, 7, 1, ['a'], 1, 1, 1, [['a', 1, 1, -1]]],
    [1, 7, 'a', 1, [[1, 1, 1, 1, 'text']]],
    [1, -1, 'a', 1, []],
    [2, 1, 'a', 1.5, 1, 1],
    [3, [[1, 1]]],
    [4, 1],
    ['x'],
    null,
    7,
  ]) {
    const body = Buffer.from(encodeRaw(wrong))
    t.throws(() => new TrunkParser().push(body))
  }
})

/** A frame with JSON-like content in MessagePack, by hand: small arrays, small numbers and short texts only. */
function encodeRaw(value: unknown): number[] {
  const body = pack(value)
  return [0, 0, 0, body.length, ...body]
}

function pack(value: unknown): number[] {
  if (value === null) return [0xc0]
  if (Array.isArray(value)) return [0x90 | value.length, ...value.flatMap(pack)]
  if (typeof value === 'string') return [0xa0 | value.length, ...Buffer.from(value)]
  const number = Buffer.alloc(8)
  number.writeDoubleBE(value as number)
  return Number.isInteger(value) && (value as number) >= 0 ? [value as number] : [0xcb, ...number]
}

t.test('the name of a trunk survives its query, and what is none is refused', async t => {
  t.equal(parseTrunkQuery(Object.fromEntries(new URL(`http://x${trunkPath('t0z')}`).searchParams)), 't0z')
  for (const trunk of ['', 'T', 'a-b', 'x'.repeat(33), undefined, ['a', 'b']]) {
    t.throws(() => parseTrunkQuery({ trunk }), { code: 'INVALID_REQUEST' })
  }
})

t.test('what is wanted survives its way, and what is not wants is refused', async t => {
  const update = {
    trunk: 't1',
    turn: 2,
    slots: [
      { slot: 63, add: ['тема/1&x=?', '**'], remove: ['b'], below: ['010', '011'] },
      { slot: 0, add: [], remove: [], below: [] },
    ],
  }
  t.strictSame(decodeWants(encodeWants(update)), update)
  for (const wrong of [[1, 2, []], ['t', -1, []], ['t', 1, [[0, ['a'], 'b', []]]], ['t', 1], 'x', null]) {
    t.throws(() => decodeWants(Buffer.from(pack(wrong))), { code: 'INVALID_REQUEST' })
  }
  t.throws(() => decodeWants(Buffer.alloc(0)), { code: 'INVALID_REQUEST' })
})
