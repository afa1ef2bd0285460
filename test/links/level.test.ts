import t from 'tap'
import type { SlotStatus } from '../../services/peer/engine/types.ts'
import { LIMITS } from '../../services/peer/limits.ts'
import { Executor } from '../../services/peer/links/execute.ts'
import type { ProgressStatus } from '../../services/peer/raft/types.ts'
import { FakeClock } from '../engine/fake-clock.ts'
import { MemorySlots } from '../support/memory-slots.ts'

const COMMIT = 1_000
const level: ProgressStatus = { match: COMMIT, state: 'replicate', recentActive: true }

/** A slot as its primary, member 1, sees it. */
class Led extends MemorySlots {
  override status(slot: number): SlotStatus {
    const { raft, ...status } = super.status(slot)
    const progress = new Map<number, ProgressStatus>([
      [2, level],
      [3, { ...level, match: COMMIT - LIMITS.LEVEL_WITHIN_ENTRIES }],
      [4, { ...level, match: COMMIT - LIMITS.LEVEL_WITHIN_ENTRIES - 1 }],
      [5, { ...level, recentActive: false }],
      [6, { ...level, state: 'probe' }],
    ])
    return { ...status, raft: { ...raft, commit: COMMIT, progress } }
  }
}

t.test(
  'the answer for a slot’s members names those that are heard of and hold all but the last of it',
  async t => {
    const executor = new Executor('0', 'http://here', new Led('0', 1, new FakeClock()), () => 0)
    const outcome = await executor.execute({ kind: 'members', slot: 0 }, Number.POSITIVE_INFINITY)
    t.match(outcome, { kind: 'done', result: { kind: 'members', level: [1, 2, 3] } })
  },
)
