import t, { type Test } from 'tap'
import { LIMITS } from '../../services/peer/limits.ts'
import { MemoryDisk } from '../../services/peer/store/memory.ts'
import { withLimits } from '../support/limits.ts'
import { anyTime, Engines, text } from './engines.ts'
import { Recoveries } from './recovering.ts'

const SLOTS = 4
/** The roster's own slot. */
const ROSTER = SLOTS
const ALL = ['000', '001', '010', '011', '100', '101', '110', '111']

async function world(ids: readonly string[], slots = SLOTS) {
  const cube = new Engines(ids, slots)
  await cube.start()
  return { cube, recoveries: new Recoveries(cube) }
}

async function publish(cube: Engines, slot: number, ...data: string[]) {
  const { result } = await cube.append(
    { kind: 'publish', topic: `t${slot}`, events: text(...data) },
    cube.primary(slot),
    slot,
  )
  return result
}

async function create(cube: Engines, slot: number) {
  return cube.append({ kind: 'create', topic: `t${slot}`, settings: anyTime }, cube.primary(slot), slot)
}

/** A new store joins and its peer starts with the roster it was given. */
async function join(cube: Engines, id: string) {
  const change = { kind: 'join', uid: `uid-${id}`, url: `http://${id}.test`, id, by: 't', why: 't' } as const
  const { result } = await cube.append({ kind: 'roster', change }, cube.primary(ROSTER), ROSTER)
  if (result.kind !== 'roster') throw new Error(JSON.stringify(result))
  await cube.boot(id, new MemoryDisk(), result.roster)
}

/** Every slot is led by its home and is on its replicas, which are the peers that are left. */
function settled(t: Test, cube: Engines, left: readonly string[]) {
  for (let slot = 0; slot <= SLOTS; slot++) {
    const primary = cube.primary(slot)
    if (primary === undefined) {
      t.fail(`slot ${slot} has no primary`)
      continue
    }
    const { engine } = cube.peer(primary)
    t.same(
      engine.roster.peers.map(({ id }) => id),
      left,
      `the roster of slot ${slot}'s primary`,
    )
    t.ok(engine.rosters.settles(slot, engine.status(slot).raft.configuration), `slot ${slot} has settled`)
    t.equal(primary, engine.status(slot).home, `slot ${slot} is led by its home`)
  }
  for (const id of left) t.same(cube.peer(id).fatal, [], `${id} is well`)
}

const data = (cube: Engines, id: string, slot: number, incarnation = 1) =>
  cube
    .peer(id)
    .engine.read(slot, incarnation, 1, 100, 1e9)
    .map(event => new TextDecoder().decode(event.data))

t.test('the last of three goes on with all it holds, and one that joins makes it whole', async t => {
  const { cube, recoveries } = await world(['00', '01', '10'])
  for (let slot = 0; slot < SLOTS; slot++) {
    await create(cube, slot)
    await publish(cube, slot, 'a', 'b')
  }
  await cube.clock.advance(500)
  for (const id of ['01', '10']) cube.crash(id)
  await cube.clock.advance(2_000)
  t.equal(cube.primary(0), undefined)

  const plan = await recoveries.recover('00', { lost: ['01', '10'], force: false })
  t.match(plan, { done: false, kept: 0, stuck: [], lost: [{ id: '01' }, { id: '10' }] })
  t.same(
    plan.slots.map(({ slot, peer }) => [slot, peer]),
    [0, 1, 2, 3, ROSTER].map(slot => [slot, '00']),
  )
  await cube.clock.advance(500)
  t.equal(cube.primary(0), undefined, 'a plan changes nothing')

  const done = await recoveries.recover('00', { lost: ['01', '10'] })
  t.match(done, { done: true, roster: { peers: [{ id: '00' }] } })
  t.same(
    recoveries.asked.slice(1).map(one => one.split(' ')[0]),
    ['report', 'clear', 'goOn', 'strike', 'adopt', 'goOn'],
    'the roster before the others',
  )
  await cube.clock.advance(100)
  settled(t, cube, ['00'])
  for (let slot = 0; slot < SLOTS; slot++) {
    t.match(await publish(cube, slot, 'c'), { kind: 'published', first: 3, incarnation: 1 })
    t.same(data(cube, '00', slot), ['a', 'b', 'c'])
  }
  const { engine, events } = cube.peer('00')
  t.ok(engine.roster.version > LIMITS.RECOVERY_SKIP)
  t.same(
    events.filter(({ kind }) => kind === 'recovered').map(event => 'slot' in event && event.slot),
    [ROSTER, 0, 1, 2, 3],
  )
  for (let slot = 0; slot <= SLOTS; slot++) {
    t.match(recoveries.warned.filter(({ fields }) => 'slot' in fields && fields.slot === slot).length, 1)
  }

  await join(cube, '01')
  await cube.clock.advance(3_000)
  settled(t, cube, ['00', '01'])
  t.same(data(cube, '01', 0), ['a', 'b', 'c'])
  t.ok(engine.roster.lastNumber! > LIMITS.RECOVERY_SKIP, 'no number of a lost peer is given again')

  await cube.restart('10')
  await cube.clock.advance(4_000)
  t.equal(cube.peer('10').engine.isLost(), true)
  cube.peer('10').engine.askForRoster('00')
  await cube.clock.advance(100)
  t.equal(cube.peer('10').removed, true, 'one of the lost that comes back learns that it is off the list')
})

t.test('of two that are left the better log goes on, and the other comes in as a learner', async t => {
  const { cube, recoveries } = await world(['000', '001', '010', '011', '100'])
  await create(cube, 0)
  await publish(cube, 0, 'a')
  const [home, second] = cube.peer(cube.primary(0)!).engine.status(0).replicas
  await cube.clock.advance(500)
  // Uncommitted: it reaches nobody. Whether that was so is not known when the others are gone.
  for (const id of ALL) cube.cut.add(`${home}>${id}`)
  await cube.append({ kind: 'publish', topic: 't0', events: text('tail') }, home).catch(() => {})
  cube.cut.clear()
  const roster = [...cube.peers.keys()].filter(id => id !== home && id !== second)
  for (const id of roster) cube.crash(id)
  await cube.clock.advance(1_500)
  const { slots } = await recoveries.recover(second!, { lost: roster })
  t.ok(slots.some(({ slot }) => slot === ROSTER))
  await cube.clock.advance(4_000)
  settled(t, cube, [home!, second!].sort())
  t.match(await publish(cube, 0, 'b'), { kind: 'published' })
  await cube.clock.advance(1_000)
  t.same(data(cube, home!, 0), data(cube, second!, 0))
  t.equal(data(cube, home!, 0)[0], 'a')
})

t.test('slots of which no copy is left begin anew, and no old cursor matches what is in them', async t => {
  const { cube, recoveries } = await world(ALL)
  for (const slot of [0, 3]) {
    await create(cube, slot)
    await publish(cube, slot, 'a')
  }
  const roster = cube.peer('000').engine.rosters
  // Every copy of slot 0 and every voter of the roster.
  const lost = [...new Set([...roster.order(0), ...roster.order(ROSTER)])].sort()
  const left = ALL.filter(id => !lost.includes(id))
  for (const id of lost) cube.crash(id)
  await cube.clock.advance(1_500)
  const { slots } = await recoveries.recover(left[0]!, { lost })
  t.match(
    slots.find(({ slot }) => slot === ROSTER),
    { last: 0 },
    'the roster is taken from what any peer knows',
  )
  t.match(
    slots.find(({ slot }) => slot === 0),
    { last: 0 },
  )
  await cube.clock.advance(4_000)
  settled(t, cube, left)
  t.equal(cube.peer(cube.primary(0)!).engine.topic(0, 't0'), undefined)
  const { result } = await create(cube, 0)
  t.ok(result.kind === 'created' && result.topic.incarnation > 1_000_000, 'far above all before')
  t.match(await publish(cube, 0, 'new'), { kind: 'published', first: 1 })
})

t.test('a copy that was begun and holds nothing is no copy', async t => {
  const { cube, recoveries } = await world(['00', '01', '10', '11'])
  await create(cube, 0)
  const order = cube.peer('00').engine.rosters.order(0)
  const outsider = ['00', '01', '10', '11'].find(id => !order.includes(id))!
  // Its primary makes the outsider a learner, and dies before it has the log.
  cube.onSend = (_, to, messages) => to !== outsider || messages.every(({ slot }) => slot !== 0)
  const change = { kind: 'leave', id: order[2]!, by: 't', why: 't' } as const
  await cube.append({ kind: 'roster', change }, cube.primary(ROSTER), ROSTER)
  await cube.clock.advance(2_000)
  t.ok(cube.peer(outsider).store.slots().includes(0), 'a beat has begun a copy')
  cube.onSend = () => true
  for (const id of order) cube.crash(id)
  await cube.clock.advance(1_500)
  const { slots } = await recoveries.recover(outsider, { lost: order })
  t.match(
    slots.find(({ slot }) => slot === 0),
    { peer: outsider, last: 0 },
  )
  await cube.clock.advance(2_000)
  settled(t, cube, [outsider])
  t.match((await create(cube, 0)).result, { kind: 'created' })
})

t.test('a recovery that stopped anywhere goes on when it is asked for again', async t => {
  for (const stop of [2, 3, 4, 5, 6]) {
    const { cube, recoveries } = await world(['0', '1'], 1)
    await create(cube, 0)
    cube.crash('0')
    await cube.clock.advance(1_500)
    recoveries.onAsk = () => {
      if (recoveries.asked.length === stop) throw new Error('the coordinator dies')
    }
    await t.rejects(
      recoveries.recover('1', { lost: ['0'] }),
      { code: 'RECOVERY_INCOMPLETE' },
      recoveries.asked.at(-1) as string,
    )
    recoveries.onAsk = () => {}
    await recoveries.recover('1', { lost: ['0'] })
    await cube.clock.advance(500)
    for (const slot of [0, 1]) t.equal(cube.primary(slot), '1', `slot ${slot}`)
    t.match(await publish(cube, 0, 'a'), { kind: 'published', first: 1 })
    t.same(
      cube.peer('1').engine.roster.peers.map(({ id }) => id),
      ['1'],
    )
  }
})

t.test('another peer goes on where a coordinator stopped that had the lost taken off the list', async t => {
  const { cube, recoveries } = await world(['000', '001', '010', '011', '100'])
  for (let slot = 0; slot < SLOTS; slot++) await create(cube, slot)
  await cube.clock.advance(500)
  const { rosters } = cube.peer('000').engine
  const orders = [0, 1, 2, 3].map(slot => rosters.order(slot))
  const lost = ['000', '010', '100']
  for (const id of lost) cube.crash(id)
  await cube.clock.advance(1_500)
  recoveries.onAsk = (_, { kind }) => {
    if (kind === 'adopt') throw new Error('the coordinator dies')
  }
  await t.rejects(recoveries.recover('001', { lost }), { code: 'RECOVERY_INCOMPLETE' })
  recoveries.onAsk = () => {}
  const { slots } = await recoveries.recover('011', { lost })
  t.notOk(
    slots.some(({ slot }) => slot === ROSTER),
    'the roster has gone on already',
  )
  await cube.clock.advance(4_000)
  settled(t, cube, ['001', '011'])
  for (const [slot, order] of orders.entries()) {
    const { engine } = cube.peer(cube.primary(slot)!)
    const isLeft = order.some(id => !lost.includes(id))
    t.equal(engine.topic(slot, `t${slot}`) !== undefined, isLeft, `slot ${slot}`)
  }
})

/** The outsider of slot 0 pulls its state and has a part of it when all but its primary die. */
async function halfPulled(t: Test, isCorrupt: boolean) {
  const few = { KEEP_LOG_ENTRIES: 10, COMPACT_EVERY_ENTRIES: 5, MAX_CACHED_LOG_BYTES: 1_000 }
  withLimits(t, { ...few, SNAPSHOT_CHUNK_BYTES: 200 })
  const ids = ['00', '01', '10', '11']
  const { cube, recoveries } = await world(ids, 1)
  await cube.append({ kind: 'create', topic: 't0', settings: anyTime })
  for (let at = 0; at < 20; at++) await publish(cube, 0, `${at}`.padEnd(100))
  const order = cube.peer('00').engine.rosters.order(0)
  const outsider = ids.find(id => !order.includes(id))!
  const left = cube.primary()!
  const lost = order.filter(id => id !== left)
  const { store } = cube.peer(outsider)
  const stage = store.stage.bind(store)
  let goOn = () => {}
  const held = new Promise<void>(resolve => {
    goOn = resolve
  })
  let chunks = 0
  store.stage = async (slot, records) => {
    await stage(slot, records)
    if (slot === 0 && ++chunks === 5) await held
  }
  const change = { kind: 'leave', id: lost[1]!, by: 't', why: 't' } as const
  await cube.append({ kind: 'roster', change }, cube.primary(1), 1)
  await cube.clock.advance(2_000)
  t.ok(store.staged(0) > 0, 'a part of it is here')
  for (const id of lost) cube.crash(id)
  await cube.clock.advance(2_000)
  if (isCorrupt) {
    cube.crash(outsider)
    const isRun = (key: string) => key.startsWith('r\u0000\u0000')
    t.ok(cube.peer(outsider).disk.corrupt(isRun, value => value.fill(7, 5)) > 0)
    await cube.restart(outsider)
  }
  return { cube, recoveries, left, lost, outsider, goOn }
}

t.test('a pull that is under way ends, and the next one leaves no hole', async t => {
  const { cube, recoveries, left, lost, outsider, goOn } = await halfPulled(t, false)
  await recoveries.recover(left, { lost })
  t.equal(cube.peer(outsider).store.staged(0), 0)
  goOn()
  await cube.clock.advance(5_000)
  t.equal(cube.peer(outsider).engine.topic(0, 't0')?.latest, 20)
  t.equal(data(cube, outsider, 0).length, 20)
  t.same(cube.peer(outsider).fatal, [])
})

t.test('a corrupt part of a snapshot takes its slot out of service, and the recovery goes on', async t => {
  const { cube, recoveries, left, lost, outsider } = await halfPulled(t, true)
  t.same([...cube.peer(outsider).engine.corrupt.keys()], [], 'nobody has looked at it yet')
  const { slots } = await recoveries.recover(left, { lost })
  t.ok(slots.some(({ slot, peer }) => slot === 0 && peer === left))
  t.same([...cube.peer(outsider).engine.corrupt.keys()], [0])
  t.same(cube.peer(outsider).fatal, [])
})

t.test('of two that coordinate at once one is told that its judgement is old', async t => {
  const { cube, recoveries } = await world(['0', '1'], 1)
  cube.crash('0')
  await cube.clock.advance(1_500)
  recoveries.onAsk = (_, { kind }) => {
    const { engine } = cube.peer('1')
    if (kind === 'goOn') engine.adopt({ ...engine.roster, version: engine.roster.version + 1 })
  }
  await t.rejects(recoveries.recover('1', { lost: ['0'] }), {
    code: 'RECOVERY_INCOMPLETE',
    message: /goes by version 2 of the roster, and version 1 was judged/,
  })
  t.equal(cube.primary(1), undefined)
  recoveries.onAsk = () => {}
  await recoveries.recover('1', { lost: ['0'] })
  t.equal(cube.primary(1), '1')
})

t.test('who is heard is not lost, though nobody finds it where it is listed', async t => {
  const { cube, recoveries } = await world(['00', '01', '10'])
  recoveries.unlisted.add('01').add('10')
  const notLost = { code: 'PEER_NOT_LOST', message: /Peer 01, 10 answers peer 00, or is heard there/ }
  await t.rejects(recoveries.recover('00', { lost: ['01', '10'] }), notLost)
  for (const id of ['01', '10']) cube.crash(id)
  const plan = await recoveries.recover('00', { lost: ['01', '10'], force: false })
  t.equal(plan.slots.length, SLOTS + 1, 'those that have just died are waited for')
})

t.test('who answers is not lost, and who is silent must be named', async t => {
  const { cube, recoveries } = await world(['00', '01', '10'])
  for (const id of ['01', '10']) cube.crash(id)
  await cube.clock.advance(2_000)
  await t.rejects(recoveries.recover('00', { lost: ['01'] }), { code: 'PEER_SILENT', message: /peer 10 at/ })
  await cube.restart('10')
  await cube.clock.advance(2_000)
  await t.rejects(recoveries.recover('00', { lost: ['01', '10'] }), { code: 'PEER_NOT_LOST' })
  await t.rejects(recoveries.recover('00', { lost: ['00', '01'] }), { code: 'PEER_NOT_LOST' })
  const plan = await recoveries.recover('00', { lost: ['01'], force: false })
  t.match(plan, { slots: [], kept: SLOTS + 1 }, 'two of three are a majority')
  t.equal(cube.peer('00').engine.roster.version, 1)
})
