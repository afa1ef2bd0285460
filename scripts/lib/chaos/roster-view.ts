import { dimensionFor, formatLabel, type PeerId, parseLabel } from '../../../services/peer/cube/labels.ts'
import { replicasOf } from '../../../services/peer/cube/placement.ts'
import type { Roster } from '../../../services/peer/cube/roster.ts'
import { LIMITS } from '../../../services/peer/limits.ts'

/** A peer by the name this run gave its machine, and the corner it stands on. */
export interface Corner {
  readonly name: string
  readonly id: PeerId
}

/** The cube as a roster has it, with the run's own names; nothing of it changes. */
export class RosterView {
  readonly version: number
  readonly dimension: number
  readonly slots: number
  /** Sorted by corner. */
  readonly corners: readonly Corner[]
  /** The replicas of every slot by name, the home first; the last slot is the roster's own. */
  readonly placements: readonly (readonly string[])[]

  constructor(version: number, dimension: number, slots: number, corners: readonly Corner[]) {
    this.version = version
    this.dimension = dimension
    this.slots = slots
    this.corners = [...corners].sort((one, other) => parseLabel(one.id) - parseLabel(other.id))
    const peers = this.corners.map(({ id }, index) => ({ id, uid: id, number: index + 1, url: id }))
    const roster: Roster = { version, clusterId: '', dimension, slots, peers }
    const nameOf = new Map(this.corners.map(({ name, id }) => [id, name]))
    this.placements = Array.from({ length: slots + 1 }, (_, slot) =>
      replicasOf(slot, roster, LIMITS).map(id => nameOf.get(id)!),
    )
  }

  /** A cube that is founded by these, from corner 0 on. */
  static founded(names: readonly string[], slots: number): RosterView {
    const dimension = dimensionFor(names.length)
    const corners = names.map((name, corner) => ({ name, id: formatLabel(corner, dimension) }))
    return new RosterView(1, dimension, slots, corners)
  }

  get names(): string[] {
    return this.corners.map(({ name }) => name)
  }

  /** As it is when one more has joined, on the lowest free corner. */
  with(name: string): RosterView {
    const taken = new Set(this.corners.map(({ id }) => parseLabel(id)))
    const dimension = this.dimension + (taken.size === 2 ** this.dimension ? 1 : 0)
    let corner = 0
    while (taken.has(corner)) corner += 1
    const corners = [...this.corners, { name, id: formatLabel(corner, dimension) }]
    return new RosterView(this.version + 1, dimension, this.slots, corners)
  }

  /** As it is when one has gone. */
  without(name: string): RosterView {
    const rest = this.corners.filter(corner => corner.name !== name)
    return new RosterView(this.version + 1, this.dimension, this.slots, rest)
  }
}
