import t from 'tap'
import { LIMITS } from '../../services/peer/limits.ts'
import type { Placed } from '../../services/peer/links/slot-operations.ts'
import { newest } from '../../services/peer/streams/newest.ts'

function placed(index: number, sequence: number, ...tail: [sequence: number, timeMs: number][]): Placed {
  return { kind: 'placed', position: { sequence, index }, tail }
}

t.test('the newest of all slots are kept, and of each slot its end', t => {
  const slots = [placed(9, 0, [1, 10], [4, 40], [5, 50]), placed(7, 1, [2, 20], [3, 45]), placed(3, 8)]
  t.same(newest(slots, 3, 99), [
    { sequence: 3, index: 9 },
    { sequence: 2, index: 7 },
    { sequence: 8, index: 3 },
  ])
  t.same(newest(slots, 1, 99), [
    { sequence: 4, index: 9 },
    { sequence: 3, index: 7 },
    { sequence: 8, index: 3 },
  ])
  t.same(newest(slots, 100, 99), [
    { sequence: 0, index: 9 },
    { sequence: 1, index: 7 },
    { sequence: 8, index: 3 },
  ])
  t.end()
})

t.test('of the same stamp those of later slots are kept, and no more than are wanted', t => {
  const slots = [placed(1, 0, [1, 5], [2, 5]), placed(1, 0, [1, 5], [2, 5])]
  t.same(newest(slots, 3, 99), [
    { sequence: 1, index: 1 },
    { sequence: 0, index: 1 },
  ])
  t.same(newest(slots, 0, 99), [
    { sequence: 2, index: 1 },
    { sequence: 2, index: 1 },
  ])
  t.end()
})

t.test('a slot of which nobody said begins with the time of the oldest that is kept, or with now', t => {
  t.same(newest([placed(1, 0, [1, 5], [2, 6]), undefined], 1, 99), [
    { sequence: 1, index: 1 },
    { sinceMs: 6 },
  ])
  t.same(newest([placed(1, 4), undefined], 1, 99), [{ sequence: 4, index: 1 }, { sinceMs: 99 }])
  t.end()
})

t.test('as many events and slots as there may be are looked through without a list of them all', t => {
  const count = LIMITS.MAX_LAST_EVENTS
  let looked = 0
  const slots = Array.from({ length: 64 }, (_, slot) => {
    const tail = Array.from({ length: count }, (_, at): [number, number] => [at + 1, at * 64 + slot])
    return placed(count, 0, ...tail)
  })
  const watched = slots.map(one => ({
    ...one,
    tail: new Proxy(one.tail, {
      get(target, name) {
        if (typeof name === 'string' && Number.isInteger(Number(name))) looked += 1
        return Reflect.get(target, name)
      },
    }),
  }))
  const found = newest(watched, count, 0)
  const first = count - Math.ceil(count / 64)
  t.same(found[63], { sequence: first, index: count })
  t.ok(looked <= 4 * (count + 64), `${looked} of ${64 * count} were looked at`)
  t.end()
})
