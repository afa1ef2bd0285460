import t from 'tap'
import { sseEncoding } from '../../services/peer/streams/frames.ts'
import { Ring } from '../../services/peer/streams/ring.ts'
import type { StoredEvent } from '../../services/peer/topics/types.ts'

const plain = sseEncoding('sports', { named: false, format: 'plain', retryMs: 500 })

function event(offset: number, sizeBytes = 10): StoredEvent {
  return { offset, incarnation: 1, sequence: offset, timeMs: 0, data: Buffer.alloc(sizeBytes, 'x') }
}

function ringOf(first: number, maxItems: number, maxBytes: number): Ring<StoredEvent> {
  return new Ring(first, maxItems, maxBytes, one => one.data.length)
}

t.test('it keeps the newest events within its bounds', async t => {
  const byCount = ringOf(1, 5, 1e9)
  for (let offset = 1; offset <= 5_000; offset += 1) byCount.push(offset, event(offset))
  t.same([byCount.first, byCount.last], [4_996, 5_000])
  const byBytes = ringOf(1, 1e9, 10_000)
  for (let offset = 1; offset <= 100; offset += 1) byBytes.push(offset, event(offset, 1_000))
  t.ok(byBytes.sizeBytes <= 10_000)
  t.equal(byBytes.last, 100)
  byBytes.push(101, event(101, 1_000_000))
  t.same([byBytes.first, byBytes.last], [101, 101], 'the newest stays, however large')
})

t.test('frames count, and are made once', async t => {
  const ring = ringOf(1, 1e9, 5_100)
  for (let offset = 1; offset <= 4; offset += 1) ring.push(offset, event(offset, 1_000))
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
  t.ok(ring.sizeBytes > 5_100)
  ring.trim()
  t.ok(ring.sizeBytes <= 5_100)
  t.equal(ring.first, 3)
})

t.test('a frame that is kept holds no memory but its own', async t => {
  const ring = ringOf(1, 100, 1e9)
  for (let offset = 1; offset <= 3; offset += 1) {
    ring.push(offset, event(offset))
    // Made of a pool that others take from too: a slice of it would keep all of it.
    const frame = ring.frame(plain, offset)
    t.same(frame, plain.event(event(offset)))
    t.equal(frame.buffer.byteLength, frame.length)
  }
})

t.test('a chunk has at least one event and otherwise stays within its bytes', async t => {
  const ring = ringOf(7, 100, 1e9)
  for (let offset = 7; offset < 17; offset += 1) ring.push(offset, event(offset, 100))
  t.equal(ring.chunk(plain, 8, 1).to, 8)
  const chunk = ring.chunk(plain, 8, 400)
  t.equal(chunk.to, 10)
  t.ok(chunk.bytes.length <= 400)
})

t.test('numbers are consecutive, and a restart begins anew', async t => {
  const ring = ringOf(1, 100, 1e9)
  t.same([ring.first, ring.last], [1, 0])
  t.throws(() => ring.push(2, event(2)), /number 2 after 0/)
  ring.push(1, event(1))
  ring.restart(50)
  t.same([ring.first, ring.last, ring.sizeBytes], [50, 49, 0])
  ring.push(50, event(50))
  t.equal(ring.last, 50)
})

t.test('what leaves is told first, and what nobody needs can be dropped', async t => {
  const dropped: number[] = []
  const ring = new Ring<StoredEvent>(
    1,
    3,
    1e9,
    one => one.data.length,
    (one, number) => {
      t.equal(one.offset, number)
      t.equal(ring.first, number)
      dropped.push(number)
    },
  )
  for (let offset = 1; offset <= 5; offset += 1) ring.push(offset, event(offset))
  t.same(dropped, [1, 2])
  ring.dropTo(4)
  t.same([ring.first, ring.last], [5, 5])
  ring.dropTo(9)
  t.same([ring.first, ring.last, ring.sizeBytes], [6, 5, 0])
  ring.push(6, event(6))
  t.same(dropped, [1, 2, 3, 4, 5])
  t.equal(ring.item(6).offset, 6)
})

t.test('a chunk ends where it is told to', async t => {
  const ring = ringOf(1, 100, 1e9)
  for (let offset = 1; offset <= 9; offset += 1) ring.push(offset, event(offset))
  t.equal(ring.chunk(plain, 3, 1e9, 5).to, 5)
})
