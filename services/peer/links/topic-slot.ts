import { hash } from 'node:crypto'
import { slotOf } from '../cube/placement.ts'

/** The slot of a topic in a cluster of `slots` topic slots, by the SHA-256 of its name in UTF-8. */
export function topicSlot(topic: string, slots: number): number {
  return slotOf(hash('sha256', topic, 'buffer'), slots)
}
