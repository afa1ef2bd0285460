import type { FaultKind, Harm } from './harm.ts'

/** Greatest rates by which clocks run fast or slow: far beyond what quartz does, and what NTP corrects. */
const MAX_WALL_DRIFT = 0.05
const MAX_MONOTONIC_DRIFT = 0.01

/** A wall clock is set wrong and, after a while, right. */
function jump(harm: Harm): boolean {
  const { name, clock } = harm.anyone()
  const skewMs = harm.chance.pick([-60_000, -4_000, 4_000, 60_000])
  const begin = () => {
    harm.say(name, `its clock jumps by ${skewMs} ms`)
    clock.skewMs = skewMs
  }
  return harm.window(`jump ${name}`, 500, 6_000, begin, () => {
    harm.say(name, 'its clock jumps back')
    clock.skewMs = 0
  })
}

/** A wall clock runs fast or slow until it is set right. */
function driftWall(harm: Harm): boolean {
  const { name, clock } = harm.anyone()
  const rate = harm.chance.between(-MAX_WALL_DRIFT, MAX_WALL_DRIFT)
  const begin = () => {
    harm.say(name, `its wall clock drifts by ${(rate * 100).toFixed(2)} %`)
    clock.driftWall(rate)
  }
  return harm.window(`wall ${name}`, 3_000, 20_000, begin, () => {
    harm.say(name, 'its wall clock is set')
    clock.setWall()
  })
}

/** A monotonic clock, and all timers, run fast or slow. */
function driftMonotonic(harm: Harm): boolean {
  const { name, clock } = harm.anyone()
  const rate = harm.chance.between(-MAX_MONOTONIC_DRIFT, MAX_MONOTONIC_DRIFT)
  const begin = () => {
    harm.say(name, `its monotonic clock drifts by ${(rate * 100).toFixed(2)} %`)
    clock.driftMonotonic(rate)
  }
  return harm.window(`monotonic ${name}`, 3_000, 20_000, begin, () => {
    harm.say(name, 'its monotonic clock is right')
    clock.driftMonotonic(0)
  })
}

export const CLOCK_FAULTS: readonly FaultKind[] = [
  { counted: 'clock jump', meanMs: [4_000, 20_000], strike: jump },
  { counted: 'wall clock drift', meanMs: [3_000, 15_000], strike: driftWall },
  { counted: 'monotonic clock drift', meanMs: [3_000, 15_000], strike: driftMonotonic },
]
