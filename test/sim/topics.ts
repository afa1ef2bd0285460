import { createHash } from 'node:crypto'
import { slotOf } from '../../services/peer/cube/placement.ts'
import type { TopicSettings } from '../../services/peer/topics/types.ts'

/**
 * What becomes of a topic in a run: `keep` keeps all its events, of `trim` retention takes away by changing bounds,
 * of `aged` by age alone, `churn` comes and goes.
 */
export type TopicKind = 'keep' | 'trim' | 'aged' | 'churn'

/** One topic of a run; its name decides on its slot as everywhere. */
export interface PlannedTopic {
  readonly name: string
  readonly slot: number
  readonly kind: TopicKind
}

/** All kinds. */
export const KINDS: readonly TopicKind[] = ['keep', 'trim', 'aged', 'churn']
const UNLIMITED: TopicSettings = { maxAgeMs: null, maxEvents: null, maxBytes: null }

/** Settings that a topic is created with. */
export const FIRST_SETTINGS: Readonly<Record<TopicKind, TopicSettings>> = {
  keep: UNLIMITED,
  trim: { ...UNLIMITED, maxEvents: 8 },
  aged: { ...UNLIMITED, maxAgeMs: 20_000 },
  churn: UNLIMITED,
}

/** How names begin: some have segments, for patterns to match. */
const STEMS: Readonly<Record<TopicKind, string>> = {
  keep: 'keep',
  trim: 'trim/old',
  aged: 'aged/old/very',
  churn: 'churn/new',
}

/** One topic of each kind for each slot. */
export function planTopics(slots: number): readonly PlannedTopic[] {
  const topics: PlannedTopic[] = []
  for (const kind of KINDS) {
    for (let slot = 0; slot < slots; slot++) topics.push({ name: nameIn(kind, slot, slots), slot, kind })
  }
  return topics
}

function nameIn(kind: TopicKind, slot: number, slots: number): string {
  for (let salt = 0; ; salt++) {
    const name = `${STEMS[kind]}-${salt}`
    if (slotOf(createHash('sha256').update(name).digest(), slots) === slot) return name
  }
}

/** Whether retention may take events of a topic away. */
export function isTrimmed(topic: string): boolean {
  return kindOf(topic) === 'trim' || kindOf(topic) === 'aged'
}

/** The kind that a planned topic's name tells. */
export function kindOf(name: string): TopicKind {
  return name.split(/[-/]/, 1)[0] as TopicKind
}
