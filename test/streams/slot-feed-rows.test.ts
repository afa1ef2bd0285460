import t from 'tap'
import { SlotFeed } from '../../services/peer/streams/slot-feed.ts'
import type { SlotTap, TopicGlance } from '../../services/peer/streams/taps.ts'
import type { StoredEvent } from '../../services/peer/topics/types.ts'

/** A feed whose source is silent: the test tells the news. */
function silentFeed(): SlotFeed {
  const source = { depth: 0, led: true, misplaced: false }
  const deaf = { want() {}, unwant() {}, below() {}, beat() {}, close() {} }
  return new SlotFeed({ slot: 0, source: () => ({ ...source, ...deaf }), onIdle() {} })
}

/** What a tap of one topic is told when it is covered: its row, and as of which incarnation. */
function watch(feed: SlotFeed, topic: string): (readonly [TopicGlance | null | undefined, number])[] {
  const told: (readonly [TopicGlance | null | undefined, number])[] = []
  const tap: SlotTap = {
    wants: [topic],
    covered: (_position, rows, incarnation) => told.push([rows.get(topic), incarnation]),
    events() {},
    ended() {},
    passed() {},
  }
  feed.add(tap)
  return told
}

function event(sequence: number, incarnation: number): StoredEvent {
  return { offset: 1, incarnation, sequence, timeMs: 0, data: new Uint8Array() }
}

t.test('that there is no topic is known as of when it was found out', async t => {
  const feed = silentFeed()
  t.same(watch(feed, 'a'), [])
  watch(feed, 'b')
  feed.covered(['a', 'b'], { sequence: 4, index: 9 }, 3, new Map())
  // Meanwhile `a` may have become life 4 without an event: nobody says so.
  feed.events('b', [event(5, 5)], 12)
  t.same(watch(feed, 'a'), [[null, 3]])
  t.same(watch(feed, 'b'), [[{ incarnation: 5, earliest: 1, latest: 1 }, 3]])
  feed.ended('b', 5, 1, 13)
  t.same(watch(feed, 'b'), [[null, 5]])
  t.same(watch(feed, 'a'), [[null, 3]])
})

t.test('a tap of several topics knows what is known of all of them', async t => {
  const feed = silentFeed()
  const told: number[] = []
  feed.add({
    wants: ['a', 'b'],
    covered: (_position, _rows, incarnation) => told.push(incarnation),
    events() {},
    ended() {},
    passed() {},
  })
  feed.covered(['a'], { sequence: 4, index: 9 }, 3, new Map())
  t.same(told, [], 'not covered before all of them are')
  feed.covered(['b'], { sequence: 5, index: 12 }, 5, new Map())
  t.same(told, [3])
})
