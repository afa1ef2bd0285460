import fc from 'fast-check'
import t from 'tap'
import { isTopicName, topicNameProblem, utf8LengthBytes } from '../../services/peer/topics/names.ts'

t.test('the length in UTF-8 is what an encoder gives, and none for lone surrogates', async t => {
  const seed = Date.now()
  t.comment(`seed ${seed}`)
  const anyText = fc.string({ unit: fc.nat({ max: 0xffff }).map(unit => String.fromCharCode(unit)) })
  const texts = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), anyText)
  fc.assert(
    fc.property(texts, text => {
      const expected = text.isWellFormed() ? new TextEncoder().encode(text).length : undefined
      return utf8LengthBytes(text) === expected
    }),
    { seed, numRuns: 500 },
  )
  t.equal(utf8LengthBytes('\ud83d\ude00\ud83d'), undefined)
  t.equal(utf8LengthBytes('\ude00'), undefined)
})

t.test('names of 1 to 255 bytes are topics', async t => {
  const good = [
    'a',
    'a'.repeat(255),
    'тема',
    'é'.repeat(127),
    '😀',
    'a/b',
    'a b',
    '...',
    'a$',
    '%2e',
    '?#',
    '-',
  ]
  for (const name of good) t.ok(isTopicName(name), name)
})

t.test('other names are not, and it is said why', async t => {
  const bad = {
    '': /empty/,
    ['a'.repeat(256)]: /255/,
    ['é'.repeat(128)]: /255/,
    ['😀'.repeat(64)]: /255/,
    ['x'.repeat(1_000_000)]: /255/,
    '\ud800': /Unicode/,
    'a\u0000': /control/,
    'a\nb': /control/,
    '\u007f': /control/,
    '\u0085': /control/,
    '.': /URL/,
    '..': /URL/,
    '*': /pattern/,
    'a/**': /pattern/,
    $SYS: /system/,
  }
  for (const [name, why] of Object.entries(bad)) t.match(topicNameProblem(name), why)
})

t.test('a leading $ is for the system', async t => {
  t.notOk(isTopicName('$cube'))
  t.ok(isTopicName('$cube', 'system'))
  t.notOk(isTopicName('$*', 'system'))
})
