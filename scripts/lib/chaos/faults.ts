import { readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { ChaosCube } from './cube.ts'
import { flipBits, type SmallDisk } from './disk.ts'
import type { Shape } from './pipe.ts'
import type { Random } from './random.ts'
import type { Fault, FaultKind } from './schedule.ts'

export interface FaultTools {
  readonly cube: ChaosCube
  readonly random: Random
  readonly disk: SmallDisk | undefined
  /** Peers whose store is lost: they do not come back in this run. */
  readonly lost: Set<string>
  readonly tell: (text: string) => void
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
const REFUSAL_MS = 5_000

const resets = new WeakMap<Fault, NodeJS.Timeout>()

const startAll: Action['heal'] = async ({ victims }, { cube }) => {
  await Promise.all(victims.map(id => cube.start(id)))
}
const killAll: Action['begin'] = async ({ victims }, { cube }) => {
  await Promise.all(victims.map(id => cube.kill(id)))
}

const ACTIONS: Readonly<Record<FaultKind, Action>> = {
  kill: { begin: killAll, heal: startAll },
  power: { begin: killAll, heal: startAll },
  pause: {
    begin: ({ victims: [peer] }, { cube }) => cube.process(peer!).pause(),
    heal: ({ victims: [peer] }, { cube }) => cube.process(peer!).resume(),
  },
  restart: {
    async begin({ victims: [peer] }, { cube, found }) {
      const { isInOrder, how } = await cube.process(peer!).stop()
      if (!isInOrder) found(`${peer} was asked to stop and did not in order: ${how}`)
    },
    heal: startAll,
  },
  cut: links(() => ({ held: true }), 'both'),
  deaf: links(() => ({ held: true }), 'to'),
  mute: links(() => ({ held: true }), 'from'),
  slow: links(
    ({ strength }) => ({ delayMs: 10 + Math.round(strength * 140), bytesPerS: 262_144 * (2 - strength) }),
    'both',
  ),
  link: {
    begin: (fault, { cube }) => shapeBoth(cube, fault, fault.victims[0]!, fault.other!, { held: true }),
    heal: (fault, { cube }) => shapeBoth(cube, fault, fault.victims[0]!, fault.other!, undefined),
  },
  reset: {
    begin(fault, { cube }) {
      const [peer] = fault.victims
      const resetAll = () => {
        for (const other of cube.ids) if (other !== peer) cube.reset(peer!, other)
      }
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
  flip: losing((store, random) => {
    const files = readdirSync(store).map(name => join(store, name))
    const [largest] = files.sort((one, other) => statSync(other).size - statSync(one).size)
    flipBits(largest!, FLIPPED_PAGES, random)
  }),
  wipe: losing(store => {
    for (const name of readdirSync(store)) rmSync(join(store, name), { recursive: true })
  }),
}

/** Begins a fault. */
export async function beginFault(fault: Fault, tools: FaultTools): Promise<void> {
  await ACTIONS[fault.kind].begin(fault, tools)
}

/** Ends what a fault does, and starts what it ended. */
export async function healFault(fault: Fault, tools: FaultTools): Promise<void> {
  await ACTIONS[fault.kind].heal(fault, tools)
}

/** All links of one peer, for bytes `from` it, `to` it, or both. */
function links(shapeOf: (fault: Fault) => Partial<Shape>, way: 'from' | 'to' | 'both'): Action {
  const shapeAll = (fault: Fault, cube: ChaosCube, shape: Partial<Shape> | undefined) => {
    const [peer] = fault.victims
    for (const other of cube.ids) {
      if (other === peer) continue
      if (way !== 'to') cube.shape(fault, peer!, other, shape)
      if (way !== 'from') cube.shape(fault, other, peer!, shape)
    }
  }
  return {
    begin: (fault, { cube }) => shapeAll(fault, cube, shapeOf(fault)),
    heal: (fault, { cube }) => shapeAll(fault, cube, undefined),
  }
}

function shapeBoth(
  cube: ChaosCube,
  owner: Fault,
  one: string,
  other: string,
  shape: Partial<Shape> | undefined,
): void {
  cube.shape(owner, one, other, shape)
  cube.shape(owner, other, one, shape)
}

/**
 * A peer is killed, its store harmed, and it is started. It may refuse to start, or run without voting where its store
 * is bad; the histories show whether it harms anybody. It counts as lost from then on.
 */
function losing(harm: (store: string, random: Random) => void): Action {
  return {
    async begin({ victims: [peer] }, { cube, random, lost }) {
      lost.add(peer!)
      await cube.kill(peer!)
      harm(cube.plan(peer!).data, random)
    },
    async heal({ victims: [peer] }, { cube, tell }) {
      const started = await Promise.race([
        cube.start(peer!).then(
          () => 'runs',
          (error: Error) => error.message,
        ),
        delay(REFUSAL_MS, 'neither listens nor ends'),
      ])
      tell(`${peer} with its harmed store: ${started}`)
    },
  }
}
