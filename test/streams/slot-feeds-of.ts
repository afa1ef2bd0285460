import type { PeerId } from '../../services/peer/cube/labels.ts'
import { Flusher } from '../../services/peer/streams/flusher.ts'
import { SlotFeeds } from '../../services/peer/streams/slot-feeds.ts'
import { FakeReplica, SLOT, type World } from './world.ts'

/** The live events of the slot as a peer of the world has them that serves no streams, for whoever taps them. */
export function slotFeedsOf(
  world: World,
  self: PeerId,
  parents: readonly PeerId[],
  random: () => number = () => 0.5,
): SlotFeeds {
  const { clock } = world
  return new SlotFeeds({
    self,
    slots: world.replicas.get(self) ?? new FakeReplica(world.log, false),
    slotCount: SLOT + 1,
    clock,
    random,
    log: { debug() {} },
    links: world.trunks.of(self),
    parentsOf: () => parents,
    askPrimary() {},
    flusher: new Flusher(clock, 2),
    bufferBytes: 65_536,
    stallTimeoutMs: 30_000,
  })
}
