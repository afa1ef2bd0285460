import type { Engine } from '../../../services/peer/engine/engine.ts'
import { SlotError } from '../../../services/peer/engine/types.ts'
import type { RaftStatus } from '../../../services/peer/raft/types.ts'
import type { Cluster } from '../cluster.ts'
import type { Elections } from './elections.ts'
import type { Logs } from './logs.ts'
import type { Replica } from './slot-disk.ts'

export interface LeadersOptions {
  readonly everyone: Cluster['everyone']
  readonly logs: Logs
  /** Those of all members. */
  readonly replicas: (slot: number) => readonly Replica[]
}

/** What leaders know and have not said: read from the engines, so that checks need not wait for a message. */
export class Leaders {
  readonly #options: LeadersOptions

  constructor(options: LeadersOptions) {
    this.#options = options
  }

  /** What the leaders there are know to be committed counts, also where none of them has said so yet. */
  claim(slot: number): void {
    const { logs, replicas } = this.#options
    const leaders = replicas(slot).filter(one => this.commitOf(one, one.written.term) > 0)
    for (const leader of leaders.sort((one, other) => one.written.term - other.written.term)) {
      logs.claimed(leader, leader.written.term, this.commitOf(leader))
    }
  }

  /** Who votes alone leads, and commits, without a message that would show it. */
  ledAlone(replica: Replica, elections: Elections): void {
    const { configuration, term } = replica.written
    if (configuration?.voters.length !== 1 || configuration.outgoing !== undefined) return
    const raft = this.statusOf(replica)
    if (raft?.role === 'leader' && raft.term === term) elections.ledBy(replica, term)
  }

  /** Commit index of a member that leads now, in this term if one is given; 0 of one that does not. */
  commitOf(replica: Replica, term?: number): number {
    const raft = this.statusOf(replica)
    if (raft === undefined) return 0
    return raft.role === 'leader' && (term ?? raft.term) === raft.term ? raft.commit : 0
  }

  /** Also of a slot that the peer holds and is no voter of; undefined when it does not hold it, or does not run. */
  statusOf({ slot, peer }: Replica): RaftStatus | undefined {
    const { engine, isUp } = this.#options.everyone.get(peer)!
    return isUp ? raftOf(engine, slot) : undefined
  }
}

/** Undefined without a replica, also one that has no vote yet. */
export function raftOf(engine: Engine, slot: number): RaftStatus | undefined {
  try {
    return engine.status(slot).raft
  } catch (error) {
    if (error instanceof SlotError) return undefined
    throw error
  }
}
