import t from 'tap'
import { Liveness } from '../../services/peer/engine/liveness.ts'
import type { Beat, CubeEvent, DialResult } from '../../services/peer/engine/types.ts'
import { FakeClock } from './fake-clock.ts'

const settings = { tickMs: 50, heartbeatMs: 100, electionMs: 1_000, reclaimAfterMs: 500, diskReserveBytes: 0 }
const quiet = { debug() {}, info() {}, warn() {}, error() {} }

function beat(clock: FakeClock, boot = 1): Beat {
  return {
    uid: 'u',
    boot,
    to: 'uid',
    rosterVersion: 1,
    nowMs: clock.nowMs(),
    lowDisk: false,
    stopping: false,
    leads: [],
    follows: [],
  }
}

function setUp() {
  const clock = new FakeClock()
  const dials: { peer: string; answer: (result: DialResult) => void }[] = []
  const gone: string[] = []
  const events: CubeEvent[] = []
  const partners = new Set(['001', '010'])
  const liveness = new Liveness({
    clock,
    settings,
    log: quiet,
    isPartner: peer => partners.has(peer),
    dial: peer => new Promise(answer => dials.push({ peer, answer })),
    gone: peer => gone.push(peer),
    event: event => events.push(event),
  })
  liveness.list([listed('001'), listed('010')])
  return { clock, dials, gone, events, partners, liveness, kinds: () => events.map(event => event.kind) }
}

const listed = (id: string, uid = `uid-${id}`, url = `http://${id}.test`) => ({ id, uid, url })

t.test('a refused dial is evidence that the process is gone', async t => {
  const { clock, dials, gone, liveness, kinds } = setUp()
  liveness.heard('001', beat(clock))
  liveness.suspect('001')
  t.equal(liveness.state('001'), 'up', 'a closed connection alone is evidence of nothing')
  dials[0]?.answer('refused')
  await clock.settle()
  t.same(gone, ['001'])
  t.equal(liveness.state('001'), 'down')
  t.same(kinds(), ['failed'])
})

t.test('an open or silent dial changes nothing', async t => {
  for (const result of ['open', 'silent'] as const) {
    const { clock, dials, gone, liveness, kinds } = setUp()
    liveness.heard('001', beat(clock))
    liveness.suspect('001')
    dials[0]?.answer(result)
    await clock.settle()
    t.same(gone, [])
    t.equal(liveness.state('001'), 'up')
    t.same(kinds(), [])
  }
})

t.test('one dial at a time, and one more when a close came during it', async t => {
  const { clock, dials, liveness } = setUp()
  liveness.heard('001', beat(clock))
  liveness.suspect('001')
  liveness.suspect('001')
  liveness.suspect('001')
  t.equal(dials.length, 1)
  dials[0]?.answer('open')
  await clock.settle()
  t.equal(dials.length, 2)
  dials[1]?.answer('open')
  await clock.settle()
  t.equal(dials.length, 2)
})

t.test('a peer that was never heard is given up without a word when its port refuses', async t => {
  const { clock, dials, gone, liveness, kinds } = setUp()
  liveness.suspect('010')
  dials[0]?.answer('refused')
  await clock.settle()
  t.same(gone, ['010'])
  t.same(kinds(), [])
})

t.test('a new boot number is evidence that the process before is gone', t => {
  const { clock, gone, liveness, kinds } = setUp()
  liveness.heard('001', beat(clock, 1))
  liveness.heard('001', beat(clock, 2))
  t.same(gone, ['001'])
  t.equal(liveness.state('001'), 'up')
  t.same(kinds(), ['failed', 'rejoined'])
  t.end()
})

t.test('silence makes a peer suspected, a beat makes it steady anew', async t => {
  const { clock, gone, liveness, kinds } = setUp()
  liveness.heard('001', beat(clock))
  await clock.advance(900)
  liveness.tick()
  t.equal(liveness.state('001'), 'up')
  t.equal(liveness.steadyForMs('001'), 900)
  await clock.advance(200)
  liveness.tick()
  t.equal(liveness.state('001'), 'suspected')
  t.equal(liveness.steadyForMs('001'), 0)
  t.same(gone, [], 'silence is judged by each slot, not here')
  liveness.heard('001', beat(clock))
  await clock.advance(300)
  t.equal(liveness.steadyForMs('001'), 300)
  t.same(kinds(), ['suspected', 'rejoined'])
})

t.test('the skew of a clock is known while its peer is up', t => {
  const { clock, liveness } = setUp()
  t.equal(liveness.skewMs('001'), undefined)
  liveness.heard('001', { ...beat(clock), nowMs: clock.nowMs() + 7_000, lowDisk: true })
  t.equal(liveness.skewMs('001'), 7_000)
  t.equal(liveness.lowDisk('001'), true)
  t.end()
})

t.test(
  'silence is counted from the listing for a peer that was never heard, and is over when it is',
  async t => {
    const { clock, liveness } = setUp()
    await clock.advance(5_000)
    t.equal(
      liveness.silentForMs('001'),
      5_000,
      'a peer that starts later than another died finds it out, too',
    )
    liveness.heard('001', beat(clock))
    t.equal(liveness.silentForMs('001'), 0)
    await clock.advance(3_000)
    t.equal(liveness.silentForMs('001'), 0, 'up until it is suspected')
    liveness.tick()
    t.equal(liveness.silentForMs('001'), 3_000)
    t.equal(liveness.silentForMs('111'), 0, 'of a peer that is not listed nothing is known')
  },
)

t.test('each store has a silence of its own', async t => {
  const { clock, liveness } = setUp()
  await clock.advance(5_000)
  liveness.list([listed('001'), listed('010', 'another')])
  t.equal(
    liveness.silentForMs('001'),
    5_000,
    'a new version of the roster changes nothing for those it lists',
  )
  t.equal(liveness.silentForMs('010'), 0, 'a store in the place of another begins anew')
  await clock.advance(1_000)
  t.equal(liveness.silentForMs('010'), 1_000)
  liveness.list([listed('001')])
  liveness.list([listed('010', 'another')])
  t.equal(liveness.silentForMs('010'), 0, 'and so does one that was off the list')
})

t.test('of a peer that is no partner any more nothing is believed, and it is not suspected', async t => {
  const { clock, dials, partners, liveness, kinds } = setUp()
  for (const peer of ['001', '010']) liveness.heard(peer, beat(clock))
  liveness.suspect('010')
  dials[0]?.answer('refused')
  await clock.settle()
  partners.clear()
  await clock.advance(settings.electionMs)
  liveness.tick()
  t.equal(liveness.state('001'), 'up', 'as it was heard')
  await clock.advance(1)
  liveness.tick()
  t.equal(liveness.state('001'), 'unknown')
  t.equal(liveness.state('010'), 'unknown', 'nobody would tell that it is back')
  t.same(kinds(), ['failed'])
  partners.add('001')
  liveness.heard('001', beat(clock, 2))
  t.equal(liveness.state('001'), 'up')
  t.same(kinds(), ['failed'], 'it is a partner anew, and has not come back')
})

t.test('a peer that becomes a partner has been silent since then, however long it is listed', async t => {
  const { clock, partners, liveness } = setUp()
  partners.delete('010')
  for (let at = 0; at < 100; at++) {
    await clock.advance(500)
    liveness.tick()
  }
  partners.add('010')
  t.ok(liveness.silentForMs('010') <= settings.electionMs, `${liveness.silentForMs('010')} ms`)
  t.equal(liveness.silentForMs('001'), 50_000, 'a partner that was never heard is silent since it is listed')
})

t.test('what became of a dial to another store, or to another address, says nothing', async t => {
  for (const now of [listed('001', 'another'), listed('001', 'uid-001', 'http://moved.test')]) {
    const { clock, dials, gone, liveness } = setUp()
    liveness.heard('001', beat(clock))
    liveness.suspect('001')
    liveness.list([now, listed('010')])
    dials[0]!.answer('refused')
    await clock.advance(1)
    t.same(gone, [])
    t.equal(liveness.state('001'), 'unknown')
  }
})
