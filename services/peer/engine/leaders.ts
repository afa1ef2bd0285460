import type { PeerId } from '../cube/labels.ts'
import type { Message } from '../raft/types.ts'
import type { HeldSlots } from './held-slots.ts'
import type { Rosters } from './rosters.ts'
import type { EngineLog, EngineSettings } from './settings.ts'
import type { Leadership, Slot } from './slot.ts'
import type { Clock, CubeEvent } from './types.ts'

export interface LeadersOptions {
  readonly self: PeerId
  readonly rosters: Rosters
  readonly slots: HeldSlots
  readonly clock: Clock
  readonly settings: EngineSettings
  readonly log: EngineLog
  /** Finds out at once what became of a peer. */
  suspect(peer: PeerId): void
  /** Whether every slot held here has a primary. */
  ready(): boolean
  event(event: CubeEvent): void
}

/** A pre-vote that came while its slot's leader was believed alive. */
interface Doubt {
  readonly message: Message
  readonly atMs: number
}

/** Who leads the slots held here: tells of every change, and acts on the evidence that a leader is gone. */
export class Leaders {
  readonly #options: LeadersOptions
  readonly #lastPrimary = new Map<number, PeerId>()
  /** By leader and slot: the last one. */
  readonly #doubts = new Map<PeerId, Map<number, Doubt>>()
  #toldReady = false

  constructor(options: LeadersOptions) {
    this.#options = options
  }

  /** The leader, role or term of a slot is another than before. */
  changed(slot: Slot, before: Leadership): void {
    const { rosters, log, self } = this.#options
    const now = slot.leadership
    if (now.leader !== 0 && (now.leader !== before.leader || now.term !== before.term)) {
      const peer = rosters.peerOf(now.leader)
      if (peer !== null) this.#tellPrimary(slot, peer, now.term)
    }
    if (before.isLeader && !now.isLeader) {
      log.info({ slot: slot.slot, term: now.term, self }, 'no longer primary')
    }
    this.tellReady()
  }

  /** Says once that every slot held here has a primary. */
  tellReady(): void {
    if (this.#toldReady || !this.#options.ready()) return
    this.#toldReady = true
    this.#options.event({ kind: 'ready', timeMs: this.#options.clock.nowMs() })
  }

  /** The process of a peer is gone: its followers here need not wait for the election timeout. */
  gone(peer: PeerId): void {
    const { rosters, slots } = this.#options
    const number = rosters.numberOf(peer)
    for (const slot of slots.all.values()) {
      slots.guard(slot, () => {
        if (slot.isPrimary) slot.raft.unreachable(number)
        slot.raft.leaderGone(number)
        slot.settle()
      })
    }
    this.#judgeAgain(peer)
  }

  /**
   * Another voter asks whether it could win: it knows something about the leader, or hears nothing of it. Finds out at
   * once what became of the leader, and keeps the question: if the leader is gone it is judged again without stickiness.
   */
  doubt(slot: Slot, candidate: PeerId, message: Message): void {
    const { primary } = slot
    const { self, clock, suspect, rosters } = this.#options
    if (primary === null || primary === candidate || primary === self) return
    for (const peer of this.#doubts.keys()) if (rosters.numberOf(peer) === 0) this.#doubts.delete(peer)
    const doubts = this.#doubts.get(primary) ?? new Map<number, Doubt>()
    this.#doubts.set(primary, doubts.set(slot.slot, { message, atMs: clock.monotonicMs() }))
    suspect(primary)
  }

  #judgeAgain(leader: PeerId): void {
    const doubts = this.#doubts.get(leader)
    this.#doubts.delete(leader)
    const { clock, settings, slots } = this.#options
    for (const [number, { message, atMs }] of doubts ?? []) {
      const slot = slots.all.get(number)
      if (!slot || clock.monotonicMs() - atMs > settings.electionMs) continue
      slots.guard(slot, () => slot.step(message))
    }
  }

  #tellPrimary(slot: Slot, peer: PeerId, term: number): void {
    const last = this.#lastPrimary.get(slot.slot)
    this.#lastPrimary.set(slot.slot, peer)
    const { clock, event } = this.#options
    const timeMs = clock.nowMs()
    event({ kind: 'primary', slot: slot.slot, peer, term, timeMs })
    if (last === undefined || last === peer) return
    if (peer === slot.home) event({ kind: 'reclaimed', slot: slot.slot, peer, term, timeMs })
    else event({ kind: 'takeover', slot: slot.slot, peer, from: last, term, timeMs })
  }
}
