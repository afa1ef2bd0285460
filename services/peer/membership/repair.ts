import type { PeerId } from '../cube/labels.ts'
import type { Roster, RosterPeer } from '../cube/roster.ts'
import type { Rosters } from '../engine/rosters.ts'
import type { EngineLog } from '../engine/settings.ts'
import type { Clock } from '../engine/types.ts'
import { LIMITS } from '../limits.ts'
import type { Dispatcher } from '../links/types.ts'
import type { Configuration, Member } from '../raft/types.ts'
import { appendChange } from './changes.ts'
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
    if (this.#options.damaged().size === 0) return this.#plan(LIMITS.REPAIR_LOOK_MS)
    const { clock, log } = this.#options
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
    try {
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
    await fallSilent()
    const end = await this.#replace()
    if (this.#cancel !== undefined) ended(end)
  }

  /** While this peer is silent: every answer is confirmed by a quorum that it is no part of. */
  async #replace(): Promise<RepairEnd> {
    const { clock, dispatcher, uid, self, log } = this.#options
    const untilMs = clock.monotonicMs() + LIMITS.REPAIR_SILENCE_MS
    let judged = await this.#judge(untilMs)
    while ('obstacle' in judged && clock.monotonicMs() + LIMITS.SETTLE_LOOK_MS < untilMs) {
      await new Promise<void>(resolve => clock.after(LIMITS.SETTLE_LOOK_MS, resolve))
      judged = await this.#judge(untilMs)
    }
    const own = this.#own()
    try {
      if ('obstacle' in judged) throw new Error(judged.obstacle)
      if (own === undefined) throw new Error('the roster does not list this store any more')
      const { id, url, format } = own
      const next = await this.#options.prepare()
      const why = `corrupt records in slots ${this.#slots().join(', ')}`.slice(0, LIMITS.MAX_NOTE_LENGTH)
      const change = { kind: 'replace', id, uid: next, replaces: uid, url, follows: judged.version } as const
      const program = format === undefined ? {} : { format }
      const { roster } = await appendChange(dispatcher, { ...change, ...program, by: self, why }, untilMs)
      return { kind: 'replaced', roster }
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      log.warn({ why }, 'the store could not be replaced: this peer goes on with it')
      return { kind: 'again' }
    }
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
      if (!canSpare(own, configuration, level[slot]!)) {
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
