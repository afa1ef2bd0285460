import t from 'tap'
import { Founding, FoundingError, StrangerError } from '../../services/peer/engine/founding.ts'
import { HypercastError } from '../../services/peer/errors.ts'
import { errorOf, listOf, type Step, started, World } from './founding-world.ts'

const IDS = ['00', '01', '10']

/** Takes the oldest steps until one satisfies `wanted`; that one is not taken. */
async function until(world: World, wanted: (step: Step) => boolean): Promise<Step> {
  await world.settle()
  for (let taken = 0; taken < 500; taken += 1) {
    const found = world.steps.find(wanted)
    if (found !== undefined) return found
    await world.take(world.steps[0]!)
  }
  throw new Error('it never comes to that')
}

const flushOf = (id: string) => (step: Step) => step.what === 'flush' && step.from === id

t.test('peers with the same list and empty stores found one cluster', async t => {
  const world = started('000', '001', '010', '011', '100')
  t.ok(await world.calm())
  t.same([...world.outcomes()], [['cluster-1', world.ids]])
  const roster = world.disks.get('011')!.roster!
  t.match(roster, { version: 1, clusterId: 'cluster-1', dimension: 3, slots: 64 })
  t.same(
    roster.peers.map(({ id, url, uid, number }) => ({ id, url, uid, number })),
    world.list.map(({ id, url }, place) => ({ id, url, uid: world.disks.get(id)!.uid, number: place + 1 })),
  )
  t.same(world.broken, [])
})

t.test('a lone peer founds only when told to', async t => {
  const world = new World(listOf('000'))
  const refused = world.start('000')
  await world.calm()
  t.type(errorOf(refused), FoundingError)
  t.match(errorOf(refused).message, /say --found/)
  world.start('000', { alone: true })
  await world.calm()
  t.same([...world.outcomes()], [['cluster-1', ['000']]])
  world.start('000', { list: [] })
  await world.calm()
  t.same([...world.outcomes()], [['cluster-1', ['000']]], 'the roster on disk needs no list')
})

t.test('nothing is founded while one listed peer has not answered, and everything once it has', async t => {
  const world = new World(listOf(...IDS))
  world.start('00')
  world.start('01')
  t.notOk(await world.calm(200))
  t.same([...world.clusters], [])
  t.ok(world.logged.some(({ message }) => message === 'founding waits for 10'))
  world.start('10')
  t.ok(await world.calm())
  t.same([...world.outcomes()], [['cluster-1', IDS]])
})

t.test('a waiting peer logs whom it waits for once, not every round', async t => {
  const world = new World(listOf(...IDS))
  world.start('00')
  await world.calm(300)
  t.equal(world.logged.length, 1)
})

t.test('plans that are no plans are refused before anything is asked', async t => {
  const cases = [
    [{ list: [] }, /no peers are given/],
    [{ list: listOf('01', '10') }, /which --peers does not name/],
    [{ list: listOf('01', '00') }, /sort the peers/],
    [{ slots: 10 }, /power of two/],
    [{ alone: true }, /--peers names others/],
  ] as const
  for (const [settings, expected] of cases) {
    const world = new World(listOf('00', '01'))
    const life = world.start('00', settings)
    await world.settle()
    t.type(errorOf(life), FoundingError)
    t.match(errorOf(life).message, expected)
    t.same(world.steps, [])
  }
})

t.test('peers with different lists do not found, and the message names the difference', async t => {
  const cases = [
    [
      { list: [...listOf('00', '01'), { id: '10', url: 'http://127.0.0.1:6000' }] },
      /10 is http:\/\/127.0.0.1:5557 here, http:\/\/127.0.0.1:6000 at 01/,
    ],
    [{ list: listOf('00', '01') }, /10=http:\/\/127.0.0.1:5557 only here/],
    [{ list: listOf('00', '01', '10', '11') }, /11=http:\/\/127.0.0.1:5558 only at 01/],
    [{ slots: 32 }, /64 slots here, 32 at 01/],
  ] as const
  for (const [settings, expected] of cases) {
    const world = new World(listOf(...IDS))
    const first = world.start('00')
    world.start('10')
    world.start('01', settings)
    await world.calm()
    t.type(errorOf(first), FoundingError)
    t.match(errorOf(first).message, expected)
    t.same([...world.clusters], [])
  }
})

t.test('a peer that answers where the list has another is an error that names both', async t => {
  const world = new World(listOf('00', '01'))
  const life = world.start('00')
  const list = listOf('01', '10')
  const wrong = new World(list)
  const other = wrong.start('10', { list })
  world.lives.set('01', other)
  await world.calm(10)
  t.match(errorOf(life).message, /is peer 01, but peer 10 answers there/)
})

t.test('two stores with the same uid are not founded', async t => {
  const world = new World(listOf('00', '01'))
  world.disks.set('01', { ...world.disks.get('00')! })
  const life = world.start('00')
  world.start('01')
  await world.calm(100)
  t.match(errorOf(life).message, /one data folder is a copy of the other/)
})

t.test(
  'a founder that dies before its roster is durable leaves all empty, and founding starts anew',
  async t => {
    const world = started(...IDS)
    await until(world, flushOf('00'))
    world.crash('00')
    t.equal(world.disks.get('00')!.roster, null)
    world.start('00')
    t.ok(await world.calm())
    t.same([...world.outcomes()], [['cluster-2', IDS]])
    t.same([...world.clusters], ['cluster-2'])
  },
)

t.test('a founder that dies after its roster is durable founds nothing else when it returns', async t => {
  const world = started(...IDS)
  await world.take(await until(world, flushOf('00')), true)
  t.notOk(world.alive('00'))
  t.equal(world.disks.get('00')!.roster?.clusterId, 'cluster-1')
  world.start('00')
  t.ok(await world.calm())
  t.same([...world.outcomes()], [['cluster-1', IDS]])
})

t.test('the founder takes no part before everybody has the roster, but after a restart it does', async t => {
  const world = started(...IDS)
  await world.take(await until(world, flushOf('00')))
  world.crash('10')
  t.notOk(await world.calm(300))
  t.same(
    [...world.outcomes()],
    [
      ['waiting', ['00', '10']],
      ['cluster-1', ['01']],
    ],
  )
  world.crash('00')
  world.start('00')
  t.ok(await world.calm())
  world.start('10')
  t.ok(await world.calm())
  t.same([...world.outcomes()], [['cluster-1', IDS]])
  t.same(world.broken, [])
})

t.test('a peer that was away while the others founded is given the roster that names it', async t => {
  const world = started(...IDS)
  await world.take(await until(world, flushOf('00')))
  world.crash('10')
  await world.calm(300)
  world.crash('00')
  world.start('10')
  t.ok(await world.calm(), 'from 01: the founder is down')
  t.same(world.disks.get('10')!.roster?.clusterId, 'cluster-1')
})

t.test('a peer wiped after it answered is a stranger, and the others go on without it', async t => {
  const world = started(...IDS)
  await until(world, flushOf('00'))
  world.crash('10')
  world.wipe('10')
  const wiped = world.start('10')
  t.ok(await world.calm())
  t.same(
    [...world.outcomes()],
    [
      ['cluster-1', ['00', '01']],
      ['stranger', ['10']],
    ],
  )
  t.match(errorOf(wiped).message, /knows peer 10 with another store .* data folder it had/)
  t.ok(
    world.logged.some(
      ({ id, level, message }) => id === '00' && level === 'error' && /lost its store/.test(message),
    ),
  )
})

t.test('a wiped founder is a stranger to those it founded', async t => {
  const world = started(...IDS)
  await world.calm()
  world.crash('00')
  world.wipe('00')
  const wiped = world.start('00')
  t.ok(await world.calm())
  t.type(errorOf(wiped), StrangerError)
  t.equal(errorOf(wiped) instanceof HypercastError && (errorOf(wiped) as HypercastError).code, 'STRANGER')
  t.same([...world.clusters], ['cluster-1'])
})

t.test('a wiped founder does not found while one of the others is away', async t => {
  const world = started(...IDS)
  await world.calm()
  for (const id of IDS) world.crash(id)
  world.wipe('00')
  world.wipe('01')
  world.start('00')
  world.start('01')
  t.notOk(await world.calm(300))
  t.same([...world.clusters], ['cluster-1'])
  world.start('10')
  t.ok(await world.calm())
  t.same(
    [...world.outcomes()],
    [
      ['stranger', ['00', '01']],
      ['cluster-1', ['10']],
    ],
  )
})

t.test('an answer of a store that was replaced meanwhile does not count', async t => {
  const world = started('00', '01')
  await world.calm(0)
  const isAnswer = (step: Step) => step.what === 'answer' && step.from === '00'
  const answer = await until(world, isAnswer)
  world.crash('01')
  world.wipe('01')
  world.start('01')
  await world.settle()
  const newcomers = world.steps.filter(step => step.what === 'request' && step.from === '01')
  await world.take(newcomers.at(-1)!)
  await world.take(answer)
  t.same([...world.clusters], [])
  t.ok(await world.calm())
  t.same([...world.outcomes()], [['cluster-1', ['00', '01']]])
  t.equal(world.disks.get('00')!.roster!.peers[1]!.uid, world.disks.get('01')!.uid)
})

t.test('a peer of a founded cluster has no place for one that its roster does not list', async t => {
  const world = new World(listOf(...IDS))
  for (const id of ['00', '01']) world.start(id, { list: listOf('00', '01') })
  await world.calm()
  const life = world.start('10')
  await world.calm(50)
  t.type(errorOf(life), StrangerError)
  t.match(errorOf(life).message, /which has no peer 10/)
})

t.test('bodies that are no statements are refused with what is wrong, and cost nothing', async t => {
  const world = started('00', '01')
  await world.settle()
  const { founding } = world.lives.get('00')!
  const said = {
    format: 1,
    id: '01',
    uid: 'u',
    kind: 'empty',
    plan: { dimension: 2, slots: 64, list: listOf('00') },
  }
  const bad: [unknown, RegExp][] = [
    [null, /must be an object/],
    [[], /must be an object/],
    [{ ...said, format: 2 }, /format 1/],
    [{ ...said, id: 7 }, /id/],
    [{ ...said, uid: '' }, /uid/],
    [{ ...said, kind: 'maybe' }, /empty or founded/],
    [{ ...said, plan: { ...said.plan, list: [{}] } }, /peer id/],
    [{ ...said, kind: 'founded', roster: { version: 1 } }, /clusterId/],
  ]
  for (const [body, expected] of bad)
    t.throws(() => founding.answer(body), { code: 'INVALID_REQUEST', message: expected })
  t.equal(founding.answer(said).kind, 'empty')
  t.equal(founding.answer({ ...said, id: '11' }).kind, 'empty', 'one that is not listed is answered too')
})

t.test('an answer that cannot be read is waited out like a silence', async t => {
  const world = new World(listOf('00', '01'))
  world.start('00')
  world.lives.set('01', {
    founding: { answer: () => ({ hello: 1 }) } as unknown as Founding,
    abort: new AbortController(),
    alive: true,
    minted: false,
    outcome: undefined,
  })
  t.notOk(await world.calm(100))
  t.ok(world.alive('00'))
})

t.test('founding ends with the signal’s reason, while asking and while waiting', async t => {
  for (const stepsBefore of [0, 3]) {
    const world = new World(listOf('00', '01'))
    const life = world.start('00')
    await world.calm(stepsBefore)
    life.abort.abort(new Error('stopping'))
    await world.settle()
    t.equal(errorOf(life).message, 'stopping')
  }
})

t.test('a disk that cannot keep the roster ends founding with its error', async t => {
  const founding = new Founding({
    self: '0',
    list: listOf('0'),
    dimension: 1,
    slots: 64,
    alone: true,
    store: {
      identity: { uid: 'u', boot: 1 },
      roster: () => null,
      writeRoster: () => Promise.reject(new Error('disk full')),
    },
    ask: () => Promise.reject(new Error('nobody')),
    clock: { after: () => () => {} },
    uuid: () => 'c',
    log: { debug() {}, info() {}, warn() {}, error() {} },
  })
  await t.rejects(founding.run(new AbortController().signal), { message: 'disk full' })
})
