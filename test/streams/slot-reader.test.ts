import t from 'tap'
import type { Operation } from '../../services/peer/links/types.ts'
import { CubeSlotReader } from '../../services/peer/streams/slot-reader.ts'
import { UNLIMITED } from '../../services/peer/topics/settings.ts'
import { ManualClock } from './clock.ts'
import { FakeReplica, SLOT, SlotLog } from './fake-replica.ts'

/** A replica here that is one event behind the cube. */
function setUp() {
  const log = new SlotLog()
  const slots = new FakeReplica(log, true)
  const asked: Operation[] = []
  const dispatcher = {
    async dispatch(operation: Operation) {
      asked.push(operation)
      return { result: { kind: 'placed', position: { sequence: 2, index: 3 }, tail: [] } as const, path: [] }
    },
  }
  log.append({ kind: 'create', topic: 'a', settings: UNLIMITED, timeMs: 0 })
  const publish = (timeMs: number) =>
    log.append({ kind: 'publish', topic: 'a', timeMs, events: [{ data: Buffer.from('x') }] })
  publish(10)
  slots.apply()
  publish(20)
  const reader = new CubeSlotReader({ slots, dispatcher, clock: new ManualClock(), replayEvents: 10 })
  return { reader, asked }
}

t.test(
  'a time that lies within what is here is placed here, also for good; one behind it by the primary',
  async t => {
    const { reader, asked } = setUp()
    t.match(await reader.place(SLOT, ['a'], { kind: 'time', timeMs: 10 }, true, 9), {
      position: { sequence: 0 },
    })
    t.same(asked, [])
    t.match(await reader.place(SLOT, ['a'], { kind: 'time', timeMs: 15 }, true, 9), {
      position: { sequence: 2 },
    })
    t.match(asked, [{ kind: 'placeSlot', start: { timeMs: 15 }, fresh: true }])
    t.match(await reader.place(SLOT, ['a'], { kind: 'time', timeMs: 15 }, false, 9), {
      position: { sequence: 1 },
    })
    t.equal(asked.length, 1)
  },
)

t.test('what is newest is asked of the primary, although there is a replica here', async t => {
  const { reader, asked } = setUp()
  for (const start of [{ kind: 'latest' }, { kind: 'last', count: 1 }] as const) {
    t.match(await reader.place(SLOT, ['a'], start, true, 9), { position: { sequence: 2 } })
    t.match(asked.pop(), { kind: 'placeSlot', start, fresh: true })
    t.not((await reader.place(SLOT, ['a'], start, false, 9))?.position.sequence, 2)
  }
  t.same(asked, [])
  t.same(reader.position(SLOT), { sequence: 1, index: 2 })
  t.equal(reader.position(SLOT + 1), undefined)
})
