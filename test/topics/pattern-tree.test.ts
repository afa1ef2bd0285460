import fc from 'fast-check'
import t from 'tap'
import { PatternTree } from '../../services/peer/topics/pattern-tree.ts'
import { isPattern, matchesWant } from '../../services/peer/topics/wants.ts'

const segment = fc.constantFrom('a', 'b', '$a', 'c')
const topic = fc.array(segment, { minLength: 1, maxLength: 5 }).map(segments => segments.join('/'))
const pattern = fc
  .array(fc.oneof(segment, fc.constantFrom('*', '**')), { minLength: 1, maxLength: 6 })
  .map(segments => segments.join('/'))
  .filter(isPattern)

t.test('a tree finds the patterns that match one by one', t => {
  let found = 0
  fc.assert(
    fc.property(
      fc.array(pattern, { maxLength: 30 }),
      fc.array(pattern, { maxLength: 10 }),
      fc.array(topic, { minLength: 1, maxLength: 10 }),
      (added, removed, topics) => {
        const tree = new PatternTree()
        for (const one of [...added, ...removed]) tree.add(one)
        for (const one of removed) tree.delete(one)
        const kept = [...new Set(added)].filter(one => !removed.includes(one))
        for (const name of topics) {
          const expected = kept.filter(one => matchesWant(one, name)).sort()
          const got = tree.matching(name).sort()
          if (got.join() !== expected.join()) throw new Error(`${name}: ${got} instead of ${expected}`)
          found += got.length
        }
      },
    ),
  )
  t.ok(found > 100, `${found} were found`)
  t.end()
})

t.test('only patterns that begin with $ match the topics of the system', t => {
  const tree = new PatternTree()
  for (const one of ['**', '*/x', '**/x', '$a/*', '$a/**']) tree.add(one)
  t.same(tree.matching('$a/x').sort(), ['$a/*', '$a/**'])
  t.same(tree.matching('$a'), ['$a/**'])
  t.same(tree.matching('b/x').sort(), ['**', '**/x', '*/x'])
  t.end()
})

t.test('one that is removed leaves those that begin alike', t => {
  const tree = new PatternTree()
  for (const one of ['a/*', 'a/*/b', 'a/**']) tree.add(one)
  tree.delete('a/*')
  tree.delete('a/*')
  tree.delete('never/*')
  t.same(tree.matching('a/x'), ['a/**'])
  t.same(tree.matching('a/x/b').sort(), ['a/**', 'a/*/b'])
  tree.delete('a/*/b')
  tree.delete('a/**')
  t.same(tree.matching('a/x/b'), [])
  t.end()
})
