import t from 'tap'
import { encodeCommand } from '../../services/peer/engine/codec.ts'
import type { Beat } from '../../services/peer/engine/types.ts'
import { anyTime, Engines, text } from './engines.ts'

const THREE = ['00', '01', '10']

function beatOf(uid: string, cube: Engines, leads: Beat['leads'], to = 'uid-10'): Beat {
  const nowMs = cube.clock.nowMs()
  return {
    uid,
    to,
    boot: 1,
    rosterVersion: 1,
    nowMs,
    lowDisk: false,
    stopping: false,
    leads,
    follows: [],
  }
}

/** Publishes one event after the other while time goes on, so that entries arrive while others are being applied. */
async function publishSteadily(cube: Engines, count: number): Promise<void> {
  const all: Promise<unknown>[] = []
  const time = cube.clock.advance(100)
  for (let at = 0; at < count; at++) {
    all.push(cube.peer('00').engine.append(0, { kind: 'publish', topic: 'a', events: text('x') }, 1e9))
    for (let microtask = 0; microtask < 7; microtask++) await null
  }
  await time
  await cube.clock.advance(100)
  await Promise.all(all)
}

t.test('whoever is told of an event can read it at once', async t => {
  const cube = new Engines(THREE)
  await cube.start()
  await cube.append({ kind: 'create', topic: 'a', settings: anyTime })
  const missing: string[] = []
  for (const id of THREE) {
    const { engine } = cube.peer(id)
    engine.follow(0, notice => {
      if (notice.kind !== 'published') return
      const [event] = engine.read(0, 1, notice.run.first, 1, 1_000)
      if (event?.offset !== notice.run.first) missing.push(`${id}: ${notice.run.first}`)
    })
  }
  await publishSteadily(cube, 50)
  t.equal(cube.peer('10').engine.topic(0, 'a')?.latest, 50)
  t.same(missing, [])
})

/**
 * Lets peer `10` take in two entries from its primaries by hand: the second arrives in the very turn that applies the
 * first, and both are long committed, as when it catches up.
 */
async function takeTwo(cube: Engines, entries: readonly { slot: number; data: Uint8Array }[]): Promise<void> {
  const { engine, disk } = cube.peer('10')
  for (const other of ['00', '01']) for (const link of [`${other}>10`, `10>${other}`]) cube.cut.add(link)
  const lasts = new Map<number, number>()
  const take = ({ slot, data }: (typeof entries)[number]) => {
    const { term, leader, lastIndex } = engine.status(slot).raft
    const prevIndex = lasts.get(slot) ?? lastIndex
    lasts.set(slot, prevIndex + 1)
    const place = { prevIndex, prevTerm: term, commit: prevIndex + 10 }
    const entry = { index: prevIndex + 1, term, type: 'data', data } as const
    const message = { type: 'append', from: leader, to: 3, term, ...place, entries: [entry] } as const
    void engine.receive(cube.roster.peers[leader - 1]!.id, [{ slot, message }])
  }
  const [first, ...rest] = entries
  disk.schedule = done => {
    cube.clock.after(1, () => {
      done()
      for (const entry of rest.splice(0)) take(entry)
    })
  }
  take(first!)
  await cube.clock.advance(10)
}

t.test('a read while a notice is told writes nothing ahead of the entries it depends on', async t => {
  const cube = new Engines(THREE)
  await cube.start()
  await cube.append({ kind: 'create', topic: 'a', settings: anyTime })
  await cube.clock.advance(500)
  const { engine, store } = cube.peer('10')
  engine.follow(0, () => engine.read(0, 1, 1, 1, 1_000))
  const log = store.log(0)
  const ahead: number[] = []
  const write = store.write.bind(store)
  store.write = writes => {
    const written = write(writes)
    for (const { hardState } of writes) {
      if (hardState && hardState.commit > log.lastIndex()) ahead.push(hardState.commit)
    }
    return written
  }
  const data = encodeCommand({ kind: 'publish', topic: 'a', events: text('x'), timeMs: cube.clock.nowMs() })
  await takeTwo(cube, [
    { slot: 0, data },
    { slot: 0, data },
  ])
  t.equal(engine.topic(0, 'a')?.latest, 2)
  t.same(ahead, [], 'no commit index is on disk before its entry: the peer could not start again')
})

t.test('a peer that holds no slot is ready too', async t => {
  const cube = new Engines(['00', '01', '10', '11'])
  await cube.start()
  const stranger = cube.roster.peers.map(peer => peer.id).find(id => !cube.peer(id).engine.holds(0))!
  t.ok(cube.peer(stranger).events.some(event => event.kind === 'ready'))
})

t.test('a heartbeat that breaks an invariant ends the peer, asked or answered', async t => {
  const cube = new Engines(THREE)
  await cube.start()
  const { term } = cube.peer('10').engine.status(0).raft
  cube.peer('10').engine.heartbeat('00', beatOf('uid-00', cube, [[0, term, 1_000_000]]))
  t.match(cube.peer('10').fatal, [{ message: /acknowledged entries are missing/ }])

  const other = new Engines(THREE)
  await other.start()
  const asked = other.peer('10').engine
  asked.heartbeat = () => beatOf('uid-10', other, [[0, term + 1, 1_000_000]], 'uid-00')
  await other.clock.advance(300)
  t.match(other.peer('00').fatal, [{ message: /acknowledged entries are missing/ }])
})

t.test('a peer that has stopped says so and claims nothing', async t => {
  const cube = new Engines(['0'])
  await cube.start()
  const { engine } = cube.peer('0')
  const stopped = engine.stop()
  await cube.clock.advance(2_000)
  await stopped
  const answer = engine.heartbeat('0', beatOf('uid-0', cube, [], 'uid-1'))
  t.match(answer, { stopping: true, leads: [], follows: [] })
})

t.test('a stop answers every request at once, and every peer that waits for its answers', async t => {
  const cube = new Engines(['0'])
  await cube.start()
  const { engine, disk } = cube.peer('0')
  disk.schedule = done => void cube.clock.after(20, done)
  const answered: string[] = []
  const note = (what: string) => () => answered.push(what)
  engine.append(0, { kind: 'create', topic: 'a', settings: anyTime }, 1e9).catch(note('append'))
  await cube.clock.settle()
  void engine.receive('0', []).then(note('receive'))
  const stopped = engine.stop().then(note('stop'))
  engine.barrier(0, 1e9).catch(note('barrier'))
  await cube.clock.advance(30)
  await stopped
  t.same(answered.sort(), ['append', 'barrier', 'receive', 'stop'])
})

t.test('an impossible write ends the peer by its own hand', async t => {
  const cube = new Engines(THREE)
  await cube.start()
  const { engine, store, fatal } = cube.peer('00')
  store.write = () => {
    throw new Error('entry 9 does not follow 7')
  }
  engine.append(0, { kind: 'create', topic: 'a', settings: anyTime }, 1e9).catch(() => {})
  await cube.clock.advance(50)
  t.match(fatal, [{ message: 'entry 9 does not follow 7' }])
})

t.test('after a broken invariant nothing of that turn is sent or written', async t => {
  const cube = new Engines(THREE, 2)
  await cube.start()
  await cube.clock.advance(500)
  const { store, fatal } = cube.peer('10')
  let writes = 0
  const write = store.write.bind(store)
  store.write = rows => {
    writes++
    return write(rows)
  }
  const sent = cube.batches.get('10>00')
  const garbage = Uint8Array.of(1, 0xc1)
  const data = encodeCommand({ kind: 'create', topic: 'a', settings: anyTime, timeMs: cube.clock.nowMs() })
  await takeTwo(cube, [
    { slot: 1, data: garbage },
    { slot: 0, data },
  ])
  t.match(fatal, [{ message: /no known kind/ }])
  t.equal(writes, 0)
  t.equal(cube.batches.get('10>00'), sent)
})

t.test('a beat of another store than the roster lists by that label is not heard', async t => {
  const cube = new Engines(THREE)
  await cube.start()
  const { engine } = cube.peer('10')
  const { term, commit } = engine.status(0).raft
  const { follows } = engine.heartbeat('00', beatOf('uid-00', cube, [[0, term, commit]]))
  t.same(follows, [[0, term]], 'the listed one is')
  const stranger = engine.heartbeat('01', beatOf('uid-of-a-new-disk', cube, [[0, term + 1, commit]]))
  t.same(stranger.follows, [])
  const mistaken = engine.heartbeat('00', beatOf('uid-00', cube, [[0, term, commit]], 'uid-of-a-lost-disk'))
  t.same(mistaken.follows, [], 'nor one that is meant for the store that was here before')
  t.equal(engine.status(0).raft.term, term, 'nobody follows it')
})
