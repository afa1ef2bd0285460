import type { Settled } from './load/reader.ts'

const MAX_VIOLATIONS = 10

/**
 * What is wrong with what subscribers had of events with the sequences 1 to `published`, in words; empty when each had
 * every event once and all had them in one order. Only one stream's sequences are known; the others are held against it
 * by count and hash.
 */
export function violations(published: number, settled: readonly Settled[]): string[] {
  const found: string[] = []
  const kept = settled.find(one => one.kept !== undefined)?.kept
  if (kept === undefined) return ['no subscriber kept the order of its events']
  found.push(...wrongWith(published, kept))
  const first = hashOf(kept)
  for (const { shapes, garbled, broken } of settled) {
    if (garbled > 0) found.push(`${garbled} events could not be read`)
    if (broken > 0) found.push(`${broken} streams ended by themselves`)
    for (const { count, hash, streams } of shapes) {
      if (count !== published) found.push(`${streams} subscribers had ${count} events of ${published}`)
      else if (hash !== first)
        found.push(`${streams} subscribers had other events, or another order, than the first one`)
    }
  }
  return found.slice(0, MAX_VIOLATIONS)
}

function wrongWith(published: number, kept: Uint32Array): string[] {
  const times = new Uint8Array(published + 1)
  let unknown = 0
  for (const sequence of kept) {
    if (sequence < 1 || sequence > published) unknown += 1
    else if (times[sequence]! < 2) times[sequence]! += 1
  }
  const count = (wanted: number) => times.subarray(1).reduce((sum, one) => sum + (one === wanted ? 1 : 0), 0)
  const found: string[] = []
  if (count(0) > 0) found.push(`${count(0)} events of ${published} did not come`)
  if (count(2) > 0) found.push(`${count(2)} events came twice or more`)
  if (unknown > 0) found.push(`${unknown} events came that nobody published`)
  return found
}

/** As the readers hash. */
function hashOf(sequences: Uint32Array): number {
  return sequences.reduce((hash, sequence) => Math.imul(hash, 0x01000193) ^ sequence, 0x811c9dc5 | 0)
}
