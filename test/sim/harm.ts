import type { Cluster } from './cluster.ts'
import type { Member } from './member.ts'
import type { Operator } from './operator.ts'
import type { Chance } from './world.ts'

/** One kind of fault. */
export interface FaultKind {
  /** The windows or strikes it opens are counted under this name; undefined when its effects are counted one by one. */
  readonly counted: string | undefined
  /** Shortest and longest mean time between two, in milliseconds; a seed draws its own from between. */
  readonly meanMs: readonly [low: number, high: number]
  /** Share of the seeds that have this kind at all. */
  readonly share?: number
  /** Does it; false when there was nothing to do it to. */
  strike(harm: Harm): boolean
}

/** What every kind of fault works with: the cluster, chance, and a way to undo what was done. */
export class Harm {
  readonly cluster: Cluster
  readonly chance: Chance
  readonly operator: Operator
  /** A bit was flipped: what that harmed stays harmed until the disk is replaced. */
  hasFlipped = false
  /** The machine whose disk flips bits: a minority of every slot's replicas. */
  readonly #victim: string
  readonly #count: (kind: string) => void
  readonly #isActive: () => boolean
  /** What lasts for a while, each at most once at a time. */
  readonly #windows = new Set<string>()

  constructor(
    cluster: Cluster,
    chance: Chance,
    operator: Operator,
    count: (kind: string) => void,
    isActive: () => boolean,
  ) {
    this.cluster = cluster
    this.chance = chance
    this.#count = count
    this.#isActive = isActive
    this.operator = operator
    this.#victim = this.anyone().machine
  }

  /** The one peer whose disk flips bits; undefined when it has left. */
  get victim(): Member | undefined {
    return [...this.cluster.members.values()].find(({ machine }) => machine === this.#victim)
  }

  anyone(): Member {
    return this.chance.pick([...this.cluster.members.values()])
  }

  /** Two different machines: there are never fewer than two. */
  pair(): readonly [Member, Member] {
    const members = [...this.cluster.members.values()]
    const [one] = members.splice(this.chance.int(0, members.length - 1), 1)
    return [one!, this.chance.pick(members)]
  }

  say(who: string, what: string): void {
    this.cluster.trace.say(who, what)
  }

  fired(kind: string): void {
    this.#count(kind)
  }

  /** Undoes something after a while, unless everything was healed before. */
  later(lowMs: number, highMs: number, undo: () => void): void {
    this.cluster.world.after(this.chance.between(lowMs, highMs), () => {
      if (this.#isActive()) undo()
    })
  }

  /** Something that lasts for a while; false when the same lasts already. */
  window(name: string, lowMs: number, highMs: number, begin: () => void, end: () => void): boolean {
    if (this.#windows.has(name)) return false
    this.#windows.add(name)
    begin()
    this.later(lowMs, highMs, () => {
      this.#windows.delete(name)
      end()
    })
    return true
  }
}
