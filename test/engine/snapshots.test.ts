import t from 'tap'
import { withLimits } from '../support/limits.ts'
import { anyTime, Engines, text } from './engines.ts'

/** Small, so that a few events are more than the log keeps. */
const SMALL = {
  KEEP_LOG_ENTRIES: 10,
  COMPACT_EVERY_ENTRIES: 5,
  MAX_CACHED_LOG_BYTES: 1_000,
  SNAPSHOT_CHUNK_BYTES: 200,
}

const THREE = ['00', '01', '10']

async function publish(cube: Engines, count: number): Promise<void> {
  for (let at = 0; at < count; at++) {
    await cube.append({ kind: 'publish', topic: 'a', events: text(`${at}`.padEnd(100)) })
  }
}

function offsets(cube: Engines, id: string): number[] {
  return cube
    .peer(id)
    .engine.read(0, 1, 1, 1_000, 1e9)
    .map(event => event.offset)
}

t.test('a primary learns that its snapshot arrived though the answer to it was lost', async t => {
  withLimits(t, SMALL)
  const cube = new Engines(THREE)
  await cube.start()
  await cube.append({ kind: 'create', topic: 'a', settings: anyTime })
  cube.crash('00')
  await cube.clock.advance(500)
  await publish(cube, 40)
  await cube.clock.advance(500)
  await cube.restart('00')
  const primary = cube.primary()!
  // Beats arrive, and so does the snapshot; what the home answers does not.
  const sent: string[] = []
  cube.onSend = (from, _to, messages) => {
    const types = messages.map(({ message }) => message.type)
    if (from === '00') sent.push(...types)
    return !(from === '00' && types.includes('appendResponse'))
  }
  await cube.clock.advance(1_500)
  t.equal(cube.peer('00').engine.topic(0, 'a')?.latest, 40, 'the home is level')
  t.equal(cube.primary(), primary)
  t.ok(sent.includes('appendResponse'))
  cube.onSend = () => true
  await cube.clock.advance(10_000)
  t.equal(cube.primary(), '00', 'and gets its slot back, without any traffic')
})

t.test('a pull that begins behind rows applied a moment ago leaves no hole when the power fails', async t => {
  withLimits(t, SMALL)
  const cube = new Engines(THREE)
  await cube.start()
  await cube.append({ kind: 'create', topic: 'a', settings: anyTime })
  await cube.clock.advance(500)
  await publish(cube, 3)
  const { engine } = cube.peer('10')
  const { term } = engine.status(0).raft
  t.equal(engine.topic(0, 'a')?.latest, 3, 'applied, and not written yet')
  // The others go on without it, and it is offered a snapshot.
  cube.onSend = (_from, to) => to !== '10'
  await publish(cube, 3)
  const { raft } = cube.peer('00').engine.status(0)
  const snapshot = { index: raft.applied, term, configuration: raft.configuration }
  const offer = { type: 'snapshot', from: 1, to: 3, term, snapshot } as const
  const { store } = cube.peer('10')
  const stage = store.stage.bind(store)
  let isStaged = false
  store.stage = async (slot, records) => {
    await stage(slot, records)
    isStaged = true
    cube.crash('10')
  }
  void engine.receive('00', [{ slot: 0, message: offer }])
  await cube.clock.settle()
  t.ok(isStaged)
  // What it needs is soon compacted, and the primary that knew how far it was is replaced.
  await publish(cube, 40)
  cube.crash('00')
  await cube.restart('00')
  await cube.clock.advance(2_000)
  cube.onSend = () => true
  await cube.restart('10')
  await cube.clock.advance(5_000)
  t.same(cube.peer('10').fatal, [])
  t.same(offsets(cube, '10'), offsets(cube, '00'))
})
