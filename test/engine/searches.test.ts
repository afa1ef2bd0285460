import t from 'tap'
import { Searches } from '../../services/peer/engine/searches.ts'
import { ManualClock } from '../streams/clock.ts'

t.test('one piece of one search is done in a turn, in the order in which they ask', async t => {
  const clock = new ManualClock()
  const searches = new Searches(clock)
  const done: string[] = []
  const run = async (name: string, pieces: number) => {
    for (let piece = 1; piece <= pieces; piece += 1) {
      await searches.turn()
      done.push(`${name}${piece}`)
      clock.endOfTurn(() => done.push('|'))
    }
  }
  const all = [run('a', 3), run('b', 2), run('c', 1)]
  await clock.settle()
  await Promise.all(all)
  t.same(
    done.filter(what => what !== '|'),
    ['a1', 'b1', 'c1', 'a2', 'b2', 'a3'],
  )
  for (const [at, what] of done.entries()) t.ok(what === '|' || at === 0 || done[at - 1] === '|', what)
})
