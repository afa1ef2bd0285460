import fc from 'fast-check'
import t from 'tap'
import { LIMITS } from '../../services/peer/limits.ts'
import {
  encodeFollowFrame,
  type FollowFrame,
  FollowParser,
  followPath,
  parseFollowQuery,
} from '../../services/peer/links/follow-wire.ts'

const event = {
  offset: 2 ** 40,
  incarnation: 3,
  sequence: 2 ** 41,
  timeMs: 1_700_000_000_123,
  data: Buffer.from([0, 255, 10]),
}

const FRAMES: FollowFrame[] = [
  { kind: 'state', incarnation: 3, earliest: 1, latest: 2 ** 40 },
  { kind: 'event', event },
  {
    kind: 'event',
    event: { ...event, id: 'm-1', type: 'goal', contentType: 'image/png', attributes: { subject: 'final' } },
  },
  { kind: 'gap', from: 5, to: 9 },
  { kind: 'mark', earliest: 1, latest: 9, led: true },
  { kind: 'mark', earliest: 1, latest: 9, led: false },
  { kind: 'ended' },
]

t.test('every frame arrives as it was, however the bytes are cut', async t => {
  const bytes = Buffer.concat(FRAMES.map(encodeFollowFrame))
  for (const piece of [1, 2, 3, 7, 64, bytes.length]) {
    const parser = new FollowParser()
    const frames: FollowFrame[] = []
    for (let at = 0; at < bytes.length; at += piece)
      frames.push(...parser.push(bytes.subarray(at, at + piece)))
    t.strictSame(
      frames.map(frame => (frame.kind === 'event' ? { ...frame.event, data: [...frame.event.data] } : frame)),
      FRAMES.map(frame => (frame.kind === 'event' ? { ...frame.event, data: [...frame.event.data] } : frame)),
    )
  }
})

t.test('a frame beyond the bound is refused before it is gathered', async t => {
  const head = Buffer.alloc(4)
  head.writeUInt32BE(LIMITS.MAX_PEER_BODY_BYTES + 1)
  t.throws(() => new FollowParser().push(head), /a frame of/)
})

t.test('garbage throws and gives no frame', async t => {
  const seed = Date.now() & 0x7fffffff
  t.comment(`seed ${seed}`)
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(), (garbage, at) => {
      const frame = encodeFollowFrame(FRAMES[at % FRAMES.length]!)
      const framed = Buffer.alloc(4 + garbage.length)
      framed.writeUInt32BE(garbage.length)
      framed.set(garbage, 4)
      const flipped = Buffer.from(frame)
      flipped[4 + (at % (frame.length - 4))]! ^= 1 << (at % 8)
      for (const bytes of [framed, flipped]) {
        try {
          for (const parsed of new FollowParser().push(bytes)) {
            if (!['state', 'event', 'gap', 'mark', 'ended'].includes(parsed.kind)) return false
          }
        } catch (error) {
          if (!(error instanceof Error)) return false
        }
      }
      return true
    }),
    { seed },
  )
  for (const wrong of [[9], [1, 1, 1, 1, 1, 'text'], [0, -1, 1, 1], [3, 1.5, 2], ['x'], null, 7]) {
    const body = Buffer.from(encodeRaw(wrong))
    t.throws(() => new FollowParser().push(body))
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

t.test('a request survives its query', async t => {
  for (const request of [
    { slot: 63, topic: 'тема/1&x=?', from: 42, incarnation: 7 },
    { slot: 0, topic: 'a', from: 'latest', incarnation: 0 },
  ] as const) {
    const query = Object.fromEntries(new URL(`http://x${followPath(request)}`).searchParams)
    t.same(parseFollowQuery(query), request)
  }
  const good = { slot: '1', topic: 'a', from: '1', incarnation: '1' }
  for (const wrong of [
    { slot: 'x' },
    { slot: '-1' },
    { from: '' },
    { from: '1.5' },
    { incarnation: '99999999999999999' },
    { topic: '' },
    { topic: undefined },
    { slot: ['1', '2'] },
  ]) {
    t.throws(() => parseFollowQuery({ ...good, ...wrong }), { code: 'INVALID_REQUEST' })
  }
})
