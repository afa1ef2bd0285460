import t from 'tap'
import { LIMITS } from '../../services/peer/limits.ts'
import type { Placed, Slice } from '../../services/peer/links/slot-operations.ts'
import type { SlotReader } from '../../services/peer/streams/slot-reader.ts'
import { SlotReads, type SlotScope } from '../../services/peer/streams/slot-reads.ts'
import { ManualClock } from './clock.ts'

const NONE = { lives: [], key: '' }
const POSITION = { sequence: 0, index: 0 }

function scopeOf(slot: number): SlotScope {
  return { key: `${slot}\na`, slot, wants: ['a'] }
}

/** Slots that answer at once, but for silent ones, which take their whole patience. */
function setUp() {
  const clock = new ManualClock()
  const silent = new Set<number>()
  let running = 0
  let most = 0
  const asked: number[] = []
  const answer = async <Result>(slot: number, patienceMs: number, result: Result): Promise<Result | null> => {
    asked.push(slot)
    if (!silent.has(slot)) return result
    running += 1
    most = Math.max(most, running)
    await new Promise<void>(resolve => clock.after(patienceMs, resolve))
    running -= 1
    return null
  }
  const slice: Slice = { kind: 'slice', events: [], gaps: [], position: POSITION, latest: 0 }
  const placed: Placed = { kind: 'placed', position: POSITION, tail: [] }
  const reader: SlotReader = {
    read: (slot, _wants, _position, _shown, patienceMs) => answer(slot, patienceMs, slice),
    place: (slot, _wants, _start, _fresh, patienceMs) => answer(slot, patienceMs, placed),
    position: () => undefined,
  }
  return { clock, silent, reads: new SlotReads(reader, clock), most: () => most, asked }
}

/** Whether something comes without time going on. */
async function isPrompt(clock: ManualClock, promise: Promise<unknown>): Promise<boolean> {
  let isThere = false
  void promise.then(result => {
    isThere = result !== null
  })
  await clock.settle()
  return isThere
}

t.test('retries in a slot nobody answers for hold up none of another slot', async t => {
  const { clock, silent, reads, most } = setUp()
  silent.add(0)
  for (let timeMs = 1; timeMs <= 500; timeMs += 1)
    void reads.read(scopeOf(0), { sequence: timeMs, index: 0 }, NONE, true)
  await clock.settle()
  t.equal(most(), LIMITS.MAX_SLOT_RETRIES)
  t.ok(await isPrompt(clock, reads.read(scopeOf(1), POSITION, NONE, true)))
  t.ok(await isPrompt(clock, reads.place(scopeOf(1), { kind: 'earliest' }, true)))
})

t.test('first reads of a slot that is known to be silent hold up none of the others', async t => {
  const { clock, silent, reads } = setUp()
  silent.add(0)
  void reads.place(scopeOf(0), { kind: 'earliest' }, false)
  await clock.advance(LIMITS.SLOT_READ_PATIENCE_MS)
  for (let timeMs = 1; timeMs <= 500; timeMs += 1)
    void reads.place(scopeOf(0), { kind: 'time', timeMs }, false)
  await clock.settle()
  t.ok(await isPrompt(clock, reads.read(scopeOf(1), POSITION, NONE, false)))
  silent.delete(0)
  // Those under way still take their time; the ones behind them are answered then.
  await clock.advance(LIMITS.SLOT_READ_PATIENCE_MS)
  t.ok(
    await isPrompt(clock, reads.read(scopeOf(0), POSITION, NONE, false)),
    'it has answered: as any other slot',
  )
})

t.test('a cursor that nobody has got to holds up nobody who has not failed', async t => {
  const { clock, silent, reads } = setUp()
  silent.add(0)
  for (let sequence = 1; sequence <= 50; sequence += 1) {
    void reads.read(scopeOf(0), { sequence, index: sequence }, NONE, true)
  }
  await clock.settle()
  silent.delete(0)
  t.ok(await isPrompt(clock, reads.read(scopeOf(0), POSITION, NONE, false)))
})

t.test('what waits for its turn is not read for those who have left', async t => {
  const { clock, silent, reads, asked } = setUp()
  silent.add(0)
  let isThere = true
  const forOne = () => isThere
  for (let sequence = 1; sequence <= LIMITS.MAX_SLOT_READS + 10; sequence += 1) {
    void reads.read(scopeOf(0), { sequence, index: 0 }, NONE, false, forOne)
  }
  const [left] = [reads.read(scopeOf(1), { sequence: 1, index: 0 }, NONE, false, forOne)]
  const stays = [forOne, () => true].map(isWanted =>
    reads.read(scopeOf(2), { sequence: 2, index: 0 }, NONE, false, isWanted),
  )
  await clock.settle()
  t.equal(asked.length, LIMITS.MAX_SLOT_READS)
  isThere = false
  await clock.advance(LIMITS.SLOT_READ_PATIENCE_MS)
  t.same(asked.slice(LIMITS.MAX_SLOT_READS), [2])
  t.equal(await left, null)
  for (const slice of await Promise.all(stays)) t.not(slice, null)
  t.ok(await isPrompt(clock, reads.read(scopeOf(1), { sequence: 1, index: 0 }, NONE, false)))
})

t.test('the same is read once, and again when that is done', async t => {
  const { clock, reads } = setUp()
  const one = reads.read(scopeOf(0), POSITION, NONE, false)
  t.equal(reads.read(scopeOf(0), POSITION, NONE, false), one)
  await clock.settle()
  t.not(reads.read(scopeOf(0), POSITION, NONE, false), one)
  await clock.settle()
})
