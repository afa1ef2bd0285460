import { overOf, type Placed, type Slice, type SlotStart } from '../../services/peer/links/slot-operations.ts'
import type { ShownLife } from '../../services/peer/streams/shown-lives.ts'
import type { SlotTap, TopicGlance } from '../../services/peer/streams/taps.ts'
import { emptyImage, SlotMachine } from '../../services/peer/topics/machine.ts'
import type { SlotPosition } from '../../services/peer/topics/positions.ts'
import type { Command, SlotNotice, StoredEvent } from '../../services/peer/topics/types.ts'
import { WantSet } from '../../services/peer/topics/wants.ts'
import { RunRecords, type SlotReads, slotReads } from '../support/run-records.ts'
import { LIMITS } from '../topics/kit.ts'

/** The committed log of one slot, and what each of its entries says to those who follow. */
export class SlotModel {
  readonly slot: number
  readonly commands: Command[] = []
  readonly notices: (readonly SlotNotice[])[] = []
  readonly events: { readonly topic: string; readonly event: StoredEvent }[] = []
  readonly runs = new RunRecords()
  readonly machine = new SlotMachine(emptyImage(), LIMITS)

  constructor(slot: number) {
    this.slot = slot
  }

  get length(): number {
    return this.commands.length
  }

  commit(command: Partial<Command> & Pick<Command, 'kind'>): void {
    this.commands.push(command as Command)
    const { notices } = this.machine.apply(this.length, 1, command as Command)
    this.notices.push(notices)
    this.runs.keep(command as Command, notices)
    for (const notice of notices) {
      if (notice.kind !== 'published') continue
      const { run, topic } = notice
      for (const [at, event] of notice.events.entries()) {
        const { incarnation, timeMs } = run
        const stored = { ...event, offset: run.first + at, incarnation, sequence: run.sequence + at, timeMs }
        this.events.push({ topic, event: stored })
      }
    }
  }
}

/** A replica of a slot that is as far as the test lets it be. */
export class ReplicaModel {
  readonly model: SlotModel
  readonly #machine = new SlotMachine(emptyImage(), LIMITS)
  readonly #reads: SlotReads

  constructor(model: SlotModel) {
    this.model = model
    this.#reads = slotReads(model.runs, this.#machine)
  }

  get position(): SlotPosition {
    return this.#reads.position(this.model.slot)
  }

  /** Applies what is committed, at most `entries`. */
  apply(entries = Number.POSITIVE_INFINITY): void {
    for (let left = entries; left > 0 && this.position.index < this.model.length; left -= 1) {
      const at = this.position.index
      this.#machine.apply(at + 1, 1, this.model.commands[at]!)
    }
  }

  read(
    wants: readonly string[],
    position: SlotPosition,
    shown: readonly ShownLife[],
    maxEvents: number,
  ): Slice {
    const { slot } = this.model
    const machine = this.#machine
    const slice = this.#reads.readSlot(slot, wants, position, maxEvents, 1e9)
    const state = {
      topic: (_slot: number, name: string) => machine.topic(name),
      incarnation: () => machine.slot.incarnation,
    }
    const lives = shown.map(({ topic, incarnation }) => [topic, incarnation] as const)
    return { ...slice, over: overOf(state, slot, lives) }
  }

  place(wants: readonly string[], start: SlotStart): Placed {
    return this.#reads.placeSlot(this.model.slot, wants, start)
  }
}

/** A tap as the peer has it: fed from a place in the log that lags, jumps and falls back as the test says. */
export class TapModel {
  readonly model: SlotModel
  readonly tap: SlotTap
  readonly #wanted: WantSet
  /** Entries of the log that it was told; undefined until it is covered. */
  #told: number | undefined

  constructor(model: SlotModel, tap: SlotTap) {
    this.model = model
    this.tap = tap
    this.#wanted = new WantSet(tap.wants)
  }

  get told(): number | undefined {
    return this.#told
  }

  /** Covers it at an entry of the log, which may be before or behind what it was told. */
  cover(index: number): void {
    this.#told = index
    const past = this.model.events.filter(({ event }) => this.#indexOf(event) <= index)
    const { rows, incarnation } = this.#rowsAt(index)
    this.tap.covered({ sequence: past.at(-1)?.event.sequence ?? 0, index }, rows, incarnation)
  }

  /** What was known at an entry of the log of the topics wanted by name. */
  #rowsAt(index: number): { rows: Map<string, TopicGlance | null>; incarnation: number } {
    const machine = new SlotMachine(emptyImage(), LIMITS)
    for (const [at, command] of this.model.commands.slice(0, index).entries())
      machine.apply(at + 1, 1, command)
    const names = [...this.#wanted.names]
    const rows = new Map(names.map(name => [name, machine.topic(name) ?? null] as const))
    return { rows, incarnation: machine.slot.incarnation }
  }

  /** Tells the next entries. */
  feed(entries = Number.POSITIVE_INFINITY, isMarked = true): void {
    if (this.#told === undefined) return
    for (let left = entries; left > 0 && this.#told < this.model.length; left -= 1) {
      for (const notice of this.model.notices[this.#told]!) {
        tell(this.tap, this.#wanted, notice, this.#told + 1)
      }
      this.#told += 1
    }
    if (isMarked) this.pass()
  }

  pass(): void {
    const index = this.#told
    if (index === undefined) return
    const past = this.model.events.filter(({ event }) => this.#indexOf(event) <= index)
    this.tap.passed({ sequence: past.at(-1)?.event.sequence ?? 0, index })
  }

  #indexOf(event: StoredEvent): number {
    return (
      this.model.notices.findIndex(notices =>
        notices.some(
          notice =>
            notice.kind === 'published' &&
            notice.run.sequence <= event.sequence &&
            event.sequence < notice.run.sequence + notice.run.count,
        ),
      ) + 1
    )
  }
}

/** Tells a tap of a notice about something it wants, by the log entry at `index`. */
function tell(tap: SlotTap, wanted: WantSet, notice: SlotNotice, index: number): void {
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
