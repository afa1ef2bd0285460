import t from 'tap'
import type { Roster } from '../../services/peer/cube/roster.ts'
import { FoundingError, StrangerError } from '../../services/peer/engine/founding.ts'
import { errorOf, listOf, started } from './founding-world.ts'

t.test('the roster on disk counts, but a list that contradicts it is an error that names both', async t => {
  const world = started('00', '01')
  await world.calm()
  world.crash('00')
  const moved = world.start('00', { list: [listOf('00')[0]!, { id: '01', url: 'http://127.0.0.1:7001' }] })
  await world.settle()
  t.type(errorOf(moved), FoundingError)
  t.match(
    errorOf(moved).message,
    /01 is http:\/\/127.0.0.1:7001 here, http:\/\/127.0.0.1:5556 in the data folder/,
  )
  const more = world.start('00', { list: listOf('00', '01', '10') })
  await world.settle()
  t.match(errorOf(more).message, /10=http:\/\/127.0.0.1:5557 only here/)
  for (const settings of [{}, { slots: 128 }, { list: [] }]) {
    world.start('00', settings)
    t.ok(await world.calm(), JSON.stringify(settings))
    t.equal(world.outcomes().get('cluster-1')?.length, 2)
  }
})

t.test('a peer may come back at another address: the others are told when it runs', async t => {
  const world = started('00', '01')
  await world.calm()
  world.crash('00')
  const list = [{ id: '00', url: 'http://127.0.0.1:7000' }, listOf('00', '01')[1]!]
  const life = world.start('00', { list })
  await world.settle()
  t.ok('roster' in life.outcome!, JSON.stringify(life.outcome))
})

t.test('a later version of the roster has moved on from the list', async t => {
  const world = started('00', '01')
  await world.calm()
  const disk = world.disks.get('00')!
  const roster: Roster = { ...disk.roster!, version: 2, peers: disk.roster!.peers.slice(0, 1) }
  disk.roster = roster
  const life = world.start('00')
  await world.settle()
  t.same(life.outcome, { roster })
})

t.test('a data folder of another peer or another cluster is recognised', async t => {
  const world = started('00', '01')
  await world.calm()
  const foreign = world.disks.get('01')!
  world.disks.set('00', foreign)
  const other = world.start('00')
  await world.settle()
  t.match(errorOf(other).message, /belongs to peer 01 .* started as 00/)
  world.disks.set('00', { uid: 'unknown', boot: 0, roster: foreign.roster })
  const stranger = world.start('00')
  await world.settle()
  t.type(errorOf(stranger), StrangerError)
})

t.test('an empty store under another label than the cluster knows it by is told so', async t => {
  const world = started('00', '01')
  await world.calm()
  world.disks.set('00', { uid: world.disks.get('01')!.uid, boot: 0, roster: null })
  const life = world.start('00')
  await world.calm(20)
  t.match(errorOf(life).message, /knows this store as peer 01, not as 00/)
})
