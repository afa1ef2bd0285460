import t from 'tap'
import { MemoryDisk } from '../../services/peer/store/memory.ts'
import { Engines } from './engines.ts'

t.test('an engine that is stopped while it starts never begins', async t => {
  const cube = new Engines(['0'])
  const held: (() => void)[] = []
  const disk = new MemoryDisk()
  let isFirst = true
  // The roster is written at once, the slots' founding hangs.
  disk.schedule = done => {
    if (isFirst) queueMicrotask(done)
    else held.push(done)
    isFirst = false
  }
  const started = cube.boot('0', disk)
  await cube.clock.settle()
  t.equal(held.length, 1)
  const { engine, events, fatal } = cube.peer('0')
  await engine.stop()
  for (const done of held) done()
  await started
  t.equal(cube.clock.timers, 0, 'nothing waits for its time')
  await cube.clock.advance(5_000)
  t.notOk(engine.ready())
  t.equal(cube.primary(), undefined)
  t.notOk(events.some(({ kind }) => kind === 'ready' || kind === 'primary'))
  t.same(fatal, [])
  await engine.stop()
})
