import t from 'tap'
import { LIMITS } from '../../services/peer/limits.ts'
import { Executor } from '../../services/peer/links/execute.ts'
import type { SlotStart } from '../../services/peer/links/slot-operations.ts'
import type { Operation } from '../../services/peer/links/types.ts'
import { UNLIMITED } from '../../services/peer/topics/settings.ts'
import { FakeClock } from '../engine/fake-clock.ts'
import { MemorySlots } from '../support/memory-slots.ts'

const TOPIC = 'sports'
const EVENTS = ['1', '2', '3'].map(text => ({ data: Buffer.from(text) }))

t.test(
  'a replica answers for a time only of the life asked about, and if it holds all that is known',
  async t => {
    const slots = new MemorySlots('0', 1, new FakeClock())
    const executor = new Executor('0', 'http://here', slots, () => 0)
    const create = { kind: 'create', topic: TOPIC, settings: UNLIMITED } as const
    await slots.append(0, create)
    await slots.append(0, { kind: 'publish', topic: TOPIC, events: EVENTS })
    const ask = async (asked: { incarnation?: number; latest?: number }) => {
      const operation = {
        kind: 'offsetAt',
        slot: 0,
        topic: TOPIC,
        timeMs: Number.MAX_SAFE_INTEGER,
        ...asked,
      } as const
      const outcome = await executor.execute(operation, Number.POSITIVE_INFINITY)
      return outcome.kind === 'done' ? outcome.result : outcome.kind
    }
    const found = { kind: 'offset', offset: 4 }
    t.same(await ask({ incarnation: 1, latest: 3 }), found)
    t.same(await ask({}), found, 'an older program does not say which life it means')
    t.equal(await ask({ incarnation: 1, latest: 4 }), 'notHere', 'this replica lacks an event')
    t.equal(await ask({ incarnation: 2, latest: 0 }), 'notHere', 'it has not seen the new life')
    await slots.append(0, { kind: 'delete', topic: TOPIC })
    t.equal(await ask({ incarnation: 2, latest: 0 }), 'notHere')
    t.same(await ask({}), { kind: 'offset', offset: 1 })
    await slots.append(0, create)
    t.equal(await ask({ incarnation: 1, latest: 3 }), 'notHere', 'the old one is over')
    t.same(await ask({ incarnation: 2, latest: 0 }), { kind: 'offset', offset: 1 })
  },
)

t.test('a slot is read where the replica is level with the position, and nowhere else', async t => {
  const slots = new MemorySlots('0', 1, new FakeClock())
  const executor = new Executor('0', 'http://here', slots, () => 0)
  const ask = async (operation: Operation) => {
    const outcome = await executor.execute(operation, Number.POSITIVE_INFINITY)
    return outcome.kind === 'done' ? outcome.result : outcome.kind
  }
  const read = (sequence: number, index: number, slot = 0, maxEvents = 10) => {
    const position = { sequence, index }
    return ask({ kind: 'readSlot', slot, wants: ['s/**', 'sports'], position, maxEvents, maxBytes: 1_000 })
  }
  await slots.append(0, { kind: 'create', topic: TOPIC, settings: UNLIMITED })
  await slots.append(0, { kind: 'publish', topic: TOPIC, events: EVENTS })
  const all = { kind: 'slice', gaps: [], position: { sequence: 3, index: 2 }, latest: 3 }
  t.match(await read(0, 0), { ...all, events: [{ topic: TOPIC, event: { offset: 1 } }, {}, {}] })
  t.match(await read(3, 2), { ...all, events: [] })
  t.equal(await read(4, 2), 'notHere', 'it lacks an event')
  t.equal(await read(3, 3), 'notHere', 'it may not have heard of a deletion')
  t.equal(await read(0, 0, 1), 'notHere', 'it is no replica')
  await slots.append(0, { kind: 'delete', topic: TOPIC })
  t.match(await read(0, 0), { ...all, events: [], position: { sequence: 3, index: 3 } })
  await slots.append(0, { kind: 'create', topic: TOPIC, settings: UNLIMITED })
  const shown = [[TOPIC, 1] as const, [TOPIC, 2] as const, ['never', 3] as const, ['another', 1] as const]
  const asked = { kind: 'readSlot', slot: 0, wants: [TOPIC], maxEvents: 1, maxBytes: 1, shown } as const
  const position = { sequence: 3, index: 3 }
  t.same((await ask({ ...asked, position })) as object, {
    ...{ kind: 'slice', events: [], gaps: [], position: { sequence: 3, index: 4 }, latest: 3 },
    over: [1, 1],
  })
})

t.test('a place in a slot, and what is known of a topic, is told by whoever holds it', async t => {
  const slots = new MemorySlots('0', 1, new FakeClock())
  const executor = new Executor('0', 'http://here', slots, () => 0)
  const ask = (operation: Operation) => executor.execute(operation, Number.POSITIVE_INFINITY)
  await slots.append(0, { kind: 'create', topic: TOPIC, settings: UNLIMITED })
  const glance = { kind: 'glance', slot: 0, topic: TOPIC } as const
  t.match(await ask(glance), {
    result: { kind: 'described', view: { topic: { name: TOPIC, latest: 0 }, incarnation: 1, primary: '0' } },
  })
  const most = Array.from({ length: LIMITS.MAX_LAST_EVENTS + 1 }, () => EVENTS[0]!)
  await slots.append(0, { kind: 'publish', topic: TOPIC, events: most })
  const place = (start: SlotStart, slot = 0) => ask({ kind: 'placeSlot', slot, wants: [TOPIC], start })
  const placed = (sequence: number) => ({ result: { kind: 'placed', position: { sequence, index: 2 } } })
  t.match(await place({ kind: 'latest' }), placed(most.length))
  t.match(await place({ kind: 'earliest' }), placed(0))
  t.match(await place({ kind: 'last', count: 2 }), placed(most.length - 2))
  t.match(await place({ kind: 'last', count: most.length }), placed(1), 'so many and no more')
  for (const operation of [glance, { kind: 'placeSlot', wants: [], start: { kind: 'latest' } }] as const) {
    t.match(await ask({ ...operation, slot: 1 }), { kind: 'notHere' })
  }
})
