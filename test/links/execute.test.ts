import t from 'tap'
import { Executor } from '../../services/peer/links/execute.ts'
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
