import type { SlotLogs } from '../../services/peer/engine/types.ts'
import type { SlotTap, SlotTaps, TopicGlance } from '../../services/peer/streams/taps.ts'
import type { SlotNotice, StoredEvent } from '../../services/peer/topics/types.ts'
import { isPattern, WantSet } from '../../services/peer/topics/wants.ts'

/** Taps of a peer that holds every slot and keeps it. */
export class ReplicaTaps implements SlotTaps {
  readonly #slots: SlotLogs

  constructor(slots: SlotLogs) {
    this.#slots = slots
  }

  tap(slot: number, tap: SlotTap): () => void {
    const slots = this.#slots
    const wanted = new WantSet(tap.wants)
    const cover = () => {
      const rows = new Map<string, TopicGlance | null>()
      for (const want of tap.wants) if (!isPattern(want)) rows.set(want, slots.topic(slot, want) ?? null)
      tap.covered(slots.position(slot), rows)
    }
    const stop = slots.follow(slot, notice => {
      if (notice.kind === 'restored') cover()
      else {
        tell(tap, wanted, notice, slots.position(slot).index)
        tap.passed(slots.position(slot))
      }
    })
    cover()
    return stop
  }
}

/** Tells a tap of a notice about something it wants, by the log entry at `index`. */
export function tell(tap: SlotTap, wanted: WantSet, notice: SlotNotice, index: number): void {
  if (notice.kind === 'published' && wanted.matches(notice.topic)) {
    tap.events(notice.topic, storedEvents(notice), index)
  }
  if (notice.kind === 'deleted' && wanted.matches(notice.topic)) {
    tap.ended(notice.topic, notice.incarnation, notice.latest, index)
  }
}

function storedEvents({ run, events }: SlotNotice & { kind: 'published' }): StoredEvent[] {
  const { incarnation, timeMs } = run
  return events.map((event, at) => ({
    ...event,
    ...{ offset: run.first + at, incarnation, sequence: run.sequence + at, timeMs },
  }))
}
