import fc from 'fast-check'
import t from 'tap'
import { formatCursor, parseCursor } from '../../services/peer/topics/cursor.ts'
import {
  formatVectorCursor,
  parseVectorCursor,
  type SlotPlace,
} from '../../services/peer/topics/vector-cursor.ts'

const MAX_PLACES = 1_024
const place: fc.Arbitrary<SlotPlace> = fc.oneof(
  fc.record({ sequence: fc.maxSafeNat(), index: fc.maxSafeNat() }),
  fc.record({ sinceMs: fc.maxSafeNat() }),
)
const places = fc
  .uniqueArray(fc.tuple(fc.oneof(fc.nat(100), fc.maxSafeNat()), place), {
    selector: ([slot]) => slot,
    minLength: 1,
    maxLength: 64,
  })
  .map(entries => entries.sort(([one], [other]) => one - other))

t.test('a cursor over several topics is read as it was written', async t => {
  const text = formatVectorCursor([
    [1, { sequence: 100, index: 159 }],
    [30, { sequence: 0, index: 0 }],
    [31, { sinceMs: 1_763_000_000_000 }],
  ])
  t.equal(text, '1.2s.4f~u.0.0~v.tmhwsoi68')
  const seed = Date.now()
  t.comment(`seed ${seed}`)
  fc.assert(
    fc.property(places, entries => {
      const read = parseVectorCursor(formatVectorCursor(entries), MAX_PLACES)
      t.same([...(read ?? [])], entries)
    }),
    { seed },
  )
})

t.test('a text that is read is written the same again', async t => {
  const seed = Date.now()
  t.comment(`seed ${seed}`)
  const pieces = fc.constantFrom(
    '0',
    '1',
    'a',
    'z',
    't',
    '.',
    '~',
    '-',
    'A',
    '+',
    ' ',
    '2s.4f',
    '1.0.0',
    '~2.t5',
  )
  const almost = fc.array(pieces, { maxLength: 12 }).map(parts => parts.join(''))
  const damaged = fc
    .tuple(places, fc.nat(), fc.constantFrom('', '0', '.', '~', 'x', '\n'))
    .map(([entries, at, piece]) => {
      const text = formatVectorCursor(entries)
      const cut = at % (text.length + 1)
      return text.slice(0, cut) + piece + text.slice(cut + 1)
    })
  let readable = 0
  fc.assert(
    fc.property(fc.oneof(almost, damaged, fc.string()), text => {
      const read = parseVectorCursor(text, MAX_PLACES)
      if (read === undefined) return true
      readable += 1
      return formatVectorCursor(read) === text
    }),
    { seed, numRuns: 5_000 },
  )
  t.ok(readable > 0)
})

t.test('nothing else is one', async t => {
  const strange = [
    '',
    '~',
    '1',
    '1.',
    '1.2',
    '1.2.',
    '1.2.3.4',
    '.1.2',
    '1.2.3~',
    '~1.2.3',
    '1.2.3~~2.2.3',
    '2.1.1~1.1.1',
    '1.1.1~1.1.1',
    '01.1.1',
    '1.01.1',
    '1.1.01',
    '1.t',
    '1.t01',
    '1.t-1',
    '1.T1',
    '1.A.1',
    '-1.1.1',
    '+1.1.1',
    '1.1.1 ',
    ' 1.1.1',
    '1.1.1\n',
    '1.1e3.1,',
    '١.1.1',
    `1.${(Number.MAX_SAFE_INTEGER + 1).toString(36)}.1`,
    '1.zzzzzzzzzzz.1',
    '1.100000000000.1',
  ]
  for (const text of strange) t.equal(parseVectorCursor(text, MAX_PLACES), undefined, JSON.stringify(text))
})

t.test('what it may cost is bounded', async t => {
  const entries = Array.from({ length: 3 }, (_, slot) => [slot, { sequence: 1, index: 1 }] as const)
  t.ok(parseVectorCursor(formatVectorCursor(entries), 3))
  t.equal(parseVectorCursor(formatVectorCursor(entries), 2), undefined)
  const longest = Array.from({ length: MAX_PLACES }, (_, slot) => {
    const most = Number.MAX_SAFE_INTEGER
    return [most - MAX_PLACES + slot, { sequence: most, index: most }] as const
  })
  t.equal(parseVectorCursor(formatVectorCursor(longest), MAX_PLACES)?.size, MAX_PLACES)
  t.equal(parseVectorCursor('1.'.repeat(10_000_000), MAX_PLACES), undefined)
})

t.test("it is never taken for a single topic's cursor, nor that for it", async t => {
  const seed = Date.now()
  t.comment(`seed ${seed}`)
  fc.assert(
    fc.property(places, fc.maxSafeNat(), fc.nat(), (entries, offset, before) => {
      t.equal(parseCursor(formatVectorCursor(entries)), undefined)
      t.equal(parseVectorCursor(formatCursor(offset, before + 1), MAX_PLACES), undefined)
    }),
    { seed },
  )
})
