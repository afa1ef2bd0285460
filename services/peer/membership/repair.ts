import type { PeerId } from '../cube/labels.ts'
import type { Roster, RosterPeer } from '../cube/roster.ts'
import type { Rosters } from '../engine/rosters.ts'
import type { EngineLog } from '../engine/settings.ts'
import type { Clock } from '../engine/types.ts'
import { HypercastError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { Dispatcher } from '../links/types.ts'
import type { Configuration, Member } from '../raft/types.ts'
import type { Space } from '../store/kv.ts'
import { appendChange, type Wish } from './changes.ts'
import { survey } from './survey.ts'

/** How a peer that wanted repair goes on. */
export type RepairEnd =
  /** Under a new number with the store that was prepared: this roster lists it, and the damaged one no more. */
  | { readonly kind: 'replaced'; readonly roster: Roster }
  /** With the store it has: the others could not do without it after all. */
  | { readonly kind: 'again' }

export interface RepairOptions {
  readonly self: PeerId
  /** Of the store in use. */
  readonly uid: string
  readonly rosters: Rosters
  readonly dispatcher: Dispatcher
  readonly clock: Clock
  /** Seeded generator in [0, 1). */
  readonly random: () => number
  readonly log: EngineLog
  /** How often this peer fell silent in vain before. */
  readonly attempts: number
  /** Slots with a corrupt record, and what is wrong with it. */
  damaged(): ReadonlyMap<number, string>
  /** Of the disk that the damaged store and the next one share. Throws what the file system throws. */
  space(): Space
  /** What of it is to stay free. */
  readonly reserveBytes: number
  /** Makes the empty store that is to take the place of this one, once; resolves with its uid. */
  prepare(): Promise<string>
  /** Hands the slots over and takes part in none any more. There is no way back but a new start. */
  fallSilent(): Promise<void>
  /** Called once, after `fallSilent`. */
  ended(end: RepairEnd): void
}

/** What stands in the way, or the version of the roster under which nothing does. */
type Judgement = { readonly obstacle: string } | { readonly version: number }

/**
 * A replica with a corrupt record is repaired: out, wiped, in as a learner. That costs the peer its whole
 * store, so it waits until nobody needs it, then hands over and falls silent, finds every slot in good order without
 * it, and has itself replaced by an empty store at that very version of the roster. Only then is the store in use to be
 * set aside. Of peers that want the same at once one is first: its change makes the others' refused, and its slots are
 * on the move until it is whole. Two that would leave a slot without a majority see that while both are silent, and
 * both go on with what they have.
 */
export class Repair {
  readonly #options: RepairOptions
  #cancel: (() => void) | undefined
  #pauseMs: number
  #told = ''

  constructor(options: RepairOptions) {
    this.#options = options
    this.#pauseMs = Math.min(LIMITS.REPAIR_LOOK_MS * 2 ** options.attempts, LIMITS.REPAIR_PAUSE_MAX_MS)
  }

  start(): void {
    this.#plan(this.#options.attempts === 0 ? LIMITS.REPAIR_LOOK_MS : this.#pause())
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  #plan(afterMs: number): void {
    this.#cancel = this.#options.clock.after(afterMs, () => void this.#look())
  }

  async #look(): Promise<void> {
    const { clock, log, damaged } = this.#options
    if (damaged().size === 0) return this.#plan(LIMITS.REPAIR_LOOK_MS)
    const judged = await this.#judge(clock.monotonicMs() + LIMITS.DEPARTURE_PATIENCE_MS)
    const obstacle = 'obstacle' in judged ? judged.obstacle : await this.#prepared()
    if (this.#cancel === undefined) return
    if (obstacle === undefined) return this.#attempt()
    if (obstacle !== this.#told) {
      this.#told = obstacle
      log.warn({ slots: this.#slots(), waitsFor: obstacle }, 'the store is damaged: its repair waits')
    }
    this.#plan(this.#pause())
  }

  /** Resolves with what went wrong. */
  async #prepared(): Promise<string | undefined> {
    const { space, reserveBytes } = this.#options
    try {
      // The damaged store is kept. Its own free pages count as free and as used, which comes to the same.
      const { freeBytes, usedBytes } = space()
      const missingBytes = usedBytes + reserveBytes - freeBytes
      if (missingBytes > 0) return 'there is not enough free disk space for a second copy of the store'
      await this.#options.prepare()
      return undefined
    } catch (error) {
      return `a new store cannot be made: ${error instanceof Error ? error.message : String(error)}`
    }
  }

  async #attempt(): Promise<void> {
    const { log, fallSilent, ended } = this.#options
    log.warn(
      { slots: this.#slots() },
      'the store is damaged: this peer hands its slots over, to be replaced by an empty one',
    )
    const end = await this.#replaced(fallSilent)
    if (this.#cancel !== undefined) ended(end)
  }

  async #replaced(fallSilent: () => Promise<void>): Promise<RepairEnd> {
    try {
      await fallSilent()
      return { kind: 'replaced', roster: await this.#replace() }
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      this.#options.log.warn({ why }, 'the store could not be replaced: this peer goes on with it')
      return { kind: 'again' }
    }
  }

  /**
   * While this peer is silent: every answer is confirmed by a quorum that it is no part of. Resolves with the roster that
   * lists the next store; rejects with what stands in the way.
   */
  async #replace(): Promise<Roster> {
    const { clock, uid, self, prepare } = this.#options
    const untilMs = clock.monotonicMs() + LIMITS.REPAIR_SILENCE_MS
    let judged = await this.#judge(untilMs)
    while ('obstacle' in judged && clock.monotonicMs() + LIMITS.SETTLE_LOOK_MS < untilMs) {
      await this.#wait(LIMITS.SETTLE_LOOK_MS)
      judged = await this.#judge(untilMs)
    }
    if ('obstacle' in judged) throw new Error(judged.obstacle)
    const own = this.#own()
    if (own === undefined) throw new Error('the roster does not list this store any more')
    const { id, url, format } = own
    const next = await prepare()
    if (next === uid) throw new Error('the store that was prepared is the one in use')
    const why = `corrupt records in slots ${this.#slots().join(', ')}`.slice(0, LIMITS.MAX_NOTE_LENGTH)
    const change = { kind: 'replace', id, uid: next, replaces: uid, url, follows: judged.version } as const
    const program = format === undefined ? {} : { format }
    const roster = await this.#settle({ ...change, ...program, by: self, why }, untilMs)
    if (roster.peers.some(peer => peer.uid === next)) return roster
    throw new Error('the roster does not list the store that was prepared')
  }

  /**
   * Appends the change, and asks for the same again while nobody says what became of it: it may be committed yet, and until
   * then this peer must be no part of any quorum. The roster's own word on a later one settles the earlier ones, too: they
   * follow the same version.
   */
  async #settle(change: Wish, untilMs: number): Promise<Roster> {
    const { clock, dispatcher, log } = this.#options
    const patientUntilMs = clock.monotonicMs() + LIMITS.REPAIR_OUTCOME_MS
    let isUnknown = false
    for (let deadlineMs = untilMs; ; deadlineMs = clock.monotonicMs() + LIMITS.REPAIR_SILENCE_MS) {
      try {
        return (await appendChange(dispatcher, change, Math.min(deadlineMs, patientUntilMs))).roster
      } catch (error) {
        const code = error instanceof HypercastError ? error.code : undefined
        // That a later one was not appended at all says nothing of the first.
        const isSettled = code === 'CHANGE_UNDER_WAY' || code === 'UNKNOWN_PEER'
        if (isSettled || (code !== 'OUTCOME_UNKNOWN' && !isUnknown)) throw error
        if (!isUnknown) log.warn({}, 'nobody says yet whether the store was replaced: this peer stays silent')
        isUnknown = true
        if (clock.monotonicMs() + LIMITS.SETTLE_LOOK_MS >= patientUntilMs) throw error
      }
      await this.#wait(LIMITS.SETTLE_LOOK_MS)
    }
  }

  /** Rejects when the peer stops. */
  async #wait(pauseMs: number): Promise<void> {
    await new Promise<void>(resolve => this.#options.clock.after(pauseMs, resolve))
    if (this.#cancel === undefined) throw new Error('the peer stops')
  }

  /** Whether everybody could do without this peer's store now; in all of the cube nothing else may be under way. */
  async #judge(deadlineMs: number): Promise<Judgement> {
    const { dispatcher, rosters } = this.#options
    const own = this.#own()
    if (own === undefined) return { obstacle: 'the roster does not list this store' }
    const { roster, configurations, level, unknown } = await survey(dispatcher, rosters, deadlineMs)
    if (unknown > 0) return { obstacle: `${unknown} slots have no primary` }
    const leaving = roster.peers.find(peer => peer.leaving)
    if (leaving) return { obstacle: `peer ${leaving.id} is leaving` }
    for (const [slot, configuration] of (configurations as readonly Configuration[]).entries()) {
      if (waitsFor(own, configuration, rosters.membersOf(rosters.order(slot)))) continue
      if (!rosters.settles(slot, configuration)) return { obstacle: `slot ${slot} is on the move` }
      if (!canSpare(own, configuration, level[slot] ?? [])) {
        return { obstacle: `slot ${slot} has no majority of sound replicas without this one` }
      }
    }
    return { version: roster.version }
  }

  #own(): RosterPeer | undefined {
    const { rosters, uid } = this.#options
    return rosters.current.peers.find(peer => peer.uid === uid)
  }

  #slots(): number[] {
    return [...this.#options.damaged().keys()].sort((a, b) => a - b)
  }

  /** Longer each time, and of another length at each peer, so that two do not stay in each other's way. */
  #pause(): number {
    const pauseMs = this.#pauseMs * (0.5 + this.#options.random())
    this.#pauseMs = Math.min(2 * this.#pauseMs, LIMITS.REPAIR_PAUSE_MAX_MS)
    return pauseMs
  }
}

/** It is no voter of the slot, and the slot stands where it belongs but for it: it may be the one that cannot catch up. */
function waitsFor(
  { number }: RosterPeer,
  { voters, outgoing, learners = [] }: Configuration,
  placed: readonly Member[],
): boolean {
  const isVoter = (member: Member) => voters.some(voter => voter.number === member.number)
  if (outgoing !== undefined || isVoter({ number, uid: '' })) return false
  const missing = [...placed.filter(member => !isVoter(member)), ...learners]
  return missing.length > 0 && missing.every(member => member.number === number)
}

/** The slot keeps a majority that holds all of it when the peer, if it is a voter at all, is gone. */
function canSpare({ number }: RosterPeer, { voters }: Configuration, level: readonly number[]): boolean {
  if (!voters.some(voter => voter.number === number)) return true
  const sound = voters.filter(voter => voter.number !== number && level.includes(voter.number))
  return sound.length > Math.floor(voters.length / 2)
}
