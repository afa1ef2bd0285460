import type { Roster } from '../../services/peer/cube/roster.ts'
import {
  type ChangeOutcome,
  changeRoster,
  type RosterChange,
} from '../../services/peer/cube/roster-change.ts'
import { Rosters } from '../../services/peer/engine/rosters.ts'
import { LIMITS } from '../../services/peer/limits.ts'
import type { Dispatcher, Operation, OperationResult } from '../../services/peer/links/types.ts'
import type { Configuration } from '../../services/peer/raft/types.ts'
import type { Request } from '../../services/peer/topics/types.ts'
import { FakeClock } from '../engine/fake-clock.ts'

const SLOTS = 4

/** A cube of so many peers, all of whose slots stand where they belong. */
export function rosterOf(count: number): Roster {
  const peers = Array.from({ length: count }, (_, at) => ({
    id: at.toString(2).padStart(2, '0'),
    uid: `uid-${at}`,
    number: at + 1,
    url: `http://127.0.0.1:${at + 1}`,
  }))
  return { version: 1, clusterId: 'c', dimension: 2, slots: SLOTS, peers }
}

/** A cluster behind a dispatcher: its roster's log, and where its slots stand. */
export class World {
  readonly clock = new FakeClock()
  readonly rosters: Rosters
  /** What the log holds; this peer goes by `rosters.current`. */
  committed: Roster
  /** Changes in the order in which they were applied. */
  readonly applied: string[] = []
  /** Slots without a primary. */
  readonly lost = new Set<number>()
  /** Slots that stay where they are; the others follow the roster at once. */
  readonly stuck = new Map<number, Configuration>()
  /** Numbers of members that no primary counts as level. */
  readonly behind = new Set<number>()
  /** Primaries run a version that does not say who is level. */
  isOld = false
  /** Slots whose members were asked for, in order. */
  readonly asked: number[] = []
  /** Peers that are heard of. */
  readonly up = new Set<string>()
  /** Peers that answer a question whether they are there. */
  readonly reached = new Set<string>()
  /** Where they say then that they are; one that is not named here does not say. */
  readonly places = new Map<string, string>()
  /** Called before a change is applied. */
  onAppend: () => void = () => {}

  constructor(peers: number) {
    this.committed = rosterOf(peers)
    this.rosters = new Rosters(this.committed)
  }

  readonly dispatcher: Dispatcher = {
    append: async (request: Request) => {
      this.onAppend()
      if (request.kind !== 'roster') throw new Error('only the roster is here')
      const outcome = this.apply(request.change)
      if (outcome.kind === 'refused') {
        const { code, detail } = outcome
        return this.#appended({ kind: 'refused', code, detail })
      }
      return this.#appended({ kind: 'roster', roster: outcome.roster, changed: outcome.kind === 'changed' })
    },
    dispatch: async (operation: Operation, deadlineMs: number) => {
      if (operation.kind === 'ping') {
        const url = this.places.get(operation.peer)
        const pong = { kind: 'pong', ...(url && { url }) } as const
        return { result: this.reached.has(operation.peer) ? pong : failed, path: [] }
      }
      if (operation.kind !== 'members') throw new Error(`nobody answers ${operation.kind}`)
      const { slot } = operation
      this.asked.push(slot)
      const isLate = deadlineMs <= this.clock.monotonicMs()
      if (isLate || this.lost.has(slot)) return { result: failed, path: [] }
      const placed = new Rosters(this.committed)
      const voters = placed.membersOf(placed.order(slot))
      const configuration = this.stuck.get(slot) ?? { rosterVersion: this.committed.version, voters }
      const { voters: members, learners = [] } = configuration
      const level = [...members, ...learners]
        .map(({ number }) => number)
        .filter(number => !this.behind.has(number))
      const said = this.isOld ? {} : { level }
      return { result: { kind: 'members', configuration, ...said, primary: '00' }, path: [] }
    },
  }

  /** A change reaches the log. */
  apply(change: RosterChange): ChangeOutcome {
    const outcome = changeRoster(this.committed, change, 0, LIMITS)
    if (outcome.kind !== 'refused') this.committed = outcome.roster
    if (outcome.kind === 'changed') this.applied.push(change.kind)
    return outcome
  }

  #appended(result: Extract<OperationResult, { kind: 'appended' }>['result']) {
    return {
      result: { kind: 'appended', result, replicas: 3, primary: '00' },
      path: [],
      slot: SLOTS,
    } as const
  }
}

const failed = { kind: 'failed', code: 'NO_PRIMARY', definite: true } as const
