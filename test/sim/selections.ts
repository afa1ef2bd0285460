import { createHash } from 'node:crypto'
import { slotOf } from '../../services/peer/cube/placement.ts'
import { isPattern, WantSet } from '../../services/peer/topics/wants.ts'
import type { PlannedTopic } from './topics.ts'
import type { Chance } from './world.ts'

const PATTERNS = ['**', '*', '*/*', 'trim/*', 'churn/**', '**/old/**', 'aged/*/*', '*/**', 'churn/*/none']
/** Topics that nobody ever creates, wanted all the same. */
const ABSENT = ['never', 'never/there']

/** What a subscriber of several topics asks for. */
export interface Selected {
  readonly wants: readonly string[]
  /** The topics of this run among them. */
  readonly topics: readonly PlannedTopic[]
  /** Slots that the stream's cursors speak of, ascending. */
  readonly slots: readonly number[]
}

/** Some topics by name, of which some come and go, or some patterns, or both. */
export function drawSelection(topics: readonly PlannedTopic[], slots: number, chance: Chance): Selected {
  const wants = new Set<string>()
  const isNamed = chance.yes(0.6)
  if (isNamed) {
    for (let i = chance.int(1, 5); i > 0; i--) wants.add(chance.pick(topics).name)
    if (chance.yes(0.3)) wants.add(chance.pick(ABSENT))
  }
  if (!isNamed || chance.yes(0.4)) {
    for (let i = chance.int(1, 2); i > 0; i--) wants.add(chance.pick(PATTERNS))
  }
  const set = new WantSet([...wants])
  const all = [...Array(slots).keys()]
  const named = [...wants].filter(want => !isPattern(want)).map(want => slotOfName(want, slots))
  return {
    wants: [...wants],
    topics: topics.filter(({ name }) => set.matches(name)),
    slots: set.hasPatterns ? all : all.filter(slot => named.includes(slot)),
  }
}

function slotOfName(name: string, slots: number): number {
  return slotOf(createHash('sha256').update(name).digest(), slots)
}
