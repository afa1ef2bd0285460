import t from 'tap'
import { sseEncoding } from '../../services/peer/streams/frames.ts'
import { Ring } from '../../services/peer/streams/ring.ts'
import type { StoredEvent } from '../../services/peer/topics/types.ts'

const plain = sseEncoding('sports', { named: false, format: 'plain', retryMs: 500 })

function event(offset: number, sizeBytes = 10): StoredEvent {
  return { offset, incarnation: 1, sequence: offset, timeMs: 0, data: Buffer.alloc(sizeBytes, 'x') }
}

t.test('it keeps the newest events within its bounds', async t => {
  const byCount = new Ring(1, 5, 1e9)
  for (let offset = 1; offset <= 5_000; offset += 1) byCount.push(event(offset))
  t.same([byCount.first, byCount.last], [4_996, 5_000])
  const byBytes = new Ring(1, 1e9, 10_000)
  for (let offset = 1; offset <= 100; offset += 1) byBytes.push(event(offset, 1_000))
  t.ok(byBytes.sizeBytes <= 10_000)
  t.equal(byBytes.last, 100)
  byBytes.push(event(101, 1_000_000))
  t.same([byBytes.first, byBytes.last], [101, 101], 'the newest stays, however large')
})

t.test('frames count, and are made once', async t => {
  const ring = new Ring(1, 1e9, 5_000)
  for (let offset = 1; offset <= 4; offset += 1) ring.push(event(offset, 1_000))
  let made = 0
  const counting = {
    ...plain,
    event(one: StoredEvent) {
      made += 1
      return plain.event(one)
    },
  }
  const first = ring.chunk(counting, 1, 1e9)
  t.equal(first.to, 4)
  t.equal(ring.chunk(counting, 2, 1e9).to, 4)
  t.equal(made, 4)
  t.ok(ring.sizeBytes > 5_000)
  ring.trim()
  t.ok(ring.sizeBytes <= 5_000)
  t.equal(ring.first, 3)
})

t.test('a chunk has at least one event and otherwise stays within its bytes', async t => {
  const ring = new Ring(7, 100, 1e9)
  for (let offset = 7; offset < 17; offset += 1) ring.push(event(offset, 100))
  t.equal(ring.chunk(plain, 8, 1).to, 8)
  const chunk = ring.chunk(plain, 8, 400)
  t.equal(chunk.to, 10)
  t.ok(chunk.bytes.length <= 400)
})

t.test('offsets are consecutive, and a restart begins anew', async t => {
  const ring = new Ring(1, 100, 1e9)
  t.same([ring.first, ring.last], [1, 0])
  t.throws(() => ring.push(event(2)), /offset 2 after 0/)
  ring.push(event(1))
  ring.restart(50)
  t.same([ring.first, ring.last, ring.sizeBytes], [50, 49, 0])
  ring.push(event(50))
  t.equal(ring.last, 50)
})
