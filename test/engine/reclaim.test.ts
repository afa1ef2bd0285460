import t from 'tap'
import { anyTime, Engines, text } from './engines.ts'

const THREE = ['00', '01', '10']

t.test('a home that beats but whose disk hangs does not keep its slot from taking events', async t => {
  const cube = new Engines(THREE)
  await cube.start()
  await cube.append({ kind: 'create', topic: 'a', settings: anyTime })
  cube.crash('00')
  await cube.clock.advance(500)
  await cube.append({ kind: 'publish', topic: 'a', events: text('before') })
  await cube.restart('00')
  await cube.clock.advance(200)
  t.not(cube.primary(), '00')
  const { disk } = cube.peer('00')
  const held: (() => void)[] = []
  disk.schedule = done => void held.push(done)
  await cube.clock.advance(5_000)
  let taken = 0
  for (let at = 0; at < 10; at++) {
    const published = cube.append({ kind: 'publish', topic: 'a', events: text('x') })
    taken += await published.then(
      () => 1,
      () => 0,
    )
    await cube.clock.advance(700)
  }
  t.equal(taken, 10)
  disk.schedule = queueMicrotask
  for (const done of held) done()
  await cube.clock.advance(30_000)
  t.equal(cube.primary(), '00', 'and when its disk is well again it is primary again')
})

t.test('a peer that stops does not hand its slots to one that stops too', async t => {
  const cube = new Engines(THREE)
  await cube.start()
  const other = cube.peer('10').engine.stop()
  await cube.clock.advance(150)
  const { engine } = cube.peer('00')
  const stopped = engine.stop()
  await cube.clock.advance(400)
  await Promise.all([stopped, other])
  t.equal(cube.primary(), '01')
})

t.test('a home that has stopped is not given its slots back', async t => {
  const cube = new Engines(THREE)
  await cube.start()
  await cube.append({ kind: 'create', topic: 'a', settings: anyTime })
  const stopped = cube.peer('00').engine.stop()
  await cube.clock.advance(300)
  await stopped
  const heir = [...cube.peers.values()].find(
    ({ id, engine }) => id !== '00' && engine.status(0).raft.role === 'leader',
  )
  t.ok(heir)
  // Its process is still there, ending streams: it answers beats.
  let transfers = 0
  for (let at = 0; at < 100; at++) {
    await cube.clock.advance(20)
    if (heir?.engine.status(0).raft.transferee !== 0) transfers++
  }
  t.equal(transfers, 0)
})
