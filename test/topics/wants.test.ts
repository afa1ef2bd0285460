import fc from 'fast-check'
import t from 'tap'
import { isPattern, matchesWant, patternProblem, WantSet } from '../../services/peer/topics/wants.ts'

/** As the words say it: `**` stands for no segment, or for one and itself again. */
function matchesNaively(want: readonly string[], topic: readonly string[]): boolean {
  const [first, ...rest] = want
  if (first === undefined) return topic.length === 0
  if (first === '**') {
    return matchesNaively(rest, topic) || (topic.length > 0 && matchesNaively(want, topic.slice(1)))
  }
  return topic.length > 0 && (first === '*' || first === topic[0]) && matchesNaively(rest, topic.slice(1))
}

function reference(want: string, topic: string): boolean {
  if (!want.includes('*')) return want === topic
  return want.startsWith('$') === topic.startsWith('$') && matchesNaively(want.split('/'), topic.split('/'))
}

const segment = fc.constantFrom('a', 'b', '', '$s')
const topic = fc.array(segment, { minLength: 1, maxLength: 6 }).map(segments => segments.join('/'))
const wildSegment = fc.oneof(segment, fc.constantFrom('*', '**'))
const want = fc.array(wildSegment, { minLength: 1, maxLength: 6 }).map(segments => segments.join('/'))

t.test('a pattern matches as its words say', async t => {
  const cases: [want: string, topic: string, matches: boolean][] = [
    ['sports/*', 'sports/a', true],
    ['sports/*', 'sports', false],
    ['sports/*', 'sports/a/b', false],
    ['sports/*', 'sports/', true],
    ['sports/**', 'sports', true],
    ['sports/**', 'sports/a', true],
    ['sports/**', 'sports/a/b', true],
    ['sports/**', 'sportsmen', false],
    ['**', 'a', true],
    ['**', 'a/b/c', true],
    ['**', '$cube', false],
    ['*', '$cube', false],
    ['*/a', '$cube/a', false],
    ['$cube/*', '$cube/a', true],
    ['$cube/*', 'cube/a', false],
    ['**/a', 'a', true],
    ['**/a', 'x/y/a', true],
    ['a/**/b', 'a/b', true],
    ['a/**/b', 'a/x/b/y/b', true],
    ['a/**/b', 'a/x/b/y', false],
    ['a', 'a', true],
    ['a', 'a/b', false],
    ['$cube', '$cube', true],
  ]
  for (const [want, topic, matches] of cases) t.equal(matchesWant(want, topic), matches, `${want}, ${topic}`)
})

t.test('one want and many of them answer as a naive reading does', async t => {
  const seed = Date.now()
  t.comment(`seed ${seed}`)
  fc.assert(
    fc.property(fc.array(want, { maxLength: 5 }), topic, (wants, topic) => {
      const each = wants.map(want => reference(want, topic))
      const set = new WantSet(wants)
      return (
        wants.every((want, at) => matchesWant(want, topic) === each[at]) &&
        set.matches(topic) === each.includes(true) &&
        set.hasPatterns === wants.some(isPattern)
      )
    }),
    { seed, numRuns: 3_000 },
  )
  t.pass('held')
})

t.test('many "**" do not make it slow', async t => {
  const pattern = `${'**/a/'.repeat(40)}b`
  const topic = `${'a/'.repeat(120)}c`
  const set = new WantSet(Array.from({ length: 1_000 }, (_, at) => `${pattern}${at}`))
  // Tried one by one the ways to divide the segments would outlast the test by far.
  t.equal(set.matches(topic), false)
  t.equal(matchesWant(`${'**/a/'.repeat(40)}**`, topic), true)
})

t.test('patterns are told from names, and it is said what is wrong with one', async t => {
  for (const good of [
    '*',
    '**',
    'a/*',
    '*/a',
    'a/**/b',
    '**/**',
    '$cube/**',
    'тема/*',
    `*/${'a'.repeat(253)}`,
  ]) {
    t.ok(isPattern(good))
    t.equal(patternProblem(good), undefined, good)
  }
  const bad = {
    '': /empty/,
    a: /no segment/,
    'a*': /beside other characters/,
    'a/*b/*': /beside other characters/,
    '***': /beside other characters/,
    'a/\n/*': /control/,
    '\ud800/*': /Unicode/,
    [`*/${'a'.repeat(254)}`]: /255/,
    [`*/${'é'.repeat(127)}`]: /255/,
  }
  for (const [pattern, why] of Object.entries(bad)) t.match(patternProblem(pattern), why)
})
