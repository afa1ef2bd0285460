import { SlotError } from '../../../services/peer/engine/types.ts'
import type { RaftStatus } from '../../../services/peer/raft/types.ts'
import type { Cluster } from '../cluster.ts'
import type { Elections } from './elections.ts'
import type { Logs } from './logs.ts'
import type { Replica } from './slot-disk.ts'

export interface LeadersOptions {
  readonly cluster: Cluster
  readonly logs: Logs
  readonly replica: (slot: number, uid: string) => Replica
}

/** What leaders know and have not said: read from the engines, so that checks need not wait for a message. */
export class Leaders {
  readonly #options: LeadersOptions

  constructor(options: LeadersOptions) {
    this.#options = options
  }

  /** What the leaders there are know to be committed counts, also where none of them has said so yet. */
  claim(slot: number): void {
    const { cluster, logs, replica } = this.#options
    const replicas = [...cluster.members.values()].map(({ uid }) => replica(slot, uid))
    const leaders = replicas.filter(one => this.commitOf(one, one.written.term) > 0)
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
    const { engine, isUp } = this.#options.cluster.everyone.get(peer)!
    if (!isUp) return undefined
    try {
      return engine.status(slot).raft
    } catch (error) {
      if (error instanceof SlotError) return undefined
      throw error
    }
  }
}
