import type { PeerId } from '../cube/labels.ts'
import { successorsOf } from '../cube/placement.ts'
import type { Roster } from '../cube/roster.ts'
import type { PeerReport, SlotReport } from '../engine/recovery-wire.ts'
import { LIMITS } from '../limits.ts'
import { majority } from '../raft/configuration.ts'
import { isAsGoodAs } from '../raft/log-end.ts'
import type { Configuration, LogEnd, Member } from '../raft/types.ts'

/** How one slot goes on that has lost its majority. */
export interface SlotPlan {
  readonly slot: number
  /** The peer it goes on at. */
  readonly peer: PeerId
  /** Above every term that any peer knows that is left. */
  readonly term: number
  /** The end of the log that goes on; both 0 when no log is left and the slot is founded anew, empty. */
  readonly last: number
  readonly lastTerm: number
  /** Peers that are left and whose own copy cannot be read: it may hold more, and is given up. */
  readonly corrupt: readonly PeerId[]
}

/** A slot that can neither go on nor be founded, unless somebody gives up the copies that cannot be read. */
export interface StuckSlot {
  readonly slot: number
  /** The peers that are left and have such a copy. */
  readonly corrupt: readonly PeerId[]
}

export interface RecoveryPlan {
  /** By slot. */
  readonly slots: readonly SlotPlan[]
  /** Slots that have a primary with a quorum, or can elect one: they are left alone. */
  readonly kept: number
  /**
   * Slots of which only copies are left that cannot be read. The roster's own is one only if every peer has such a copy:
   * what it holds is known to all of them.
   */
  readonly stuck: readonly StuckSlot[]
}

/** What one peer holds of a slot. */
interface Copy extends SlotReport {
  readonly peer: PeerId
}

/**
 * What is to become of every slot, judged by what the peers hold that are left.
 * @param roster as it is without the lost
 * @param reports of all peers of that roster
 */
export function planRecovery(roster: Roster, reports: ReadonlyMap<PeerId, PeerReport>): RecoveryPlan {
  const { bySlot, terms } = gather(reports)
  const slots: SlotPlan[] = []
  const stuck: StuckSlot[] = []
  let kept = 0
  for (let slot = 0; slot <= roster.slots; slot++) {
    const copies = bySlot.get(slot) ?? []
    if (isAlive(copies)) {
      kept += 1
      continue
    }
    const order = successorsOf(slot, roster, LIMITS)
    // The order decides between equals.
    const place = ({ peer }: Copy) => (order.includes(peer) ? order.indexOf(peer) : order.length)
    const term = (terms.get(slot) ?? 0) + LIMITS.RECOVERY_SKIP
    const best = bestCopy([...copies].sort((one, other) => place(one) - place(other)))
    const corrupt = [...reports].filter(([, report]) => report.corrupt.includes(slot)).map(([id]) => id)
    if (best) {
      slots.push({ slot, peer: best.peer, term, last: best.last, lastTerm: endOf(best).term, corrupt })
      continue
    }
    const peer = [...order, ...reports.keys()].find(id => reports.has(id) && !corrupt.includes(id))
    const mayFound = corrupt.length === 0 || slot === roster.slots
    if (peer === undefined || !mayFound) stuck.push({ slot, corrupt })
    else slots.push({ slot, peer, term, last: 0, lastTerm: 0, corrupt })
  }
  return { slots, kept, stuck }
}

/**
 * A peer that leads a slot although those that are left are no majority of it: some of the lost have just confirmed it,
 * so they are not lost. Undefined when there is none.
 */
export function ledByTheLost(
  reports: ReadonlyMap<PeerId, PeerReport>,
): { readonly peer: PeerId; readonly slot: number } | undefined {
  const left = new Set([...reports.values()].map(({ uid }) => uid))
  const isMajority = (members: readonly Member[]) =>
    members.filter(({ uid }) => left.has(uid)).length >= majority(members.length)
  for (const [peer, { slots }] of reports) {
    for (const { slot, leads, configuration } of slots) {
      if (leads && !votersOf(configuration).every(isMajority)) return { peer, slot }
    }
  }
  return undefined
}

/** All copies of each slot, and the highest term that anybody knows of it. */
function gather(reports: ReadonlyMap<PeerId, PeerReport>) {
  const bySlot = new Map<number, Copy[]>()
  const terms = new Map<number, number>()
  const note = (slot: number, term: number) => terms.set(slot, Math.max(terms.get(slot) ?? 0, term))
  for (const [peer, { slots, promised }] of reports) {
    for (const report of slots) {
      const copies = bySlot.get(report.slot) ?? []
      bySlot.set(report.slot, copies)
      copies.push({ ...report, peer })
      note(report.slot, Math.max(report.term, report.floor?.term ?? 0))
    }
    for (const [slot, term] of promised) note(slot, term)
  }
  return { bySlot, terms }
}

/** The roster as it will be without these peers: what is left is placed by it. */
export function withoutPeers(roster: Roster, uids: ReadonlySet<string>): Roster {
  const peers = roster.peers.filter(({ uid }) => !uids.has(uid))
  // Those that meant to leave stay when nobody else does.
  const isLeft = peers.some(({ leaving }) => !leaving)
  return { ...roster, peers: isLeft ? peers : peers.map(({ leaving: _, ...peer }) => peer) }
}

/** Whether the slot has a primary with a quorum, or one of those left can become it. */
function isAlive(copies: readonly Copy[]): boolean {
  return copies.some(copy => copy.leads || canWin(copy, copies))
}

/** By the rules of elections (paper 5.4.1): a quorum of its own configuration is left and would vote for it. */
function canWin(candidate: Copy, copies: readonly Copy[]): boolean {
  const sets = votersOf(candidate.configuration)
  if (candidate.floor !== undefined || !sets.some(set => names(set, candidate.number))) return false
  const end = endOf(candidate)
  const votes = ({ number }: Member) =>
    copies.some(copy => copy.number === number && (copy === candidate || wouldVote(copy, end)))
  return sets.every(set => set.length > 0 && set.filter(votes).length >= majority(set.length))
}

/** A majority of each set is a quorum. */
function votersOf({ voters, outgoing }: Configuration): readonly (readonly Member[])[] {
  return outgoing === undefined ? [voters] : [voters, outgoing]
}

function wouldVote(copy: Copy, end: LogEnd): boolean {
  return isAsGoodAs(end, endOf(copy)) && (copy.floor === undefined || isAsGoodAs(end, copy.floor))
}

/**
 * The log that goes on: of those that hold everything that any of them knows to be committed, the one that would win an
 * election against the others. The first condition is not implied by the second: a member may have learned of an old
 * entry that it is committed, because a later leader among the lost committed it, and another one that this leader never
 * reached have a tail of a higher term that was never committed.
 * @param copies the first of equals is taken
 */
function bestCopy(copies: readonly Copy[]): Copy | undefined {
  let known: Copy | undefined
  for (const copy of copies) if (copy.last > 0 && copy.commit > (known?.commit ?? -1)) known = copy
  if (known === undefined) return undefined
  const committed = { index: known.commit, term: termAt(known, known.commit) }
  let best: Copy | undefined
  for (const copy of copies) {
    const agrees = committed.term !== undefined && termAt(copy, committed.index) === committed.term
    const holds = copy.commit >= committed.index || agrees
    if (copy.last === 0 || !holds) continue
    if (best === undefined || !isAsGoodAs(endOf(best), endOf(copy))) best = copy
  }
  return best
}

/** Where a log ends. */
function endOf({ last, terms }: SlotReport): LogEnd {
  return { index: last, term: terms.at(-1)?.[1] ?? 0 }
}

/** Undefined outside of what was told: before the commit index, behind the end, and where terms were left out. */
function termAt({ last, terms }: SlotReport, index: number): number | undefined {
  const at = terms.findLastIndex(([from]) => from <= index)
  const isLeftOut = at === 0 && terms.length >= LIMITS.RECOVERY_TERMS && index > terms[0]![0]
  return index > last || isLeftOut ? undefined : terms[at]?.[1]
}

function names(members: readonly Member[], number: number): boolean {
  return members.some(member => member.number === number)
}
