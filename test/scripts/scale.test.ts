import t from 'tap'
import { check, FORMULAS, type Formula } from '../../scripts/lib/scale/formulas.ts'
import { type Figures, measure } from '../../scripts/lib/scale/measure.ts'
import { measurePlacing } from '../../scripts/lib/scale/placing.ts'
import { plot } from '../../scripts/lib/scale/plot.ts'
import { plots } from '../../scripts/lib/scale/plots.ts'
import { defaults } from '../../scripts/lib/scale/settings.ts'
import { formulasTable } from '../../scripts/lib/scale/tables.ts'
import { Tally } from '../../scripts/lib/scale/tally.ts'

const SEED = 7
const settings = { ...defaults(), slots: 8 }

const { realMs: _, ...five } = await measure(5, SEED, settings)

t.test('a cube of five peers costs what can be counted by hand', async t => {
  t.match(five, { peers: 5, dimension: 3, intervalS: 0.3, electionMs: 1_000 })
  t.same(
    five.placing.links,
    { least: 2, mean: 2.8, most: 3 },
    '000 to 011 have an edge each to two others; 100 to two',
  )
  t.same(five.rest.partners, { least: 4, mean: 4, most: 4 }, 'all five hold the roster')
  t.match(five.rest, { exchangesPerInterval: 1, strangers: 0, otherMessages: 0 })
  t.match(five.hops, { requests: 20, isComplete: true, most: 2, reachable: 20, reached: 20, inVain: 0 })
  t.equal(five.hops.mean, 26 / 20, '14 of the 20 ways are links, 6 have two hops')
  t.match(five.events, { followed: 2, followedMost: 1, raft: 6, wrong: 0 }, 'two peers have no replica')
  t.match(five.events, { trunksMost: 1, marksPerS: 2 }, 'both get all three topics by one trunk')
  t.equal(five.events.publish, 2 * five.events.publishHops, 'each hop there and back')
  t.ok(
    five.failover.killed.most < five.failover.silent.least,
    'a closed connection tells sooner than silence',
  )
  t.match(five.losses, { dead: 1, alive: 9, led: 9, hops: { reachable: 12, reached: 12 } })
  t.same(
    check(five as Figures).filter(({ holds }) => !holds),
    [],
  )
})

t.test('the same seed gives the same figures', async t => {
  const { realMs: _, ...again } = await measure(5, SEED, settings)
  t.same(again, five)
})

t.test('a formula that the figures go beyond, or do not meet, does not hold', async t => {
  const figures = five as Figures
  const broken = (doctored: Figures) =>
    check(doctored)
      .filter(({ holds }) => !holds)
      .map(({ formula }) => formula.what)
  t.same(broken({ ...figures, hops: { ...figures.hops, most: 4 } }), ['hops of a request, most'])
  t.same(broken({ ...figures, hops: { ...figures.hops, reached: 19 } }), [
    'requests not answered, or sent on in vain',
  ])
  t.same(broken({ ...figures, events: { ...figures.events, raft: 7 } }), ['an event: among its replicas'])
  t.same(broken({ ...figures, events: { ...figures.events, followedMost: 2 } }), [
    'an event on one edge between peers, however many subscribers are behind it, most',
  ])
  const rest = { ...figures.rest, exchangesPerInterval: 1.05, strangers: 1 }
  t.same(broken({ ...figures, rest }), [
    'heartbeat exchanges of a pair in an interval, most',
    'pairs that exchange heartbeats and share neither link nor slot',
  ])
  const never: Formula = { what: 'peers', formula: '4', measured: ({ peers }) => peers, allowed: () => 4 }
  const checks = check(figures, [never])
  t.match(checks, [{ peers: 5, measured: 5, allowed: 4, isExact: false, holds: false }])
  t.match(formulasTable(checks), 'not at 5')
  t.equal(new Set(FORMULAS.map(({ what }) => what)).size, FORMULAS.length, 'each says something else')
})

t.test('what moves is counted in shares of homes and of replicas', async t => {
  const four = measurePlacing(4, 8)
  t.same(four.homes, { least: 2, mean: 2, most: 2 })
  t.same(four.replicas, { least: 6, mean: 6, most: 6 })
  t.same(four.joined, { homes: 1 / 4, replicas: 1 / 4 }, '11 takes its own corner')
  t.same(four.left.most, { homes: 1 / 4, replicas: 1 / 4 })
  t.same(
    measurePlacing(3, 8).left.mean,
    { homes: 1 / 3, replicas: 0 },
    'the two that are left have a replica of all',
  )
})

t.test('messages are counted by kind, by pair and by connection', async t => {
  const tally = new Tally()
  tally.exchange('0', '1')
  tally.message('heartbeat', '0', '1')
  tally.message('heartbeat', '0', '1')
  tally.message('raft', '1', '0')
  tally.message('raft', '1', '2')
  t.match(tally.messages, { heartbeat: 2, raft: 2, operation: 0 })
  t.same(Object.fromEntries(tally.exchangesByPeer()), { '0': 1, '1': 1 })
  t.same(Object.fromEntries(tally.connectionsByPeer()), { '0': 2, '1': 3, '2': 1 })
  tally.followed('1', '0', 'a', 1)
  tally.followed('1', '0', 'a', 1)
  tally.followed('2', '0', 'a', 1)
  t.equal(tally.followedEvents, 3)
  t.same([...tally.copies.values()], [2, 1])
  tally.reset()
  t.equal(tally.copies.size, 0)
  t.match(tally.messages, { heartbeat: 0, raft: 0 })
  t.equal(tally.connectionsByPeer().size, 0)
})

t.test('a plot has a dot for each figure, and a formula none', async t => {
  const points = [
    { x: 4, y: 0 },
    { x: 8, y: 10 },
    { x: 16, y: 100 },
  ]
  const axes = { title: 'a < b & c', xLabel: 'peers', yLabel: 'hops' }
  const dots = (svg: string) => svg.match(/<circle/g)?.length
  const linear = plot({ ...axes, yScale: 'linear', series: [{ name: 'one', kind: 'measured', points }] })
  t.equal(dots(linear), 3)
  t.match(linear, 'a &lt; b &amp; c')
  const log = plot({ ...axes, yScale: 'log', series: [{ name: 'one', kind: 'measured', points }] })
  t.equal(dots(log), 2, 'there is no logarithm of 0')
  t.match(log, /cx="540\.0" cy="40\.0"/, 'the greatest is at the top right')
  const formula = plot({ ...axes, yScale: 'log', series: [{ name: 'one', kind: 'formula', points }] })
  t.equal(dots(formula), undefined)
  t.throws(() => plot({ ...axes, yScale: 'log', series: [] }), RangeError)
  for (const svg of plots([five as Figures]).values()) t.match(svg, /^<svg [\s\S]*<\/svg>\n$/)
})
