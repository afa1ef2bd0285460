import fc from 'fast-check'
import t from 'tap'
import { LIMITS } from '../../services/peer/limits.ts'
import { ProducerStamps, type StampedRequest } from '../../services/peer/links/producer.ts'

const identity = { uid: 'u', boot: 7 }

t.test('sequences begin at 1 in every slot and are dense', async t => {
  const producers = new ProducerStamps(identity)
  t.same(producers.begin(3)?.stamp, { uid: 'u', boot: 7, sequence: 1, low: 1 })
  t.same(producers.begin(3)?.stamp, { uid: 'u', boot: 7, sequence: 2, low: 1 })
  t.same(producers.begin(4)?.stamp, { uid: 'u', boot: 7, sequence: 1, low: 1 })
})

t.test('low is always the lowest unfinished sequence', async t => {
  fc.assert(
    fc.property(fc.array(fc.nat(20), { maxLength: 60 }), steps => {
      const producers = new ProducerStamps(identity)
      const open: StampedRequest[] = []
      return steps.every(step => {
        if (step < open.length) {
          open.splice(step, 1)[0]!.finish()
          return true
        }
        const stamped = producers.begin(0)!
        open.push(stamped)
        return stamped.stamp.low === Math.min(...open.map(({ stamp }) => stamp.sequence))
      })
    }),
    { verbose: true },
  )
  t.pass('no counterexample')
})

t.test('unanswered requests of a slot are bounded, and finishing one makes room', async t => {
  const producers = new ProducerStamps(identity)
  const first = producers.begin(0)!
  for (let i = 1; i < LIMITS.MAX_PRODUCER_INFLIGHT; i += 1) producers.begin(0)
  t.equal(producers.begin(0), undefined)
  t.ok(producers.begin(1))
  first.finish()
  first.finish()
  t.match(producers.begin(0)?.stamp, { low: 2 })
  t.equal(producers.begin(0), undefined)
})
