import { slope } from './figures.ts'

/** What one of several peers had left after full collections, at one moment. */
export interface SettledSample {
  readonly seconds: number
  readonly peer: string
  readonly heapMiB: number
  /** Outside the heap, array buffers included. */
  readonly externalMiB: number
}

/** A process as it stands, not collected. */
export interface Look {
  readonly seconds: number
  readonly residentMiB: number
  readonly files: number
  readonly streams: number
}

/** How one peer's memory that is in use goes on. */
export interface Growth {
  readonly peer: string
  /** Heap and what is outside it, at the first look that counts and at the last. */
  readonly firstMiB: number
  readonly lastMiB: number
  /** Over all looks that count, by least squares. */
  readonly perMinuteMiB: number
}

/** The highest resident memory in the last third of the looks that count, and in those before. */
export interface Plateau {
  readonly beforeMiB: number
  readonly lastMiB: number
}

/** Each peer's growth over the samples from `fromS` on; none of a peer that has fewer than two. */
export function growth(samples: readonly SettledSample[], fromS: number): Growth[] {
  const late = samples.filter(({ seconds }) => seconds >= fromS)
  return [...new Set(late.map(({ peer }) => peer))].flatMap(peer => {
    const points = late
      .filter(one => one.peer === peer)
      .map(one => [one.seconds / 60, one.heapMiB + one.externalMiB] as const)
    const [first] = points
    const last = points.at(-1)
    if (!first || !last || points.length < 2) return []
    return [{ peer, firstMiB: first[1], lastMiB: last[1], perMinuteMiB: slope(points) }]
  })
}

/**
 * Resident memory goes up and down with the collector, which gives pages back late or not at all; what must not be is that it
 * goes higher and higher. NaN where nothing was looked at.
 */
export function plateau(looks: readonly Look[], fromS: number): Plateau {
  const late = looks.filter(({ seconds }) => seconds >= fromS)
  const third = late.length - Math.floor(late.length / 3)
  const highest = (some: readonly Look[]) =>
    some.length === 0 ? Number.NaN : Math.max(...some.map(({ residentMiB }) => residentMiB))
  return { beforeMiB: highest(late.slice(0, third)), lastMiB: highest(late.slice(third)) }
}

/** By the minute, from `fromS` on, by least squares. */
export function perMinute(looks: readonly Look[], fromS: number, of: (look: Look) => number): number {
  return slope(
    looks.filter(({ seconds }) => seconds >= fromS).map(look => [look.seconds / 60, of(look)] as const),
  )
}
