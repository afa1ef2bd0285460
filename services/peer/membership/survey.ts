import type { Roster } from '../cube/roster.ts'
import { Rosters } from '../engine/rosters.ts'
import { LIMITS } from '../limits.ts'
import type { Dispatcher } from '../links/types.ts'
import type { Configuration } from '../raft/types.ts'

/** Where all slots of the cube stand, as their primaries say. */
export interface Survey {
  /** The roster it was held against. */
  readonly roster: Roster
  /** By slot; null where nobody answered. The last one is the roster's own. */
  readonly configurations: readonly (Configuration | null)[]
  /** By slot: numbers of the members that are heard of and hold all but the last of it; undefined where nobody says. */
  readonly level: readonly (readonly number[] | undefined)[]
  /** Slots that do not stand where the roster places them yet. */
  readonly moving: number
  /** About how many bytes of events are still to be copied until they do. */
  readonly bytesToMove: number
  /** Replicas with a vote that are not heard of, or hold less than their slot's primary: it can spare no other one. */
  readonly behind: number
  /** Slots nobody answered for: without a majority, perhaps. */
  readonly unknown: number
}

/**
 * Asks the primary of every slot who takes part in it: each answer is confirmed by a quorum, all together are of no
 * one moment. Never rejects. `deadlineMs` is monotonic.
 */
export async function survey(dispatcher: Dispatcher, rosters: Rosters, deadlineMs: number): Promise<Survey> {
  const roster = rosters.current
  const configurations = new Array<Configuration | null>(roster.slots + 1).fill(null)
  const level = new Array<readonly number[] | undefined>(roster.slots + 1).fill(undefined)
  let bytesToMove = 0
  let next = 0
  const ask = async (): Promise<void> => {
    for (let slot = next++; slot < configurations.length; slot = next++) {
      const { result } = await dispatcher.dispatch({ kind: 'members', slot }, deadlineMs)
      if (result.kind !== 'members') continue
      configurations[slot] = result.configuration
      level[slot] = result.level
      bytesToMove += result.bytesToMove ?? 0
    }
  }
  await Promise.all(Array.from({ length: LIMITS.SURVEYS_AT_ONCE }, ask))
  const unknown = configurations.filter(configuration => configuration === null).length
  const moving = configurations.filter(
    (configuration, slot) => configuration !== null && !rosters.settles(slot, configuration),
  ).length
  const behind = configurations.flatMap((configuration, slot) =>
    (configuration?.voters ?? []).filter(voter => !isLevelIn(level[slot], voter.number)),
  ).length
  return { roster, configurations, level, moving, bytesToMove, behind, unknown }
}

/** Whether a member holds its slot; of a primary that runs a version which does not say so, it is believed. */
export function isLevelIn(level: readonly number[] | undefined, number: number): boolean {
  return level === undefined || level.includes(number)
}

/**
 * Slots that would be left to voters of which no majority can be counted on, if this member were on its way out. A peer
 * that is no voter yet becomes one when it is level, and not before.
 */
export function leftUnsound({ roster, configurations, level }: Survey, number: number): number[] {
  const peers = roster.peers.map(peer =>
    peer.number === number ? { ...peer, leaving: true as const } : peer,
  )
  // The last one may not go, which is not for this to say.
  if (peers.every(({ leaving }) => leaving)) return []
  const after = new Rosters({ ...roster, peers })
  return configurations.flatMap((configuration, slot) => {
    if (configuration === null) return [slot]
    const { voters, outgoing = [] } = configuration
    const votes = new Set([...voters, ...outgoing].map(member => member.number))
    const placed = after.membersOf(after.order(slot))
    const sound = placed.filter(one => isLevelIn(level[slot], one.number) || !votes.has(one.number))
    return sound.length > placed.length / 2 ? [] : [slot]
  })
}

/** Whether any slot's configuration may name the member: one that nobody told of may. */
export function mayBeNamed({ configurations }: Survey, number: number): boolean {
  return configurations.some(configuration => {
    if (configuration === null) return true
    const { voters, outgoing = [], learners = [] } = configuration
    return [...voters, ...outgoing, ...learners].some(member => member.number === number)
  })
}
