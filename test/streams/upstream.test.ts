import t from 'tap'
import { LIMITS } from '../../services/peer/limits.ts'
import type { SlotNews } from '../../services/peer/streams/slot-source.ts'
import type { LineListener, SlotFrame } from '../../services/peer/streams/trunk.ts'
import { Upstream } from '../../services/peer/streams/upstream.ts'
import { ManualClock } from './clock.ts'

interface FakeLine {
  readonly peer: string
  readonly wants: Set<string>
  readonly listener: LineListener
  isOpen: boolean
}

/** An upstream whose parents are the test's. */
function setUp(...parents: string[]) {
  const clock = new ManualClock()
  const lines: FakeLine[] = []
  const told: string[] = []
  const place = { isHere: false, asked: 0 }
  const news: SlotNews = {
    wanted: () => true,
    covered: (wants, { sequence }) => told.push(`covered ${wants} ${sequence}`),
    events: (_topic, events) => told.push(`event ${events[0]!.sequence}`),
    ended: topic => told.push(`ended ${topic}`),
    passed: ({ sequence }) => told.push(`passed ${sequence}`),
    interrupted: () => told.push('interrupted'),
    lost: () => told.push('lost'),
  }
  const trunk = (peer: string) => ({
    peer,
    attach: (_slot: number, listener: LineListener) => {
      const line: FakeLine = { peer, listener, wants: new Set(), isOpen: true }
      lines.push(line)
      return {
        add: (want: string) => line.wants.add(want),
        remove: (want: string) => line.wants.delete(want),
        below() {},
        close: () => {
          line.isOpen = false
        },
      }
    },
  })
  const upstream = new Upstream({
    ...{ slot: 7, news, clock, random: () => 0.5, parents: () => parents },
    isHere: () => place.isHere,
    trunk: peer => trunk(peer) as never,
    askPrimary: () => {
      place.asked += 1
    },
  })
  const beat = async (times: number) => {
    for (let count = 0; count < times; count += 1) {
      await clock.advance(LIMITS.FOLLOW_MARK_MS)
      upstream.beat()
    }
  }
  return { clock, lines, told, parents, place, upstream, beat }
}

function covered(sequence: number, ...wants: string[]): SlotFrame {
  return {
    ...{ kind: 'covered', slot: 7, turn: 1, wants, incarnation: 1, rows: [] },
    position: { sequence, index: 1 },
  }
}

function event(sequence: number): SlotFrame {
  const events = [{ offset: sequence, incarnation: 1, sequence, timeMs: 1, data: new Uint8Array() }]
  return { kind: 'events', slot: 7, topic: 'a', index: sequence, events }
}

const mark = (sequence: number, led = true) => ({
  ...{ slot: 7, led, depth: 0 },
  position: { sequence, index: 1 },
})

t.test(
  'a parent that covers nothing in time is left for the next, and in the end the primary looked for',
  async t => {
    const { lines, told, place, upstream, beat } = setUp('000', '001')
    upstream.want('a')
    t.same(
      lines.map(({ peer }) => peer),
      ['000'],
    )
    const patience = LIMITS.PARENT_PATIENCE_MS / LIMITS.FOLLOW_MARK_MS
    await beat(patience + 1)
    t.notOk(lines[0]!.isOpen)
    t.equal(lines[1]!.peer, '001')
    t.equal(place.asked, 0)
    await beat(patience + 1)
    t.equal(place.asked, 1)
    lines[2]!.listener.frame(covered(3, 'a'))
    await beat(2 * patience)
    t.equal(lines.filter(({ isOpen }) => isOpen)[0], lines[2])
    t.same(told.at(-1), 'covered a 3')
    upstream.close()
  },
)

t.test('from one that broke it goes on with another, which begins anew', async t => {
  const { lines, told, upstream, clock } = setUp('000', '001')
  upstream.want('a')
  const { listener } = lines[0]!
  listener.frame(covered(3, 'a'))
  listener.frame(event(4))
  listener.broken()
  listener.frame(event(5))
  listener.mark(mark(9))
  await clock.advance(LIMITS.RETRY_MAX_MS)
  upstream.want('b')
  t.same([lines[1]!.peer, ...lines[1]!.wants], ['001', 'a', 'b'])
  lines[1]!.listener.mark(mark(9))
  t.same(told, ['covered a 3', 'event 4', 'interrupted'], 'a mark is of no use before a cover')
  lines[1]!.listener.frame(covered(5, 'a', 'b', 'c'))
  lines[1]!.listener.mark(mark(9))
  t.same(told.slice(3), ['covered a,b 5', 'passed 9'])
  upstream.close()
})

t.test(
  'a better parent is gone over to when it covers all and has a primary, and all is covered anew',
  async t => {
    const { lines, told, parents, upstream, beat } = setUp('001')
    upstream.want('a')
    upstream.want('b')
    lines[0]!.listener.frame(covered(3, 'a', 'b'))
    parents.unshift('000')
    const looks = (2 * LIMITS.TRUNK_RETURN_MS) / LIMITS.FOLLOW_MARK_MS
    for (let count = 0; lines.length < 2 && count < looks; count += 1) await beat(1)
    const trial = lines[1]!
    t.same([trial.peer, ...trial.wants], ['000', 'a', 'b'])
    trial.listener.frame(covered(4, 'a'))
    trial.listener.mark(mark(4))
    trial.listener.frame(covered(4, 'b'))
    trial.listener.mark(mark(4, false))
    trial.listener.frame(event(5))
    lines[0]!.listener.frame(event(5))
    t.same(told, ['covered a,b 3', 'event 5'], 'meanwhile it comes from where it came')
    trial.listener.mark(mark(5))
    t.equal(told.at(-1), 'interrupted')
    t.notOk(lines[0]!.isOpen || trial.isOpen)
    lines[0]!.listener.frame(event(6))
    lines[2]!.listener.frame(covered(6, 'a'))
    lines[2]!.listener.frame(covered(6, 'b'))
    lines[2]!.listener.frame(event(7))
    t.same(told.slice(2), ['interrupted', 'covered a 6', 'covered b 6', 'event 7'])
    const open = lines.filter(({ isOpen }) => isOpen).map(({ peer }) => peer)
    t.same(open, ['000'])
    upstream.close()
  },
)

t.test('a parent that hears of no primary is left', async t => {
  const { lines, upstream } = setUp('000', '001')
  upstream.want('a')
  lines[0]!.listener.frame(covered(3, 'a'))
  for (let count = 0; count < LIMITS.MAX_LEADERLESS_MARKS; count += 1) {
    upstream.beat()
    t.ok(lines[0]!.isOpen)
    lines[0]!.listener.mark(mark(3, false))
  }
  t.notOk(upstream.led)
  upstream.beat()
  t.notOk(lines[0]!.isOpen)
  upstream.close()
})

t.test('when the slot has come here an interruption ends it at once', async t => {
  for (const how of ['interrupted', 'broken', 'refused'] as const) {
    const { lines, told, place, upstream, clock } = setUp('000')
    upstream.want('a')
    const { listener } = lines[0]!
    listener.frame(covered(3, 'a'))
    place.isHere = true
    if (how === 'broken') listener.broken()
    else if (how === 'refused') listener.frame({ kind: how, slot: 7, turn: 1 })
    else listener.frame({ kind: how, slot: 7 })
    t.same(told, ['covered a 3', 'lost'], how)
    upstream.close()
    t.equal(clock.timers, 0)
  }
})
