import type { Roster } from '../../services/peer/cube/roster.ts'
import type { Configuration } from '../../services/peer/raft/types.ts'
import type { LogStore } from '../../services/peer/store/types.ts'
import type { SlotNotice } from '../../services/peer/topics/types.ts'
import type { Member } from './member.ts'

/** What the cluster wants to know of its members. */
export interface MemberEvents {
  /** It takes part in the cube, until the signal is given. */
  started(member: Member, signal: AbortSignal): void
  /** It was told to stop: from now on it takes nothing new from clients. */
  stopping(member: Member): void
  /** Its engine has stopped; resolves when what stands above it has too. */
  stopped(member: Member): Promise<void>
  /** The roster does not list it any more, and it knows. */
  removed(member: Member): void
  /** A sign of life of another peer. */
  heard(member: Member, from: Member): void
  /** It goes by this roster now. */
  roster(member: Member, roster: Roster): void
  /** The process ended, for whatever reason. */
  ended(member: Member): void
  notice(member: Member, slot: number, notice: SlotNotice): void
  /** A notice of a replica that had said that it is gone, and is in again. */
  told(slot: number, notice: SlotNotice): void
  /** Its replica of the slot is about to be told of notices, from the first one on. */
  follows(member: Member, slot: number): void
  /** Who takes part in a slot, asked through what stands above the engine. */
  members(member: Member, slot: number, deadlineMs: number): Promise<Configuration | null>
  violation(what: string): void
  /** The store as its engine sees it; a test may put something broken in its place. */
  store(store: LogStore): LogStore
}

/** Who a member is. */
export interface MemberIdentity {
  /** The machine it runs on, which outlives a disk that is replaced. */
  readonly machine: string
  /** Where it is reached. */
  readonly host: string
  /** Names its disk: never used again for another one. */
  readonly name: string
}
