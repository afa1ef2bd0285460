import t from 'tap'
import { LocalSlot } from '../../services/peer/streams/local-slot.ts'
import type { SlotNotice } from '../../services/peer/topics/types.ts'
import { anyTime, Engines, text } from '../engine/engines.ts'

/** What a follower at `00` is told of slot 0, and whether the slot is held and stored there when it is told. */
async function follow00(cube: Engines) {
  await cube.start()
  const { engine, store } = cube.peer('00')
  await cube.append({ kind: 'create', topic: 'a', settings: anyTime })
  const told: { kind: SlotNotice['kind']; holds: boolean; stored: boolean }[] = []
  engine.follow(0, ({ kind }) =>
    told.push({ kind, holds: engine.holds(0), stored: store.slots().includes(0) }),
  )
  await cube.append({ kind: 'publish', topic: 'a', events: text('x') })
  return told
}

async function leave00(cube: Engines): Promise<void> {
  const change = { kind: 'leave', id: '00', by: 'test', why: 'a test' } as const
  await cube.append({ kind: 'roster', change }, cube.primary(1), 1)
  await cube.clock.advance(8_000)
}

t.test('who follows a slot that moves away hears once that it is gone', async t => {
  const cube = new Engines(['00', '01', '10', '11'], 1)
  const told = await follow00(cube)
  await leave00(cube)
  t.same(cube.peer('00').store.slots(), [])
  t.match(told, [
    { kind: 'published', holds: true },
    { kind: 'gone', holds: false },
  ])
  t.equal(told.length, 2)
})

t.test('a replica says that its slot is gone as soon as it has lost its vote', async t => {
  const cube = new Engines(['00', '01', '10', '11'], 1)
  const told = await follow00(cube)
  // The entry that ends its membership reaches the replica here.
  cube.onSend = (from, to, messages) => {
    for (const { slot, message } of messages) {
      if (slot !== 0 || to === '00' || message.type !== 'append') continue
      const isLast = message.entries.some(
        ({ configuration }) =>
          configuration?.voters.every(({ number }) => number !== 1) && !configuration.outgoing,
      )
      if (isLast) void cube.peer('00').engine.receive(from, [{ slot, message: { ...message, to: 1 } }])
    }
    return true
  }
  await leave00(cube)
  t.same(told.at(-1), { kind: 'gone', holds: false, stored: true })
  t.equal(told.length, 2, 'and not once more when it is deleted')
  t.same(cube.peer('00').store.slots(), [])
})

t.test('an engine that stops leaves those who are told of a slot in peace', async t => {
  const cube = new Engines(['00', '01'], 1)
  await cube.start()
  const { engine } = cube.peer('00')
  const told: SlotNotice['kind'][] = []
  engine.follow(0, ({ kind }) => told.push(kind))
  const asked: string[] = []
  const nothing = () => undefined
  const local = new LocalSlot(engine, 0, {
    wanted: () => true,
    ...{ covered: nothing, events: nothing, ended: nothing, passed: nothing },
    interrupted: () => asked.push('interrupted'),
    lost: () => asked.push('lost'),
  })
  const stopped = engine.stop()
  await cube.clock.advance(3_000)
  await stopped
  t.same(told, ['gone'])
  t.same(asked, [], 'they must not go elsewhere first')
  local.close()
})
