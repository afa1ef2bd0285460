import type { PeerId } from '../cube/labels.ts'
import type { Clock } from '../engine/types.ts'
import { LIMITS } from '../limits.ts'
import type { TrunkLinks } from '../links/trunk.ts'
import type { SlotWants } from '../links/trunk-wants.ts'
import type { TrunkFrame, TrunkMark } from '../links/trunk-wire.ts'

export type SlotFrame = Exclude<TrunkFrame, { readonly kind: 'marks' }>

/** Who gets what a trunk brings of one slot. */
export interface LineListener {
  frame(frame: SlotFrame): void
  mark(mark: TrunkMark): void
  /** The trunk is gone: nothing more comes by this line. */
  broken(): void
}

/** One slot's share of a trunk. */
export interface TrunkLine {
  add(want: string): void
  remove(want: string): void
  /** The peers below have changed; they are told with the next update. */
  below(): void
  close(): void
}

export interface TrunkOptions {
  readonly peer: PeerId
  readonly links: TrunkLinks
  readonly clock: Clock
  readonly random: () => number
  readonly log: { debug(fields: object, message: string): void }
  /** The peers whose wants of a slot go by this one, itself included. */
  readonly below: (slot: number) => readonly PeerId[]
  /** It is of no more use. Called once. */
  readonly onOver: (trunk: Trunk) => void
}

interface Line {
  readonly listener: LineListener
  readonly wants: Set<string>
  /** What the other side was not told yet. */
  readonly added: Set<string>
  readonly removed: Set<string>
  /** Who is below, as last told. */
  toldBelow: string
  /** In which update the other side was told of a want: a cover from before that is of an earlier want of the same name. */
  readonly turns: Map<string, number>
  /** The first update with something of this line: what comes from before it is meant for an earlier one. */
  since: number
}

/**
 * The lower end of the one trunk to a peer: all that this peer gets of it, whatever the slots, and what it says it wants.
 * Changes go out together, one update at a time; when one is lost, the trunk is given up.
 */
export class Trunk {
  readonly peer: PeerId
  readonly #options: TrunkOptions
  readonly #name: string
  readonly #abort = new AbortController()
  readonly #lines = new Map<number, Line>()
  /** Slots of which there is something to say. */
  readonly #untold = new Set<number>()
  #turn = 0
  #isOpen = false
  #isSaying = false
  #isPlanned = false
  #isOver = false
  #cancelIdle: (() => void) | undefined

  constructor(options: TrunkOptions) {
    this.#options = options
    this.peer = options.peer
    this.#name = `t${Math.floor(options.random() * 2 ** 48).toString(36)}`
    void this.#run()
  }

  /** Takes a slot on; a slot is on one line at a time. */
  attach(slot: number, listener: LineListener): TrunkLine {
    this.#cancelIdle?.()
    this.#cancelIdle = undefined
    const line = newLine(listener)
    const before = this.#lines.get(slot)
    if (before) for (const want of onTheOtherSide(before)) line.removed.add(want)
    this.#lines.set(slot, line)
    const isMine = () => this.#lines.get(slot) === line
    return {
      add: want => {
        if (!isMine() || line.wants.has(want)) return
        line.wants.add(want)
        line.added.add(want)
        this.#say(slot)
      },
      remove: want => {
        if (!isMine() || !line.wants.delete(want)) return
        line.turns.delete(want)
        if (!line.added.delete(want)) line.removed.add(want)
        this.#say(slot)
      },
      below: () => {
        if (isMine()) this.#say(slot)
      },
      close: () => {
        if (isMine()) this.#detach(slot, line)
      },
    }
  }

  close(): void {
    this.#end()
  }

  #detach(slot: number, line: Line): void {
    this.#lines.delete(slot)
    const removed = onTheOtherSide(line)
    if (removed.size > 0) {
      // Kept as a line that nobody listens to until it is told.
      this.#lines.set(slot, newLine(DEAF, removed))
      this.#say(slot)
    }
    this.#planIdle()
  }

  async #run(): Promise<void> {
    const { links, log, peer } = this.#options
    const { signal } = this.#abort
    try {
      for await (const frames of links.open(peer, this.#name, signal)) {
        if (signal.aborted) return
        if (!this.#isOpen) {
          this.#isOpen = true
          this.#plan()
        }
        for (const frame of frames) this.#take(frame)
      }
    } catch (error) {
      if (!signal.aborted) log.debug({ peer, error: String(error) }, 'a trunk broke')
    }
    this.#end()
  }

  #take(frame: TrunkFrame): void {
    if (frame.kind === 'marks') {
      for (const mark of frame.marks) this.#lines.get(mark.slot)?.listener.mark(mark)
      return
    }
    const line = this.#lines.get(frame.slot)
    if (!line) return
    if (frame.kind === 'covered') {
      const wants = frame.wants.filter(
        want => (line.turns.get(want) ?? Number.POSITIVE_INFINITY) <= frame.turn,
      )
      if (wants.length > 0) line.listener.frame({ ...frame, wants })
    } else if (frame.kind !== 'refused' || frame.turn >= line.since) line.listener.frame(frame)
  }

  #say(slot: number): void {
    this.#untold.add(slot)
    this.#plan()
  }

  #plan(): void {
    if (this.#isPlanned || this.#isSaying || !this.#isOpen || this.#isOver || this.#untold.size === 0) return
    this.#isPlanned = true
    this.#options.clock.endOfTurn(() => {
      this.#isPlanned = false
      void this.#tell()
    })
  }

  async #tell(): Promise<void> {
    if (this.#isOver) return
    const slots = this.#changes(this.#turn + 1)
    if (slots.length === 0) return
    this.#isSaying = true
    this.#turn += 1
    try {
      await this.#options.links.say(this.peer, { trunk: this.#name, turn: this.#turn, slots })
    } catch (error) {
      this.#options.log.debug({ peer: this.peer, error: String(error) }, 'a trunk is given up')
      this.#end()
      return
    }
    this.#isSaying = false
    this.#plan()
  }

  /** All that is to be said, as of the update `turn`. */
  #changes(turn: number): SlotWants[] {
    const slots: SlotWants[] = []
    for (const slot of this.#untold) {
      const line = this.#lines.get(slot)
      if (!line) continue
      const add = [...line.added]
      const remove = [...line.removed]
      for (const want of add) line.turns.set(want, turn)
      line.added.clear()
      line.removed.clear()
      const below = this.#options.below(slot)
      const isNew = line.toldBelow !== below.join()
      line.toldBelow = below.join()
      if (isNew || add.length + remove.length > 0) {
        slots.push({ slot, add, remove, below })
        line.since = Math.min(line.since, turn)
      }
      if (line.listener === DEAF) this.#lines.delete(slot)
    }
    this.#untold.clear()
    return slots
  }

  /** Whoever went may come again, as a browser does that reconnects. */
  #planIdle(): void {
    if ([...this.#lines.values()].some(({ listener }) => listener !== DEAF) || this.#cancelIdle) return
    this.#cancelIdle = this.#options.clock.after(LIMITS.TRUNK_IDLE_MS, () => {
      this.#cancelIdle = undefined
      this.#end()
    })
  }

  #end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#cancelIdle?.()
    this.#abort.abort()
    this.#options.onOver(this)
    const lines = [...this.#lines.values()]
    this.#lines.clear()
    for (const { listener } of lines) listener.broken()
  }
}

function newLine(listener: LineListener, removed = new Set<string>()): Line {
  const told = { toldBelow: '', turns: new Map<string, number>(), since: Number.POSITIVE_INFINITY }
  return { listener, wants: new Set(), added: new Set(), removed, ...told }
}

/** What the upper end believes is wanted. */
function onTheOtherSide({ wants, added, removed }: Line): Set<string> {
  return new Set([...removed, ...[...wants].filter(want => !added.has(want))])
}

const DEAF: LineListener = { frame() {}, mark() {}, broken() {} }
