import { LIMITS } from '../limits.ts'
import type { Member, RaftStatus } from '../raft/types.ts'
import type { Rosters } from './rosters.ts'
import type { EngineLog } from './settings.ts'
import type { Slot } from './slot.ts'

export interface MoverOptions {
  readonly rosters: Rosters
  readonly slots: ReadonlyMap<number, Slot>
  readonly log: EngineLog
}

/**
 * Moves the slots this peer is primary of to where the roster places them (DESIGN 6): the missing peers become learners,
 * and when they are level a joint configuration makes them voters and lets go of those that are not placed there any
 * more. Whoever is primary next goes on from the configuration it finds. One change per slot at a time, a bounded number
 * of slots at once, so that catching up leaves the publishers their share.
 */
export class Mover {
  readonly #options: MoverOptions

  constructor(options: MoverOptions) {
    this.#options = options
  }

  /** Looks at one slot this peer leads; takes at most one step. */
  look(slot: Slot): void {
    const { rosters } = this.#options
    if (slot.isSettled) return
    const status = slot.raft.status()
    if (status.role !== 'leader' || status.changing || status.transferee !== 0) return
    const { version } = rosters.current
    const { voters, learners = [], rosterVersion } = status.configuration
    if (version < rosterVersion) return
    const placed = rosters.membersOf(rosters.order(slot.slot))
    const missing = placed.filter(member => !names(voters, member))
    if (missing.length === 0) {
      if (placed.length !== voters.length) {
        if (isSound(status, placed)) this.#change(slot, status, version, placed)
      } else if (learners.length > 0) this.#change(slot, status, version, placed)
    } else if (!isSame(missing, learners)) {
      if (learners.length > 0 || this.#underWay() < LIMITS.MAX_MOVING_SLOTS) {
        this.#change(slot, status, version, voters, missing)
      }
    } else if (missing.every(member => isLevel(status, member)) && isSound(status, placed)) {
      this.#change(slot, status, version, placed)
    }
  }

  /** Slots led here whose learners are catching up. */
  #underWay(): number {
    let count = 0
    for (const slot of this.#options.slots.values()) {
      if (slot.isPrimary && (slot.raft.configuration.learners?.length ?? 0) > 0) count++
    }
    return count
  }

  #change(
    slot: Slot,
    { configuration }: RaftStatus,
    rosterVersion: number,
    voters: readonly Member[],
    learners: readonly Member[] = [],
  ): void {
    const begun = slot.raft.changeMembers({ rosterVersion, voters, learners })
    if (typeof begun === 'string') return
    const numbers = (members: readonly Member[] = []) => members.map(({ number }) => number)
    const fields = {
      slot: slot.slot,
      rosterVersion,
      from: numbers(configuration.voters),
      to: numbers(voters),
    }
    this.#options.log.info({ ...fields, learners: numbers(learners) }, 'the slot changes its members')
    slot.settle()
  }
}

function names(members: readonly Member[], { number }: Member): boolean {
  return members.some(member => member.number === number)
}

function isSame(one: readonly Member[], other: readonly Member[]): boolean {
  return one.length === other.length && one.every(member => names(other, member))
}

/**
 * A majority of the new voters can be counted on. In a joint configuration without it nothing is committed any more, not
 * the way back either, though the voters before are all well.
 */
function isSound(status: RaftStatus, placed: readonly Member[]): boolean {
  const sound = placed.filter(member => member.number === status.number || isLevel(status, member))
  return sound.length > placed.length / 2
}

/** Near enough that waiting for it in a joint configuration holds nobody up; judged by the primary. */
export function isLevel({ progress, commit }: RaftStatus, { number }: Pick<Member, 'number'>): boolean {
  const follower = progress.get(number)
  return (
    follower?.state === 'replicate' &&
    follower.recentActive &&
    commit - follower.match <= LIMITS.LEVEL_WITHIN_ENTRIES
  )
}
