import type { PeerId } from '../cube/labels.ts'
import { peerAt, type Roster, type RosterPeer } from '../cube/roster.ts'
import type { GoOn, PeerReport, RecoveryAnswer, RecoveryAsk } from '../engine/recovery-wire.ts'
import type { EngineLog } from '../engine/settings.ts'
import type { Clock } from '../engine/types.ts'
import { ERRORS, type ErrorCode, HypercastError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import {
  ledByTheLost,
  planRecovery,
  type RecoveryPlan,
  type SlotPlan,
  withoutPeers,
} from './recovery-plan.ts'

export interface RecoveryOptions {
  readonly self: PeerId
  readonly rosters: { readonly current: Roster }
  readonly clock: Clock
  readonly log: EngineLog
  /** Asks a peer, this one included, straight and not over the cube. Rejects when it does not answer in time. */
  ask(peer: PeerId, ask: RecoveryAsk): Promise<RecoveryAnswer>
  /** Goes over to a later version of the roster. */
  adopt(roster: Roster): void
}

export interface RecoveryWish {
  /** Labels of the peers that are gone for good. */
  readonly lost: readonly PeerId[]
  /** Without it nothing is changed. */
  readonly force: boolean
  /** Who asks, for the roster's note. */
  readonly by: string
}

/** What is to be done, or was. */
export interface Recovered extends RecoveryPlan {
  readonly done: boolean
  /** The roster it was judged by, or that came of it. */
  readonly roster: Roster
  /** The lost that were listed. */
  readonly lost: readonly RosterPeer[]
}

/** What is left of the cube, and what is to become of it. */
interface Judged {
  readonly roster: Roster
  readonly lost: readonly RosterPeer[]
  readonly reports: ReadonlyMap<PeerId, PeerReport>
  readonly plan: RecoveryPlan
}

const WHY = 'recovery: gone for good with a majority'

/**
 * Rebuilds slots that lost their majority for good, because an operator says who is lost. Every step leaves the cube in
 * a state that the same request, asked again at any peer that is left, goes on from: what has a quorum again is left
 * alone. docs/decisions/0013 says what is kept and what is not.
 */
export class Recovery {
  readonly #options: RecoveryOptions
  #isUnderWay = false

  constructor(options: RecoveryOptions) {
    this.#options = options
  }

  /**
   * Tells what would be done; with `force` does it, and resolves when every slot has committed that it goes on.
   * Rejects with HypercastError PEER_NOT_LOST, PEER_SILENT, LAST_PEER and CHANGE_UNDER_WAY, which changed nothing, and
   * RECOVERY_INCOMPLETE or an error of the roster, after which the same may be asked again.
   */
  async recover({ lost, force, by }: RecoveryWish): Promise<Recovered> {
    if (this.#isUnderWay)
      throw new HypercastError('CHANGE_UNDER_WAY', 'A recovery is under way at this peer.')
    this.#isUnderWay = true
    try {
      const judged = await this.#judge(lost)
      if (force) refuseStuckRoster(judged)
      const roster = force ? await this.#carryOut(judged, by) : judged.roster
      return { ...judged.plan, done: force, roster, lost: judged.lost }
    } finally {
      this.#isUnderWay = false
    }
  }

  async #judge(ids: readonly PeerId[]): Promise<Judged> {
    const { rosters, adopt, self } = this.#options
    for (let round = 1; ; round++) {
      const roster = rosters.current
      const lost = roster.peers.filter(peer => ids.some(id => peerAt(roster, id) === peer))
      if (lost.some(({ id }) => id === self)) {
        throw new HypercastError('PEER_NOT_LOST', `Peer ${self} is the one that was asked.`)
      }
      const left = roster.peers.filter(peer => !lost.includes(peer))
      const reports = await this.#gather(left, lost)
      const newest = [...reports.values()].reduce(
        (best, report) => (report.roster.version > best.version ? report.roster : best),
        roster,
      )
      if (newest === roster) {
        const after = withoutPeers(roster, new Set(lost.map(({ uid }) => uid)))
        const judged = { roster, lost, reports, plan: planRecovery(after, reports) }
        refuseLastPeer(judged)
        return judged
      }
      if (round === LIMITS.RECOVERY_ROUNDS) {
        throw new HypercastError('CHANGE_UNDER_WAY', 'The roster is changing all the time.')
      }
      adopt(newest)
    }
  }

  /** What everybody holds that is left. Rejects when one of them is silent, or reaches or hears one of the lost. */
  async #gather(
    left: readonly RosterPeer[],
    lost: readonly RosterPeer[],
  ): Promise<ReadonlyMap<PeerId, PeerReport>> {
    const reports = new Map<PeerId, PeerReport>()
    const silent: string[] = []
    const asked = lost.map(({ id, uid, url }) => ({ id, uid, url }))
    const one = async ({ id, uid, url }: RosterPeer) => {
      try {
        const answer = await this.#options.ask(id, { kind: 'report', lost: asked })
        if (answer.kind === 'report' && answer.report.uid === uid) reports.set(id, answer.report)
        else silent.push(`${id} at ${url} (it answers otherwise)`)
      } catch (error) {
        silent.push(`${id} at ${url} (${error instanceof Error ? error.message : String(error)})`)
      }
    }
    await Promise.all(left.map(one))
    const reached = [...reports].find(([, report]) => report.reached.length > 0)
    if (reached) {
      const [by, { reached: ids }] = reached
      throw new HypercastError(
        'PEER_NOT_LOST',
        `Peer ${ids.join(', ')} answers peer ${by}, or is heard there.`,
      )
    }
    if (silent.length > 0)
      throw new HypercastError('PEER_SILENT', `No answer from peer ${silent.join(', ')}.`)
    const led = ledByTheLost(reports)
    if (led) {
      throw new HypercastError(
        'PEER_NOT_LOST',
        `Slot ${led.slot} was led by peer ${led.peer} a moment ago, by a majority with some of those named.`,
      )
    }
    return reports
  }

  /** The roster first, without which nobody goes off the list; then the list, so that the lost have no say any more. */
  async #carryOut({ roster, lost, reports, plan }: Judged, by: string): Promise<Roster> {
    const { log, clock, self, adopt } = this.#options
    const ids = lost.map(({ id }) => id)
    log.warn({ lost: ids, by, slots: plan.slots.length, kept: plan.kept }, 'recovery: begins')
    const left = [...reports.keys()]
    const cleared = plan.slots.map(({ slot }) => slot)
    await this.#all(left, () => ({ kind: 'clear', slots: cleared }))
    // Above all that was ever given out, without knowing what that was: nobody creates a topic every millisecond.
    const incarnation = Math.floor(clock.nowMs())
    const own = plan.slots.find(({ slot }) => slot === roster.slots)
    const judgedVersion = { rosterVersion: roster.version }
    if (own) await this.#goOn([{ ...order(own), ...judgedVersion, incarnation: 0, roster }], own.peer)
    const led = left.find(id =>
      reports.get(id)?.slots.some(({ slot, leads }) => slot === roster.slots && leads),
    )
    const strike = {
      kind: 'strike',
      lost: lost.map(({ id, uid, url }) => ({ id, uid, url })),
      by,
      why: WHY,
    } as const
    const struck = await this.#ask(own?.peer ?? led ?? self, strike)
    const after = struck.kind === 'roster' ? struck.roster : roster
    adopt(after)
    await this.#all(left, () => ({ kind: 'adopt', roster: after }))
    const others = plan.slots.filter(one => one !== own)
    const more = { rosterVersion: after.version, incarnation }
    await Promise.all(
      left.map(async id => {
        const orders = others.filter(({ peer }) => peer === id).map(one => ({ ...order(one), ...more }))
        for (let at = 0; at < orders.length; at += LIMITS.RECOVERY_BATCH_SLOTS) {
          await this.#goOn(orders.slice(at, at + LIMITS.RECOVERY_BATCH_SLOTS), id)
        }
      }),
    )
    log.warn({ lost: ids, version: after.version }, 'recovery: every slot goes on')
    return after
  }

  async #goOn(orders: readonly GoOn[], peer: PeerId): Promise<void> {
    const { log } = this.#options
    for (const { slot, last, lastTerm, term } of orders) {
      const what =
        last === 0 ? 'recovery: a slot is founded anew, empty' : 'recovery: a slot goes on at one peer'
      log.warn({ slot, who: peer, last, lastTerm, term }, what)
    }
    await this.#ask(peer, { kind: 'goOn', orders })
  }

  async #all(peers: readonly PeerId[], ask: (peer: PeerId) => RecoveryAsk): Promise<void> {
    await Promise.all(peers.map(peer => this.#ask(peer, ask(peer))))
  }

  /** Rejects with HypercastError: a peer that does not do its step ends the recovery for now. */
  async #ask(peer: PeerId, ask: RecoveryAsk): Promise<RecoveryAnswer> {
    let answer: RecoveryAnswer
    try {
      answer = await this.#options.ask(peer, ask)
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      throw new HypercastError('RECOVERY_INCOMPLETE', `Peer ${peer} did not answer (${why}).`)
    }
    if (answer.kind !== 'failed') return answer
    const code = answer.code in ERRORS ? (answer.code as ErrorCode) : 'RECOVERY_INCOMPLETE'
    throw new HypercastError(code, answer.detail)
  }
}

function order({ slot, term, last, lastTerm }: SlotPlan): Omit<GoOn, 'rosterVersion' | 'incarnation'> {
  return { slot, term, last, lastTerm }
}

/** Without the roster's slot nobody goes off the list, and nothing may go on next to peers that are still on it. */
function refuseStuckRoster({ roster, plan }: Judged): void {
  const own = plan.stuck.find(({ slot }) => slot === roster.slots)
  if (own === undefined) return
  throw new HypercastError(
    'RECOVERY_INCOMPLETE',
    `Every peer that is left has a corrupt record of the roster’s slot: stop one of ${own.corrupt.join(', ')} and name it as lost too. Nothing was changed.`,
  )
}

/** A roster that has its majority keeps one peer that is not leaving; one that is recovered lets all of them stay. */
function refuseLastPeer({ roster, lost, plan }: Judged): void {
  const isKept = [...plan.slots, ...plan.stuck].every(({ slot }) => slot !== roster.slots)
  const staying = roster.peers.filter(({ leaving }) => !leaving)
  if (!isKept || lost.length === 0 || staying.some(peer => !lost.includes(peer))) return
  throw new HypercastError(
    'LAST_PEER',
    `All peers that are left are leaving, and the roster goes on without a recovery: ${staying.map(({ id }) => id).join(', ')} cannot go off the list until another has joined.`,
  )
}
