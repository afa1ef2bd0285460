import tap from 'tap'
import { figures, gapsOf, type Spell } from '../../scripts/lib/chaos/availability.ts'

const spell: Spell = {
  kind: 'kill',
  topic: 'a',
  probedMs: 500,
  beganMs: 1_000,
  endedMs: 3_000,
  healedMs: 5_000,
}

/** Acknowledgements every 40 ms from `fromMs` to `toMs`. */
function steady(fromMs: number, toMs: number): number[] {
  return Array.from({ length: Math.floor((toMs - fromMs) / 40) + 1 }, (_, index) => fromMs + index * 40)
}

tap.test('without a gap the spacing of the probes is measured', async t => {
  t.same(gapsOf(spell, steady(0, 6_000)), { kind: 'kill', faultMs: 40, returnMs: 40 })
})

tap.test('a gap is counted with the fault or with the return, by where it begins', async t => {
  const acks = [...steady(0, 1_000), ...steady(1_310, 3_110), ...steady(3_360, 6_000)]
  t.same(gapsOf(spell, acks), { kind: 'kill', faultMs: 310, returnMs: 250 })
})

tap.test('a gap over the end of the fault is one of the fault', async t => {
  const acks = [...steady(0, 2_000), ...steady(4_000, 6_000)]
  t.same(gapsOf(spell, acks), { kind: 'kill', faultMs: 2_000, returnMs: 40 })
})

tap.test('gaps outside of the spell do not count', async t => {
  const acks = [0, ...steady(800, 5_200), 9_000]
  t.same(gapsOf(spell, [0, ...steady(1_200, 5_200)]), { kind: 'kill', faultMs: 200, returnMs: 40 })
  t.same(gapsOf(spell, acks), { kind: 'kill', faultMs: 40, returnMs: 40 })
})

tap.test('a topic that never comes back is unavailable to the end of the spell', async t => {
  t.same(gapsOf(spell, steady(0, 1_000)), { kind: 'kill', faultMs: 4_000, returnMs: 0 })
  t.same(gapsOf(spell, []), { kind: 'kill', faultMs: 4_000, returnMs: 0 })
})

tap.test('the figures of each kind are median, 99th percentile and longest', async t => {
  const gaps = Array.from({ length: 100 }, (_, index) => ({
    kind: 'kill' as const,
    faultMs: index + 1,
    returnMs: 7,
  }))
  const [kill, pause] = figures([...gaps, { kind: 'pause', faultMs: 900, returnMs: 80 }])
  t.same(kill, {
    kind: 'kill',
    spells: 100,
    fault: { medianMs: 50, p99Ms: 99, maxMs: 100 },
    return: { medianMs: 7, p99Ms: 7, maxMs: 7 },
  })
  t.same(pause?.fault, { medianMs: 900, p99Ms: 900, maxMs: 900 })
})
