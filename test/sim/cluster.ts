import { successors } from '../../services/peer/cube/placement.ts'
import type { Roster } from '../../services/peer/cube/roster.ts'
import { LIMITS } from '../../services/peer/limits.ts'
import type { LogStore } from '../../services/peer/store/types.ts'
import type { SlotNotice } from '../../services/peer/topics/types.ts'
import { Checks } from './checks.ts'
import { Gateway } from './gateway.ts'
import { Ledger } from './ledger.ts'
import type { Life } from './life.ts'
import { Member } from './member.ts'
import { Network } from './network.ts'
import type { Trace } from './trace.ts'
import type { Chance, World } from './world.ts'

/** A whole cube in this thread: the real rooms on virtual time, network and disks. */
export class Cluster {
  readonly world: World
  readonly trace: Trace
  readonly roster: Roster
  readonly network: Network
  readonly members = new Map<string, Member>()
  readonly ledger: Ledger
  readonly checks: Checks
  readonly violations: string[] = []
  readonly #chance: Chance
  readonly #gateways = new WeakMap<Life, Gateway>()

  /** @param wrapStore what the engines see of their stores, if not the stores themselves */
  constructor(
    world: World,
    chance: Chance,
    trace: Trace,
    size: { readonly peers: number; readonly slots: number },
    wrapStore: (store: LogStore) => LogStore = store => store,
  ) {
    this.world = world
    this.trace = trace
    this.#chance = chance
    this.roster = makeRoster(size.peers, size.slots)
    this.network = new Network(world, chance.fork(), trace, this.members)
    this.ledger = new Ledger(what => this.violation(what))
    this.checks = new Checks(this)
    for (const { id } of this.roster.peers) {
      const events = {
        started: (member: Member) => this.checks.started(member),
        ended: (member: Member) => this.network.died(member),
        notice: (member: Member, slot: number, notice: SlotNotice) =>
          this.checks.notice(member, slot, notice),
        violation: (what: string) => this.violation(what),
        store: wrapStore,
      }
      const transport = (member: Member) => this.network.transport(member)
      this.members.set(id, new Member(id, this.roster, world, chance.fork(), trace, events, transport))
    }
  }

  get slots(): readonly number[] {
    return [...Array(this.roster.slots).keys()]
  }

  /** Labels in order of succession, home first. */
  replicas(slot: number): readonly string[] {
    return successors(slot, this.roster, LIMITS.REPLICAS)
  }

  gateway(member: Member): Gateway {
    let gateway = this.#gateways.get(member.life)
    if (!gateway) {
      gateway = new Gateway(member, this.network, this.#chance.fork(), slot => this.replicas(slot))
      this.#gateways.set(member.life, gateway)
    }
    return gateway
  }

  violation(what: string): void {
    this.trace.say('CHECK', what)
    this.violations.push(`at ${(this.world.nowMs / 1_000).toFixed(4)} s: ${what}`)
  }

  /** Reads events of a topic from one replica into the ledger; they must follow each other. Returns how many. */
  readTopic(member: Member, slot: number, name: string, from: number, limit: number): number {
    const topic = member.engine.topic(slot, name)
    if (!topic) return 0
    const start = Math.max(from, topic.earliest)
    const events = member.engine.read(slot, topic.incarnation, start, limit, 100_000)
    const due = Math.min(limit, Math.max(0, topic.latest - start + 1))
    if (due > 0 && events.length === 0) {
      this.violation(
        `${member.id} has nothing of ${name} of slot ${slot} at ${start}, it ends at ${topic.latest}`,
      )
    }
    for (const [i, event] of events.entries()) {
      if (event.offset !== start + i)
        this.violation(`${member.id} gave offset ${event.offset} where ${start + i} was due`)
      this.ledger.saw(member.id, slot, topic.incarnation, event.offset, idOf(event.data))
    }
    return events.length
  }
}

/** The id that an event of the simulator is known by. */
export function idOf(data: Uint8Array): string {
  return Buffer.from(data).toString().trimEnd()
}

function makeRoster(peers: number, slots: number): Roster {
  const dimension = Math.max(1, Math.ceil(Math.log2(peers)))
  const ids = [...Array(peers).keys()].map(i => i.toString(2).padStart(dimension, '0'))
  return {
    ...{ version: 1, clusterId: 'simulated', dimension, slots },
    peers: ids.map((id, i) => ({ id, uid: `uid-${id}`, number: i + 1, url: `http://${id}.invalid` })),
  }
}
