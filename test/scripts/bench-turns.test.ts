import t from 'tap'
import { inTurn, type LongTurn, readCounters, readFaults, summary } from '../../scripts/lib/bench/turns.ts'
import { verdicts } from '../../scripts/lib/bench/verdicts.ts'

const counters = { atUs: 5_000_000, ms: 1_000, cpuMs: 10, waitedMs: 20, majorFaults: 1, stolenMs: 30 }
const turn = (changes: Partial<LongTurn>): LongTurn => ({
  ...{ atUs: 1, fromMs: 0, toMs: 0, wallMs: 0, cpuMs: 0, waitedMs: 0, sleptMs: 0 },
  ...{ majorFaults: 0, stolenMs: 0, ...changes },
})

t.test('what the kernel counts is read', async t => {
  t.same(readCounters('1500000 250000 17\n'), { cpuMs: 1.5, waitedMs: 0.25 })
  const fields = Array.from({ length: 50 }, (_, at) => at + 3)
  // proc(5): field 12 is majflt; the name may have blanks and brackets.
  const found = readFaults(`77 (a ) b) ${fields.join(' ')}\n`, 'cpu  1 2 3 4 5 6 7 88 9 10\ncpu0 1 1\n')
  t.same(found, { majorFaults: 12, stolenMs: 880 })
})

t.test('a turn is what a thread worked, waited for a core and slept', async t => {
  const now = { atUs: 5_150_000, ms: 1_150, cpuMs: 21, waitedMs: 140, majorFaults: 3, stolenMs: 40 }
  t.same(inTurn(counters, now, 4), {
    ...{ atUs: 5_150_000, fromMs: 1_000, toMs: 1_150, wallMs: 146, cpuMs: 11, waitedMs: 120, sleptMs: 15 },
    ...{ majorFaults: 2, stolenMs: 10 },
  })
  t.equal(inTurn(counters, { ...now, waitedMs: 170 }, 4).sleptMs, 0, 'what the timer slept is no part of it')
})

t.test(
  'the longest turn by the clock is told, and the loop is blocked for what it did not wait for a core',
  async t => {
    const turns = [
      turn({ atUs: 10, fromMs: 100, toMs: 250, wallMs: 146, cpuMs: 11, waitedMs: 120, sleptMs: 15 }),
      turn({ atUs: 20, wallMs: 110, cpuMs: 60, waitedMs: 5, sleptMs: 45 }),
      turn({ atUs: 30, wallMs: 500, cpuMs: 500 }),
    ]
    const pauses = [
      { fromMs: 90, ms: 15 },
      { fromMs: 200, ms: 7 },
      { fromMs: 248, ms: 9 },
      { fromMs: 300, ms: 50 },
    ]
    const found = summary({ turns, pauses }, 5, 25, 100)
    t.match(found, {
      longest: { wallMs: 146, cpuMs: 11, waitedMs: 120, collectingMs: 14 },
      mostBlockedMs: 105,
      mostCpuMs: 60,
      over: 2,
      blockedOver: 1,
    })
    t.match(summary({ turns, pauses }, 5, 15, 100), { mostBlockedMs: 26, over: 1, blockedOver: 0 })
    t.match(summary({ turns: [], pauses }, 5, 15, 100), { longest: { wallMs: 0 }, mostBlockedMs: 0, over: 0 })
    const mostBlocked = (one: LongTurn) => summary({ turns: [one], pauses }, 0, 1e9, 100).mostBlockedMs
    t.equal(
      mostBlocked(turn({ wallMs: 43, cpuMs: 18, waitedMs: 30 })),
      18,
      'also worked before the timer was due',
    )
    const still = { ...counters, ...readCounters(''), ...readFaults('', '') }
    t.equal(mostBlocked(inTurn(still, { ...still, ms: still.ms + 150 }, 4)), 146, 'nothing is excused unseen')
    const storm = (from: number, to: number) => ({
      ...{ subscribers: 1, history: 1, seconds: 1, deliveries: 1, violations: [] },
      turns: [{ peer: '0', ...summary({ turns, pauses }, from, to, 100) }],
    })
    t.match(verdicts({ storm: storm(5, 15) })[1], {
      isPass: true,
      measured: /^26 ms.* 146 ms, of them 120 ms/,
    })
    t.match(verdicts({ storm: storm(5, 25) })[1], { isPass: false, measured: /^105 ms/ })
  },
)
