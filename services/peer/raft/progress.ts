import type { ProgressStatus } from './types.ts'

/**
 * How far one follower is, as its leader sees it, and what is under way to it (etcd/raft's Progress).
 *
 * - `probe`: where the logs part is not known. One append at a time; the next waits for an answer or a heartbeat's.
 * - `replicate`: appends follow each other without waiting, up to the bound of appends in flight.
 * - `snapshot`: what it needs next is compacted. It was offered the state; nothing else is sent.
 */
export class Progress {
  state: ProgressStatus['state'] = 'probe'
  /** Last index known to be durable there and equal to the leader's. */
  match = 0
  /** First index of the next append. */
  next: number
  /** Probe: the append under way has not been answered. */
  paused = false
  /** Replicate: last index of each append under way, ascending. */
  inflight: number[] = []
  /** Replicate: send an append though nothing is new, to find out what was lost. */
  poke = false
  /** Highest commit index told, by an append or a heartbeat. */
  commitTold = 0
  /** Leader's tick count when it was last heard from. */
  heardAtTick: number
  /** Leader's tick count when a message to it could first not be delivered; undefined once it answers an append. */
  lostSinceTick: number | undefined
  /** Snapshot: index last offered, when, and whether to offer (again). */
  offeredIndex = 0
  offeredAtTick = 0
  offerDue = false
  #matchAtBeat = -1

  constructor(next: number, tick: number) {
    this.next = next
    this.heardAtTick = tick
  }

  /** Searches for the last matching entry, from `next` backwards. */
  probe(next: number, paused: boolean): void {
    this.state = 'probe'
    this.next = Math.max(next, this.match + 1)
    this.paused = paused
    this.commitTold = Math.min(this.commitTold, this.match)
    this.inflight = []
    this.poke = false
    this.offerDue = false
  }

  replicate(): void {
    this.state = 'replicate'
    this.next = this.match + 1
    this.paused = false
    this.inflight = []
    this.poke = false
    this.offerDue = false
  }

  snapshot(): void {
    this.state = 'snapshot'
    this.inflight = []
    this.poke = false
    this.offerDue = true
  }

  /** An append ending at `last` (with `count` entries) leaves now. */
  sent(last: number, count: number, commit: number): void {
    this.commitTold = Math.max(this.commitTold, Math.min(commit, last))
    this.poke = false
    if (this.state === 'probe') this.paused = true
    if (this.state === 'replicate' && count > 0) {
      this.next = last + 1
      this.inflight.push(last)
    }
  }

  /** Everything up to `index` is durable there. */
  accepted(index: number): void {
    this.match = Math.max(this.match, index)
    this.next = Math.max(this.next, this.match + 1)
    while (this.inflight.length > 0 && this.inflight[0]! <= index) this.inflight.shift()
  }

  /**
   * It refused an append behind `rejected`; `hint` is the last index that may match. One that refuses what it is known
   * to hold came again without its log, and an answer of its earlier life was late: it is known to hold nothing.
   * False when the answer is old and tells nothing.
   */
  refused(rejected: number, hint: number): boolean {
    if (this.state === 'snapshot') return false
    if (this.state === 'replicate') {
      if (rejected <= this.match) return false
      this.probe(this.match + 1, false)
      return true
    }
    if (rejected !== this.next - 1) return false
    if (rejected === this.match) this.match = 0
    this.next = Math.max(Math.min(rejected, hint + 1), this.match + 1)
    this.paused = false
    return true
  }

  /** It answered a heartbeat: it is there, so whatever was waited for may have been lost. */
  answeredBeat(tick: number, offerAgainTicks: number): void {
    this.paused = false
    if (this.state === 'replicate') this.poke ||= this.inflight.length > 0 && this.match === this.#matchAtBeat
    if (this.state === 'snapshot') this.offerDue ||= tick - this.offeredAtTick >= offerAgainTicks
    this.#matchAtBeat = this.match
  }
}
