import fc from 'fast-check'
import t from 'tap'
import { isDeeperThan, itemsOf, membersOf } from '../../services/peer/http/json-members.ts'

const seed = Date.now() % 1_000_000

t.test('the JSON of every member stays as it was written', async t => {
  const text = ' {"a" : 1.0 ,"b\\u0063":[ 1e400,{"}":"]"} ],"":"\\\\","d":"\\"","a":null, "e":{}}\n'
  t.same(
    [...membersOf(text)!],
    [
      ['a', '1.0'],
      ['bc', '[ 1e400,{"}":"]"} ]'],
      ['', '"\\\\"'],
      ['d', '"\\""'],
      ['a', 'null'],
      ['e', '{}'],
    ],
  )
  t.same([...itemsOf('[ -0 , true,"[",[],{"a":[]}]')!], ['-0', 'true', '"["', '[]', '{"a":[]}'])
  t.same([...itemsOf('\t[\r\n]')!], [])
  t.same([...membersOf('{ }')!], [])
  t.equal(membersOf('[]'), undefined)
  t.equal(membersOf('"{}"'), undefined)
  t.equal(itemsOf('{}'), undefined)
  t.equal(itemsOf('12'), undefined)
})

t.test('levels are counted outside strings', async t => {
  t.equal(isDeeperThan('[{"[[[[":[]},[],[]]', 3), false)
  t.equal(isDeeperThan('[{"[[[[":[]},[],[]]', 2), true)
  t.equal(isDeeperThan('"\\"[[[', 0), false)
  t.equal(isDeeperThan('5', 0), false)
})

t.test('any JSON, with any white space, is cut where its members and items are', async () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue()),
      fc.constantFrom('', ' ', '\t', '\n '),
      (object, space) => {
        const names = Object.keys(object)
        const text = `${space}${JSON.stringify(object, null, space)}${space}`
        const found = [...membersOf(text)!]
        if (found.map(([name]) => name).join('\n') !== names.join('\n')) throw new Error(text)
        for (const [name, json] of found) {
          if (json.trim() !== json) throw new Error(json)
          if (JSON.stringify(JSON.parse(json)) !== JSON.stringify(object[name])) throw new Error(json)
        }
        const list = JSON.stringify(Object.values(object), null, space)
        const items = [...itemsOf(list)!].map(json => JSON.stringify(JSON.parse(json)))
        if (
          items.join() !==
          Object.values(object)
            .map(value => JSON.stringify(value))
            .join()
        )
          throw new Error(list)
      },
    ),
    { numRuns: 300, seed },
  )
})
