import fc from 'fast-check'
import t from 'tap'
import { formatCursor, parseCursor } from '../../services/peer/topics/cursor.ts'

t.test('a cursor is read as it was written', async t => {
  t.equal(formatCursor(42, 1), '42-1')
  const seed = Date.now()
  t.comment(`seed ${seed}`)
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.maxSafeNat(), (offset, before) => {
      const incarnation = Math.max(1, before)
      const cursor = parseCursor(formatCursor(offset, incarnation))
      return cursor?.offset === offset && cursor.incarnation === incarnation
    }),
    { seed },
  )
})

t.test('nothing else is a cursor', async t => {
  const strange = [
    '',
    '1',
    '1-',
    '-1',
    '-1-1',
    '1-0',
    '01-1',
    '1-01',
    '+1-1',
    '1-1 ',
    ' 1-1',
    '1-1\n',
    '1--1',
  ]
  const stranger = ['1.0-1', '1e3-1', '0x1-1', '١-1', '9007199254740992-1', '1-9007199254740993', '1-1-1']
  for (const text of [...strange, ...stranger]) t.equal(parseCursor(text), undefined, JSON.stringify(text))
  t.same(parseCursor('0-1'), { offset: 0, incarnation: 1 })
})

t.test('a text that is read is written the same again', async t => {
  const seed = Date.now()
  t.comment(`seed ${seed}`)
  const digits = fc.string({ unit: fc.constantFrom(...'0123456789-') })
  fc.assert(
    fc.property(digits, text => {
      const cursor = parseCursor(text)
      return cursor === undefined || formatCursor(cursor.offset, cursor.incarnation) === text
    }),
    { seed, numRuns: 1_000 },
  )
})
