import t from 'tap'
import { Turnstile } from '../../services/peer/http/turnstile.ts'

t.test('so many pass in one turn, the others later, in order', async t => {
  const turnstile = new Turnstile(3, 5)
  const passed: number[] = []
  for (let n = 1; n <= 8; n += 1) void turnstile.pass().then(() => passed.push(n))
  await Promise.resolve()
  t.same(passed, [1, 2, 3])
  const turns: number[] = []
  while (passed.length < 8) {
    await new Promise(setImmediate)
    turns.push(passed.length)
  }
  t.same(passed, [1, 2, 3, 4, 5, 6, 7, 8])
  t.ok(turns.length >= 2, 'it took more than one turn')
})

t.test('when too many wait the next is turned away', async t => {
  const turnstile = new Turnstile(1, 2)
  const first = [turnstile.pass(), turnstile.pass(), turnstile.pass()]
  await t.rejects(turnstile.pass(), { code: 'OVERLOADED' })
  await Promise.all(first)
})

t.test('whoever comes in a later turn need not wait', async t => {
  const turnstile = new Turnstile(1, 5)
  await turnstile.pass()
  await new Promise(setImmediate)
  await new Promise(setImmediate)
  let isThrough = false
  void turnstile.pass().then(() => {
    isThrough = true
  })
  await Promise.resolve()
  t.ok(isThrough)
})
