import fc from 'fast-check'
import t, { type Test } from 'tap'
import type { Key, KvOp, OrderedKv } from '../../services/peer/store/kv.ts'
import { LmdbKv } from '../../services/peer/store/lmdb.ts'
import { MemoryDisk } from '../../services/peer/store/memory.ts'

type Step =
  | { readonly kind: 'write'; readonly ops: readonly (readonly [suffix: number, value: number | null])[] }
  | { readonly kind: 'get'; readonly suffix: number }
  | { readonly kind: 'range'; from: number; to: number; limit: number | undefined; reverse: boolean }
  | { readonly kind: 'wait' }

const suffixes = fc.nat(40)
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('write' as const),
    ops: fc.array(fc.tuple(suffixes, fc.option(fc.nat(255), { nil: null })), { maxLength: 8 }),
  }),
  fc.record({ kind: fc.constant('get' as const), suffix: suffixes }),
  fc.record({
    kind: fc.constant('range' as const),
    from: suffixes,
    to: suffixes,
    limit: fc.option(fc.nat(6), { nil: undefined }),
    reverse: fc.boolean(),
  }),
  fc.constant({ kind: 'wait' as const }),
)

/** Bytes of all values occur in keys; the first ones tell the runs of the property apart. */
function keyOf(run: number, suffix: number): Key {
  return `z${String.fromCharCode(run >> 8, run & 0xff)}${String.fromCharCode((suffix * 6) & 0xff, 0xff - suffix)}`
}

async function compare(kv: OrderedKv, run: number, steps: readonly Step[]): Promise<void> {
  const model = new Map<Key, number>()
  for (const step of steps) {
    if (step.kind === 'wait') await kv.write([])
    else if (step.kind === 'write') {
      const ops: KvOp[] = step.ops.map(([suffix, value]) => {
        const key = keyOf(run, suffix)
        if (value === null) model.delete(key)
        else model.set(key, value)
        return { key, value: value === null ? null : Uint8Array.of(value) }
      })
      kv.write(ops)
    } else if (step.kind === 'get') {
      const key = keyOf(run, step.suffix)
      same(kv.get(key)?.[0], model.get(key))
      same(kv.has(key), model.has(key))
    } else {
      const [from, to] = [keyOf(run, step.from), keyOf(run, step.to)]
      const rows = [...model].filter(([key]) => key >= from && key < to).sort(([a], [b]) => (a < b ? -1 : 1))
      if (step.reverse) rows.reverse()
      const expected = rows.slice(0, step.limit)
      const options = { reverse: step.reverse, ...(step.limit !== undefined && { limit: step.limit }) }
      same(
        kv.range(from, to, options).map(([key, value]) => [key, value[0]]),
        expected,
      )
      same(
        kv.keys(from, to, options),
        expected.map(([key]) => key),
      )
    }
  }
  await kv.write([])
  for (const [key, value] of model) same(kv.get(key)?.[0], value)
}

function same(found: unknown, expected: unknown): void {
  const [a, b] = [JSON.stringify(found), JSON.stringify(expected)]
  if (a !== b) throw new Error(`found ${a}, expected ${b}`)
}

async function property(t: Test, kv: OrderedKv): Promise<void> {
  let run = 0
  const arbitrary = fc.array(step, { maxLength: 40 })
  const result = await fc.check(
    fc.asyncProperty(arbitrary, steps => compare(kv, run++, steps)),
    { numRuns: 300 },
  )
  t.comment(`seed ${result.seed}`)
  t.notOk(
    result.failed,
    fc.defaultReportMessage(result) ?? 'reads see every write at once, as a plain map does',
  )
  await kv.close()
}

t.test('memory: reads see every write at once, in order, as a plain map does', async t => {
  await property(t, new MemoryDisk({ schedule: done => setImmediate(done) }).attach())
})

t.test('lmdb: reads see every write at once, in order, as a plain map does', async t => {
  await property(t, new LmdbKv(t.testdir()))
})

t.test('lmdb: a write is there in whole or not at all', async t => {
  const kv = new LmdbKv(t.testdir())
  const tooLong = `z\u0000\u0000${'x'.repeat(3_000)}`
  await kv.write([{ key: 'z\u0000\u0000a', value: Uint8Array.of(1) }])
  await t.rejects(
    kv.write([
      { key: 'z\u0000\u0000b', value: Uint8Array.of(2) },
      { key: tooLong, value: Uint8Array.of(3) },
    ]),
    { code: 'WRITE_FAILED' },
  )
  await t.rejects(kv.write([{ key: 'z\u0000\u0000c', value: Uint8Array.of(4) }]), { code: 'WRITE_FAILED' })
  await kv.close()
})

t.test('lmdb: the database grows far beyond its first map while it is read', async t => {
  const kv = new LmdbKv(t.testdir())
  const value = Buffer.alloc(1_000_000, 7)
  const keyAt = (i: number) => `z\u0000\u0000${String.fromCharCode(i)}`
  for (let i = 0; i < 64; i++) {
    const durable = kv.write([{ key: keyAt(i), value }])
    if (i > 0) t.equal(kv.get(keyAt(i - 1))?.length, value.length)
    await durable
  }
  t.equal(kv.keys(keyAt(0), keyAt(255)).length, 64)
  t.ok(Buffer.from(kv.get(keyAt(3))!).equals(value))
  t.ok(kv.space().usedBytes > 64_000_000)
  await kv.close()
})

t.test('lmdb: a value that was read stays as it was when its row changes', async t => {
  const kv = new LmdbKv(t.testdir())
  const key = 'z\u0000\u0000a'
  for (const size of [10, 5_000, 200_000]) {
    await kv.write([{ key, value: Buffer.alloc(size, 1) }])
    const read = kv.get(key)!
    const ranged = kv.range(key, `${key}\u0000`)[0]![1]
    await kv.write([{ key, value: Buffer.alloc(size, 2) }])
    kv.get(key)
    await kv.write([{ key: `${key}b`, value: Buffer.alloc(size, 3) }])
    t.ok(read.every(byte => byte === 1))
    t.ok(ranged.every(byte => byte === 1))
  }
  await kv.close()
})

t.test('lmdb: what was deleted counts as free, since its pages are filled again', async t => {
  const kv = new LmdbKv(t.testdir())
  const keys = Array.from({ length: 1_000 }, (_, at) => `l${String.fromCharCode(at >> 8, at & 0xff)}`)
  await kv.write(keys.map(key => ({ key, value: Buffer.alloc(3_000) })))
  const before = kv.space()
  await kv.write(keys.map(key => ({ key, value: null })))
  // A transaction's own pages are free only behind it.
  await kv.write([{ key: 'x', value: Buffer.alloc(1) }])
  const after = kv.space()
  t.ok(after.freeBytes - before.freeBytes > 2_000_000, `${after.freeBytes - before.freeBytes} bytes freed`)
  await kv.close()
})
