import type { LogStore } from '../store/types.ts'
import type { Run, StoredEvent } from '../topics/types.ts'
import { decodeEvents } from './codec.ts'
import type { AppliedSlot } from './wanted-runs.ts'

/** Runs looked up at a time. */
const RUNS_AT_A_TIME = 64

/** Events of one topic from the slot's applied part of the log; see SlotLogs.read. */
export function readEvents(
  store: Pick<LogStore, 'runs' | 'runData'>,
  slot: Pick<AppliedSlot, 'slot' | 'topicOf'>,
  incarnation: number,
  from: number,
  maxEvents: number,
  maxBytes: number,
): StoredEvent[] {
  const topic = slot.topicOf(incarnation)
  if (topic === undefined) return []
  const events: StoredEvent[] = []
  let bytes = 0
  let offset = Math.max(from, topic.earliest)
  while (offset <= topic.latest) {
    const runs = store.runs(slot.slot, incarnation, offset, RUNS_AT_A_TIME)
    for (const run of runs) {
      // Beyond what is applied lie runs of a snapshot under way.
      if (run.first > topic.latest) return events
      for (const event of eventsOf(store, slot.slot, run)) {
        if (event.offset < offset) continue
        bytes += event.data.length
        if (events.length > 0 && (events.length >= maxEvents || bytes > maxBytes)) return events
        events.push(event)
      }
    }
    const last = runs.at(-1)
    if (last === undefined) return events
    offset = last.first + last.count
  }
  return events
}

/** First offset stamped at or after `timeMs`, by binary search: stamps never fall along a topic. */
export function offsetAt(
  store: Pick<LogStore, 'findRun'>,
  slot: Pick<AppliedSlot, 'slot' | 'machine'>,
  name: string,
  timeMs: number,
): number {
  const topic = slot.machine.topic(name)
  if (topic === undefined) return 1
  let low = topic.earliest
  let high = topic.latest + 1
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const run = store.findRun(slot.slot, topic.incarnation, middle)
    if (run === undefined || run.first > topic.latest) high = middle
    else if (run.timeMs >= timeMs) high = Math.max(low, Math.min(middle, run.first))
    else low = run.first + run.count
  }
  return low
}

/** The events of a run, without its first `skip` ones; none when it was trimmed meanwhile. */
export function eventsOf(store: Pick<LogStore, 'runData'>, slot: number, run: Run, skip = 0): StoredEvent[] {
  const data = store.runData(slot, run.logIndex)
  if (data === undefined) return []
  return decodeEvents(data, skip).map((event, at) => ({
    ...event,
    offset: run.first + skip + at,
    incarnation: run.incarnation,
    sequence: run.sequence + skip + at,
    timeMs: run.timeMs,
  }))
}
