import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { ChaosCube } from './cube.ts'
import { flipBits, type SmallDisk } from './disk.ts'
import type { FaultKind } from './kinds.ts'
import type { Way } from './network.ts'
import type { Shape } from './pipe.ts'
import type { Random } from './random.ts'
import type { Fault } from './schedule.ts'

export interface FaultTools {
  readonly cube: ChaosCube
  readonly random: Random
  readonly disk: SmallDisk | undefined
  /** Peers whose store has flipped bits: they may refuse it, or end when they meet one. */
  readonly damaged: Set<string>
  readonly tell: (text: string) => void
  /** For the report: what became of a store with flipped bits. */
  readonly count: (what: string) => void
  /** A peer does not behave as it must. */
  readonly found: (text: string) => void
}

/** A fault of one kind: what begins it, and what ends it. */
interface Action {
  begin(fault: Fault, tools: FaultTools): Promise<void> | void
  heal(fault: Fault, tools: FaultTools): Promise<void> | void
}

/** Between two resets of a peer's connections. */
const RESET_EVERY_MS = 200
const FLIPPED_PAGES = 40
/** Free bytes on a disk that is down to its reserve but not full. */
const LOW_DISK_BYTES = 12 * 1_048_576
/** A peer that neither listens nor ends by then does not come to terms with its store. */
const START_TIMEOUT_MS = 30_000
/** Time for a peer to meet a flipped bit and to get a new store by itself. */
const REPAIR_MS = 30_000
const LOOK_EVERY_MS = 500
/** Of the peers that join and of those that move: those that are killed and not asked to stop. */
const KILLED = 0.4

const resets = new WeakMap<Fault, NodeJS.Timeout>()

const startAll: Action['heal'] = async ({ victims }, { cube }) => {
  await Promise.all(victims.map(name => cube.start(name)))
}
const killAll: Action['begin'] = async ({ victims }, { cube }) => {
  await Promise.all(victims.map(name => cube.kill(name)))
}
const stop: Action['begin'] = async ({ victims: [peer] }, { cube, found }) => {
  const { isInOrder, how } = await cube.process(peer!).stop()
  if (!isInOrder) found(`${peer} was asked to stop and did not in order: ${how}`)
}

const ACTIONS: Readonly<Record<FaultKind, Action>> = {
  kill: { begin: killAll, heal: startAll },
  power: { begin: killAll, heal: startAll },
  pause: {
    begin: ({ victims: [peer] }, { cube }) => cube.process(peer!).pause(),
    heal: ({ victims: [peer] }, { cube }) => cube.process(peer!).resume(),
  },
  restart: { begin: stop, heal: startAll },
  cut: shaping(({ victims: [peer] }) => [{ from: peer! }, { to: peer! }]),
  deaf: shaping(({ victims: [peer] }) => [{ to: peer! }]),
  mute: shaping(({ victims: [peer] }) => [{ from: peer! }]),
  link: shaping(({ victims: [one], other }) => [
    { from: one!, to: other! },
    { from: other!, to: one! },
  ]),
  slow: shaping(
    ({ victims: [peer] }) => [{ from: peer! }, { to: peer! }],
    ({ strength }) => ({ delayMs: 10 + Math.round(strength * 140), bytesPerS: 262_144 * (2 - strength) }),
  ),
  reset: {
    begin(fault, { cube }) {
      const resetAll = () => cube.network.reset(fault.victims[0]!)
      resetAll()
      resets.set(fault, setInterval(resetAll, RESET_EVERY_MS))
    },
    heal: fault => clearInterval(resets.get(fault)),
  },
  disk: {
    // Half of them down to the reserve, where publishes are refused; half with no byte left, where writes fail.
    begin: ({ strength }, { disk }) => disk?.fill(strength < 0.5 ? LOW_DISK_BYTES : 0),
    async heal({ victims: [peer] }, { cube, disk, tell }) {
      disk?.free()
      if (cube.running.includes(peer!)) return
      tell(`${peer} had ended, its disk is free again: it is started`)
      await cube.start(peer!)
    },
  },
  wipe: {
    async begin({ victims: [peer] }, { cube }) {
      await cube.kill(peer!)
      cube.wipe(peer!)
    },
    heal: startAll,
  },
  flip: {
    async begin({ victims: [peer] }, { cube, random, damaged }) {
      await cube.kill(peer!)
      const store = cube.data(peer!)
      const files = readdirSync(store).map(name => join(store, name))
      const [largest] = files.sort((one, other) => statSync(other).size - statSync(one).size)
      flipBits(largest!, FLIPPED_PAGES, random)
      damaged.add(peer!)
    },
    heal: repair,
  },
  move: {
    begin: async (fault, tools) => {
      await (fault.strength < KILLED ? killAll : stop)(fault, tools)
      await tools.cube.relocate(fault.victims[0]!)
    },
    heal: startAll,
  },
  join: {
    async begin({ victims: [peer], strength, forMs }, { cube, tell }) {
      await cube.join(peer!)
      if (strength >= KILLED) return
      await delay(forMs * (strength / KILLED))
      tell(`${peer} is killed while it joins`)
      await cube.kill(peer!)
    },
    heal: startAll,
  },
  leave: {
    async begin({ victims: [peer] }, { cube, found }) {
      const { isInOrder, how } = await cube.leave(peer!)
      if (!isInOrder) found(`${peer} left and did not end in order: ${how}`)
    },
    heal: () => {},
  },
  evict: {
    begin: killAll,
    async heal({ victims: [peer], other }, { cube, tell }) {
      await cube.evicted(peer!)
      cube.bury(peer!)
      tell(`${peer} is evicted, ${other} joins`)
      await cube.join(other!)
    },
  },
}

/** Begins a fault. */
export async function beginFault(fault: Fault, tools: FaultTools): Promise<void> {
  await ACTIONS[fault.kind].begin(fault, tools)
}

/** Ends what a fault does, and starts what it ended. */
export async function healFault(fault: Fault, tools: FaultTools): Promise<void> {
  await ACTIONS[fault.kind].heal(fault, tools)
}

/** What a fault does to the bytes that go some ways; without a shape nothing passes. */
function shaping(
  waysOf: (fault: Fault) => readonly Way[],
  shapeOf: (fault: Fault) => Partial<Shape> = () => ({ held: true }),
): Action {
  return {
    begin: (fault, { cube }) => cube.network.shape(fault, waysOf(fault), shapeOf(fault)),
    heal: (fault, { cube }) => cube.network.shape(fault, [], undefined),
  }
}

/**
 * A peer with flipped bits is started. Where it meets one, it gets a new store by itself; a store that it cannot run
 * on is a lost disk, and emptied. Bits that nobody met by then go with the disk, too: two peers that have some at a
 * time could cost a slot its majority.
 */
async function repair({ victims: [peer] }: Fault, tools: FaultTools): Promise<void> {
  const { cube, damaged, tell, count } = tools
  const before = await cube.listedStore(peer!)
  const refusal = await Promise.race([
    cube.start(peer!).catch((error: Error) => error.message),
    delay(START_TIMEOUT_MS, 'it neither listens nor ends'),
  ])
  if (refusal !== undefined) return takeDiskOut(peer!, refusal, 'refused', tools)
  const untilMs = performance.now() + REPAIR_MS
  while (damaged.has(peer!) && performance.now() < untilMs) {
    const listed = await cube.listedStore(peer!)
    if (listed !== undefined && listed !== before) {
      damaged.delete(peer!)
      tell(`${peer} met a flipped bit and has a new store`)
      count('replaced by itself')
      return
    }
    await delay(LOOK_EVERY_MS)
  }
  if (damaged.has(peer!)) await takeDiskOut(peer!, 'no flipped bit was met', 'not met', tools)
}

/** A peer whose store is damaged is given an empty disk; `what` is counted. */
export async function takeDiskOut(
  peer: string,
  why: string,
  what: string,
  { cube, damaged, tell, count }: FaultTools,
): Promise<void> {
  damaged.delete(peer)
  tell(`the disk of ${peer} is taken out: ${why}`)
  count(what)
  await cube.kill(peer)
  cube.wipe(peer)
  await cube.start(peer)
}
