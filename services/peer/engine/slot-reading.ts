import { LIMITS } from '../limits.ts'
import type { Placed, Slice, SlotEvent, SlotStart } from '../links/slot-operations.ts'
import type { SlotPosition } from '../topics/positions.ts'
import type { Run } from '../topics/types.ts'
import type { WantSet } from '../topics/wants.ts'
import { eventsOf } from './reading.ts'
import { type AppliedSlot, endOf, type SlotRuns, WantedRuns } from './wanted-runs.ts'

/** Runs looked up at a time. */
const RUNS_AT_A_TIME = 128

/** Events of all wanted topics of a slot behind a position; see SlotLogs.readSlot. */
export function readSlot(
  store: SlotRuns,
  slot: AppliedSlot,
  wants: readonly string[],
  position: SlotPosition,
  maxEvents: number,
  maxBytes: number,
): Slice {
  const { sequence: latest, appliedIndex: index } = slot.machine.slot
  const wanted = new WantedRuns(store, slot, wants)
  const events: SlotEvent[] = []
  const gaps = gapsBehind(slot, wanted.wants, position)
  const sliceUpTo = (sequence: number): Slice => ({
    kind: 'slice',
    events,
    gaps,
    position: { sequence, index },
    latest,
  })
  let bytes = 0
  let reached = position.sequence
  let next =
    wanted.firstBehind(position.sequence) ?? firstRun(store, slot, run => endOf(run) > position.sequence)
  for (let left = LIMITS.SLOT_READ_RUNS; left > 0; ) {
    const limit = Math.min(left, RUNS_AT_A_TIME)
    const runs = store.runsFrom(slot.slot, next, limit)
    let isIdle = true
    for (const run of runs) {
      const topic = wanted.topicOf(run)
      if (topic !== undefined) {
        isIdle = false
        const skip = Math.max(0, topic.earliest - run.first, reached + 1 - run.sequence)
        for (const event of eventsOf(store, slot.slot, run, skip)) {
          bytes += event.data.length
          const isFull = events.length >= maxEvents || bytes > maxBytes
          if (isFull && events.length > 0) return sliceUpTo(event.sequence - 1)
          events.push({ topic: topic.name, event })
        }
      }
      reached = endOf(run)
      next = run.logIndex + 1
    }
    if (runs.length < limit) return sliceUpTo(latest)
    if (isIdle) next = wanted.firstBehind(reached) ?? next
    left -= runs.length
  }
  return sliceUpTo(reached)
}

/** Where a stream begins in a slot, all at once; see `placing`. */
export function placeSlot(...asked: Parameters<typeof placing>): Placed {
  const search = placing(...asked)
  for (;;) {
    const step = search.next()
    if (step.done) return step.value
  }
}

/** Where a stream begins in a slot, in bounded pieces; see SlotLogs.placeSlot. */
export function* placing(
  store: SlotRuns,
  slot: AppliedSlot,
  wants: readonly string[],
  start: SlotStart,
): Generator<undefined, Placed, undefined> {
  const { sequence: latest, appliedIndex: index } = slot.machine.slot
  const placed = (sequence: number, tail: Placed['tail'] = []): Placed => ({
    kind: 'placed',
    position: { sequence, index },
    tail,
  })
  switch (start.kind) {
    case 'latest':
      return placed(latest)
    case 'earliest':
      return placed(0)
    case 'time': {
      const at = firstRun(store, slot, run => run.timeMs >= start.timeMs)
      const [run] = store.runsFrom(slot.slot, at, 1)
      return placed(run === undefined ? latest : run.sequence - 1)
    }
    case 'last': {
      const tail = yield* lastEvents(store, slot, wants, start.count)
      const [first] = tail
      return placed(first === undefined ? latest : first[0] - 1, tail)
    }
  }
}

/** Sequences and stamps of the last `count` matching events, ascending; fewer when too many runs would be looked at. */
function* lastEvents(
  store: SlotRuns,
  slot: AppliedSlot,
  wants: readonly string[],
  count: number,
): Generator<undefined, [sequence: number, timeMs: number][], undefined> {
  const wanted = new WantedRuns(store, slot, wants)
  const found: [number, number][] = []
  const { sequence: latest, appliedIndex } = slot.machine.slot
  let before = (wanted.lastBefore(latest + 1) ?? appliedIndex) + 1
  let inTurn = 0
  for (let left = LIMITS.SLOT_LAST_RUNS; left > 0 && found.length < count; ) {
    const limit = Math.min(left, RUNS_AT_A_TIME)
    const runs = store.runsBefore(slot.slot, before, limit)
    let isIdle = true
    for (const run of runs) {
      const topic = wanted.topicOf(run)
      if (topic !== undefined) isIdle = false
      const first = topic && run.sequence + Math.max(0, topic.earliest - run.first)
      for (let at = endOf(run); first !== undefined && at >= first && found.length < count; at--) {
        found.push([at, run.timeMs])
      }
      before = run.logIndex
    }
    const lowest = runs.at(-1)
    if (lowest === undefined || runs.length < limit) break
    if (isIdle) before = (wanted.lastBefore(lowest.sequence) ?? lowest.logIndex - 1) + 1
    left -= runs.length
    inTurn += runs.length
    if (inTurn < LIMITS.SLOT_LAST_RUNS_PER_TURN) continue
    inTurn = 0
    yield
  }
  return found.reverse()
}

/** Wanted topics that lost events which `position` had not passed, by trims that it had not taken into account. */
function gapsBehind(slot: AppliedSlot, wants: WantSet, position: SlotPosition): Slice['gaps'] {
  const { machine } = slot
  const rows = wants.hasPatterns
    ? machine.topicsTrimmedBehind(position.index, name => wants.matches(name))
    : [...wants.names].map(name => machine.topic(name)).filter(row => row !== undefined)
  return rows
    .filter(({ floor }) => floor && floor.sequence > position.sequence && floor.index > position.index)
    .map(({ name, incarnation, earliest, floor }) => ({
      topic: name,
      incarnation,
      to: earliest - 1,
      index: floor!.index,
    }))
}

/**
 * From which log index on runs are as said, by binary search. Along a slot's log neither sequences nor stamps fall, so
 * that `isThere`, once true, must stay it.
 */
function firstRun(store: SlotRuns, slot: AppliedSlot, isThere: (run: Run) => boolean): number {
  let low = 1
  let high = slot.machine.slot.appliedIndex + 1
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const [run] = store.runsFrom(slot.slot, middle, 1)
    if (run === undefined || isThere(run)) high = middle
    else low = run.logIndex + 1
  }
  return low
}
