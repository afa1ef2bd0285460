import type { WriteStep } from '../../services/peer/store/memory.ts'
import type { FaultKind, Harm } from './harm.ts'
import type { Member } from './member.ts'

/** Writes until the one that a crash meets. */
const MAX_WRITES_TO_CRASH = 40

const POWER_LOSS = 'loses power'
const TORN_WRITE = 'torn write'

const CRASHES: readonly (readonly [step: WriteStep, kind: string])[] = [
  ['before', 'crash before a write'],
  ['taken', 'crash during a write'],
  ['durable', 'crash after a write'],
]

/** Ends a process at once: of the writes under way, the first few may have landed. Starts it again after a while. */
function kill(harm: Harm, member: Member, lowMs: number, highMs: number, how: string): boolean {
  if (member.life.isDead) return false
  const { pendingWrites } = member.disk
  const landed = harm.chance.int(0, pendingWrites)
  if (how === POWER_LOSS && landed < pendingWrites) harm.fired(TORN_WRITE)
  member.kill(landed, how)
  harm.later(lowMs, highMs, () => member.start())
  return true
}

function all(harm: Harm, strike: (member: Member) => boolean): boolean {
  return [...harm.cluster.members.values()].filter(strike).length > 0
}

/**
 * Ends the process at a step of its n-th write from now on. A power loss leaves the write half done, which lmdb
 * discards whole (memory.ts); kill -9 may leave it to the kernel, which finishes it.
 */
function crashAtWrite(harm: Harm, step: WriteStep, isPowerLoss: boolean, kind: string): boolean {
  const member = harm.anyone()
  const { disk } = member
  let left = harm.chance.int(1, MAX_WRITES_TO_CRASH)
  const onStep = (at: WriteStep) => {
    if (at !== step || --left > 0 || member.life.isDead) return
    disk.onStep = () => {}
    const { pendingWrites } = disk
    const landed = harm.chance.int(0, isPowerLoss ? Math.max(0, pendingWrites - 1) : pendingWrites)
    harm.fired(kind)
    member.kill(landed, isPowerLoss ? POWER_LOSS : `is killed at a write (${step})`)
    harm.later(50, 4_000, () => member.start())
  }
  const begin = () => {
    disk.onStep = onStep
  }
  return harm.window(`crash ${member.host}`, 1_000, 5_000, begin, () => {
    if (disk.onStep === onStep) disk.onStep = () => {}
  })
}

/** SIGTERM. */
function stop(harm: Harm): boolean {
  const member = harm.anyone()
  if (!member.isUp || member.life.isPaused) return false
  member.stop()
  harm.later(2_000, 5_000, () => member.start())
  return true
}

/** SIGSTOP, and SIGCONT later. */
function pause(harm: Harm): boolean {
  const member = harm.anyone()
  if (!member.isUp || member.life.isPaused) return false
  const { life } = member
  harm.say(member.name, 'is paused')
  life.pause()
  harm.later(100, 5_000, () => {
    harm.say(member.name, 'is continued')
    life.resume(harm.cluster.world)
  })
  return true
}

export const PROCESS_FAULTS: readonly FaultKind[] = [
  {
    counted: 'kill',
    meanMs: [2_000, 20_000],
    strike: harm => kill(harm, harm.anyone(), 50, 4_000, 'is killed'),
  },
  {
    counted: 'restart',
    meanMs: [4_000, 25_000],
    strike: harm => kill(harm, harm.anyone(), 0, 50, 'is restarted'),
  },
  {
    counted: 'all restarted',
    meanMs: [8_000, 40_000],
    strike: harm => all(harm, member => kill(harm, member, 0, 500, 'is restarted')),
  },
  { counted: 'stop', meanMs: [4_000, 25_000], strike: stop },
  { counted: 'pause', meanMs: [3_000, 20_000], strike: pause },
  {
    counted: 'power loss',
    meanMs: [4_000, 25_000],
    strike: harm => kill(harm, harm.anyone(), 200, 5_000, POWER_LOSS),
  },
  {
    counted: 'power loss of all',
    meanMs: [8_000, 40_000],
    strike: harm => all(harm, member => kill(harm, member, 200, 5_000, POWER_LOSS)),
  },
  {
    counted: undefined,
    meanMs: [3_000, 20_000],
    strike: harm => crashAtWrite(harm, 'taken', true, TORN_WRITE),
  },
  ...CRASHES.map(([step, kind]) => ({
    counted: undefined,
    meanMs: [3_000, 20_000] as const,
    strike: (harm: Harm) => crashAtWrite(harm, step, false, kind),
  })),
]
