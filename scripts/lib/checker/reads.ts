import { comparePlaces, formatPlace } from './log.ts'
import { at, type Examined } from './topic.ts'

/**
 * Checks the linearizable reads and the creations of a topic: `stale-read`, `deleted-stays-deleted`.
 */
export function checkReads({ topic, operations, timeline, findings }: Examined): void {
  for (const { client, fromMs, toMs, found } of operations.barriers) {
    const reached = timeline.reached.before(fromMs)
    const asked = () => `${topic}: ${client} asked ${at(fromMs)} and found`
    if (found === null) {
      if (reached !== undefined && !timeline.deaths.mayBeOver(reached.incarnation, toMs)) {
        findings.add('stale-read', () => `${asked()} no topic, and ${reached.by()}`)
      }
      continue
    }
    const place = { incarnation: found.incarnation, offset: found.latest }
    const over = timeline.over.before(fromMs)
    if (over !== undefined && found.incarnation <= over.incarnation) {
      findings.add('deleted-stays-deleted', () => `${asked()} ${formatPlace(place)}, and ${over.by()}`)
    } else if (reached !== undefined && comparePlaces(place, reached) < 0) {
      findings.add('stale-read', () => `${asked()} ${formatPlace(place)}, and ${reached.by()}`)
    }
  }
  for (const { client, fromMs, outcome, incarnation } of operations.creates) {
    if (outcome !== 'acknowledged' || incarnation === undefined) continue
    const over = timeline.over.before(fromMs)
    if (over === undefined || incarnation > over.incarnation) continue
    findings.add(
      'deleted-stays-deleted',
      () => `${topic}: ${client} created life ${incarnation} ${at(fromMs)}, and ${over.by()}`,
    )
  }
}
