import type { Chance } from '../../../test/sim/world.ts'
import type { SimulatedCube } from './cube.ts'
import { publish } from './events.ts'
import type { SimulatedPeer } from './peer.ts'
import { type Spread, spreadOf } from './spread.ts'

/** Primaries taken away, each way. */
const LOSSES = { killed: 8, silent: 3 }
/** The same in a large cube, where each takes much longer to simulate. */
const FEW_LOSSES = { killed: 4, silent: 1 }
const LARGE_PEERS = 128
/** Peers must be known to be up before one of them goes. */
const CALM_MS = 500

/** Virtual milliseconds from the loss of a primary to the acknowledgement of a publish made at that moment. */
export interface FailoverFigures {
  /** The primary's process is killed: connections to it close. */
  readonly killed: Spread
  /** How often such a publish was sent on until it was acknowledged. */
  readonly sentOn: Spread
  /** Nothing comes from it any more, and nobody is told. */
  readonly silent: Spread
}

/** Takes primaries away one after the other; each is back before the next goes. */
export async function measureFailover(cube: SimulatedCube, chance: Chance): Promise<FailoverFigures> {
  const topics = new Map<number, string>()
  const killed: number[] = []
  const sentOn: number[] = []
  const silent: number[] = []
  const losses = cube.ids.length < LARGE_PEERS ? LOSSES : FEW_LOSSES
  for (let number = 0; number < losses.killed + losses.silent; number++) {
    const slot = chance.int(0, cube.roster.slots - 1)
    const topic = topics.get(slot) ?? cube.topicIn(slot)
    if (!topics.has(slot)) await cube.create(topic)
    topics.set(slot, topic)
    const [home, ...successors] = cube.placed(slot).map(id => cube.peer(id)) as [
      SimulatedPeer,
      ...SimulatedPeer[],
    ]
    const through = chance.pick(others(cube, home, successors))
    await cube.run(CALM_MS + chance.between(0, cube.settings.heartbeatMs))
    const sinceMs = cube.world.nowMs
    const before = cube.tally.hops
    if (number < losses.killed) {
      home.kill()
      await publish(cube, through, topic, `kill ${number}`)
      killed.push(cube.world.nowMs - sinceMs)
      sentOn.push(cube.tally.hops - before)
      await cube.restart(home)
    } else {
      cube.network.cutOff(home.id)
      await publish(cube, through, topic, `silence ${number}`)
      silent.push(cube.world.nowMs - sinceMs)
      cube.network.mend(home.id)
      await cube.until(`${home.id} is primary again`, () => cube.isSettled())
    }
  }
  return { killed: spreadOf(killed), sentOn: spreadOf(sentOn), silent: spreadOf(silent) }
}

/** Peers to publish through: none of the slot's replicas, where there are others. */
function others(
  cube: SimulatedCube,
  home: SimulatedPeer,
  successors: readonly SimulatedPeer[],
): SimulatedPeer[] {
  const replicas = [home, ...successors]
  const apart = cube.live.filter(peer => !replicas.includes(peer))
  return apart.length > 0 ? apart : [...successors]
}
