import type { RosterNote } from '../../services/peer/cube/roster.ts'
import type { Cluster } from './cluster.ts'
import { type FaultKind, Harm } from './harm.ts'
import { CLOCK_FAULTS } from './harm-clock.ts'
import { BIT_FLIPS, DISK_FAULTS } from './harm-disk.ts'
import { NETWORK_FAULTS } from './harm-network.ts'
import { PROCESS_FAULTS } from './harm-process.ts'
import { OUTAGES, ROSTER_FAULTS } from './harm-roster.ts'
import { FLUSH_MS, type Member } from './member.ts'
import { Operator } from './operator.ts'
import { drawSwarm, type Swarm } from './swarm.ts'
import type { Chance } from './world.ts'

const KINDS = [...NETWORK_FAULTS, ...PROCESS_FAULTS, ...DISK_FAULTS, ...CLOCK_FAULTS]

/** Share of the seeds in which the roster changes, and of those in which peers that are silent are evicted. */
const CHANGING_SHARE = 0.75
const EVICTING_SHARE = 0.6
const MIN_EVICT_AFTER_MS = 1_500
const MAX_EVICT_AFTER_MS = 3_000

/** Between two attempts to start what ended although everything is healed. */
const REVIVE_MS = 1_000

/**
 * Does harm at random times, and undoes it again; which kinds and how often, each seed draws for itself.
 * What counts as one: a message that was lost, delayed, doubled or reordered; a window in which links are cut or
 * clogged, a disk is slow, below its reserve or full, a clock is off; a process that was ended, paused or stopped; a
 * write that a power loss tore; a flipped bit; a home that got its slot back.
 */
export class Faults {
  readonly counts: Record<string, number> = {}
  readonly #cluster: Cluster
  readonly #chance: Chance
  readonly #harm: Harm
  readonly #swarm: Swarm
  readonly #operator: Operator
  /** The roster changes in this seed. */
  readonly #isChanging: boolean
  #isActive = false

  constructor(cluster: Cluster, chance: Chance) {
    this.#cluster = cluster
    this.#chance = chance
    const count = (kind: string) => this.#count(kind)
    this.#operator = new Operator(cluster, chance.fork())
    this.#operator.onDone = count
    this.#harm = new Harm(cluster, chance, this.#operator, count, () => this.#isActive)
    this.#isChanging = chance.yes(CHANGING_SHARE)
    const isEvicting = this.#isChanging && chance.yes(EVICTING_SHARE)
    if (isEvicting) cluster.evictAfterMs = chance.between(MIN_EVICT_AFTER_MS, MAX_EVICT_AFTER_MS)
    // A slot that is left to two replicas, as evictions may leave it, cannot bear that one of them is harmed unseen.
    const kinds = [...KINDS, ...(isEvicting ? OUTAGES : BIT_FLIPS)]
    this.#swarm = drawSwarm(this.#isChanging ? [...kinds, ...ROSTER_FAULTS] : kinds, chance)
    cluster.onRoster = ({ change }) => change && count(nameOf(change))
    cluster.network.onHarm = count
    const watch = (member: Member) => {
      member.onReclaimed = () => count('home transfer')
    }
    for (const member of cluster.members.values()) watch(member)
    cluster.onMember = watch
  }

  start(): void {
    this.#isActive = true
    for (const [kind, meanMs] of this.#swarm) this.#plan(kind, meanMs)
  }

  /** Ends all harm: whoever is down starts, links carry, disks are quick and have room, clocks are right. */
  heal(): void {
    this.#isActive = false
    const { network, members, trace, world } = this.#cluster
    trace.say('faults', 'heal')
    network.heal()
    for (const member of members.values()) {
      member.clock.skewMs = 0
      member.clock.setWall()
      member.clock.driftMonotonic(0)
      member.flushMs = FLUSH_MS
      member.disk.capacityBytes = Number.MAX_SAFE_INTEGER
      member.disk.onStep = () => {}
      member.life.resume(world)
    }
    this.#revive()
  }

  /** What of the changes of the roster is not done yet; undefined when nothing is. */
  unfinished(): string | undefined {
    return this.#operator.unfinished
  }

  /** Starts whoever is down; what was under way before the healing may still end somebody. */
  #revive(): void {
    for (const member of this.#cluster.members.values()) member.start()
    this.#operator.sweep()
    const { victim, hasFlipped } = this.#harm
    // Where peers come and go, a slot may have to move to one that cannot serve it: somebody replaces its disk.
    if (this.#isChanging && hasFlipped && victim && isDamaged(victim)) this.#operator.repair(victim)
    this.#cluster.world.after(REVIVE_MS, () => this.#revive())
  }

  /** A Poisson process: the time to the next is exponential. */
  #plan(kind: FaultKind, meanMs: number): void {
    const delayMs = -Math.log(1 - this.#chance.next()) * meanMs
    this.#cluster.world.after(delayMs, () => {
      if (!this.#isActive) return
      if (kind.strike(this.#harm) && kind.counted !== undefined) this.#count(kind.counted)
      this.#plan(kind, meanMs)
    })
  }

  #count(kind: string): void {
    this.counts[kind] = (this.counts[kind] ?? 0) + 1
  }
}

/** What a change of the roster is called when it is counted. */
function nameOf({ kind, why }: RosterNote): string {
  if (kind !== 'evict') return `roster: ${kind}`
  return why.startsWith('silent') ? 'roster: evicted for its silence' : 'roster: evicted by hand'
}

function isDamaged(member: Member): boolean {
  return member.isLost || member.disk.flipped().length > 0
}
