import { isPattern } from '../topics/wants.ts'
import type { SlotScope } from './slot-reads.ts'

/** What a stream over several topics shows: topics and patterns, and what of them is in which slot. */
export interface Selection {
  /** The same for the same wants, in whatever order they are given. */
  readonly key: string
  /** Sorted, each once. */
  readonly wants: readonly string[]
  /** Slots concerned, ascending: those of the topics, and all of them for a pattern. */
  readonly slots: readonly number[]
  /** By slot, in the same order: what is wanted there. */
  readonly scopes: readonly SlotScope[]
}

/** Sorts out where the wants are. */
export function select(
  wants: readonly string[],
  slotCount: number,
  slotOf: (topic: string) => number,
): Selection {
  const sorted = [...new Set(wants)].sort()
  const key = sorted.join('\n')
  const patterns = sorted.filter(isPattern)
  // Slots with nothing but patterns share their list: there may be thousands of selections, each in all slots.
  const bySlot = new Map<number, readonly string[]>()
  if (patterns.length > 0) {
    for (let slot = 0; slot < slotCount; slot += 1) bySlot.set(slot, patterns)
  }
  for (const name of sorted) {
    if (isPattern(name)) continue
    const slot = slotOf(name)
    bySlot.set(slot, [...(bySlot.get(slot) ?? []), name])
  }
  const slots = [...bySlot.keys()].sort((one, other) => one - other)
  // No name or pattern holds a line break.
  const scopes = slots.map(slot => {
    const here = bySlot.get(slot)!
    return { key: `${slot}\n${here.join('\n')}`, slot, wants: here }
  })
  return { key, wants: sorted, slots, scopes }
}
