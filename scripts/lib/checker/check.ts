import { type Anomaly, Findings } from './anomalies.ts'
import { checkFinals, keptOf } from './finals.ts'
import type { Operation } from './operations.ts'
import { checkStreams } from './polls.ts'
import { checkReads } from './reads.ts'
import { checkAnswers, checkBatches } from './sends.ts'
import { examine, TopicOperations } from './topic.ts'

export type { Anomaly, AnomalyKind } from './anomalies.ts'

export interface CheckOptions {
  /**
   * A stream may be served by a replica that has not heard of a deletion yet (P5: what is kept is still served), so
   * that one opened after the deletion may deliver the old life. False unless said otherwise.
   */
  readonly allowStaleStreams?: boolean
  /** Whether retention may take events of a topic away; without it any topic's. */
  readonly isTrimmed?: (topic: string) => boolean
  /**
   * Whether every topic that was acknowledged to somebody must have a final read. Without it, whether the history has
   * final reads at all: who reads some topics at the end reads all.
   */
  readonly expectFinals?: boolean
}

/**
 * Every broken promise that the clients' history proves (`AnomalyKind` says of each what it means), empty when there is
 * none. Of each kind the first 20 found are described and the others counted in one more line.
 *
 * It takes time in proportion to the history (the few operations that are sorted by time aside), and memory in
 * proportion to its different events. The operations of one client must stand in the order in which they happened.
 */
export function checkHistory(operations: readonly Operation[], options: CheckOptions = {}): Anomaly[] {
  const topics = new Map<string, TopicOperations>()
  for (const operation of operations) {
    let topic = topics.get(operation.topic)
    if (topic === undefined) {
      topic = new TopicOperations()
      topics.set(operation.topic, topic)
    }
    topic.add(operation)
  }
  const findings = new Findings()
  const isExpected = options.expectFinals ?? operations.some(({ kind }) => kind === 'final')
  for (const [topic, operationsOfTopic] of topics) {
    const examined = examine(topic, operationsOfTopic, findings)
    checkAnswers(examined)
    checkReads(examined)
    const subscribers = checkStreams(examined, {
      kept: keptOf(operationsOfTopic.finals),
      allowStale: options.allowStaleStreams ?? false,
    })
    checkFinals(examined, subscribers, { isTrimmed: options.isTrimmed?.(topic) ?? true, isExpected })
    checkBatches(examined)
  }
  return findings.list()
}
