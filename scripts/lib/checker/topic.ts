import type { Findings } from './anomalies.ts'
import { TopicLog } from './log.ts'
import type {
  Barrier,
  Close,
  Create,
  Delete,
  End,
  Final,
  Gap,
  Open,
  Operation,
  Poll,
  Position,
  Send,
} from './operations.ts'
import { type Sight, Timeline } from './timeline.ts'

/** What happens to one subscriber. */
export type StreamOperation = Open | Position | Poll | Gap | End | Close

/** One topic's operations, sorted by kind, each in the order recorded. */
export class TopicOperations {
  readonly sends: Send[] = []
  readonly creates: Create[] = []
  readonly deletes: Delete[] = []
  readonly barriers: Barrier[] = []
  readonly finals: Final[] = []
  readonly streams: StreamOperation[] = []
  /** What subscribers were given or came with, as it tells of lives. */
  readonly sights: Sight[] = []

  add(operation: Operation): void {
    switch (operation.kind) {
      case 'send':
        this.sends.push(operation)
        break
      case 'create':
        this.creates.push(operation)
        break
      case 'delete':
        this.deletes.push(operation)
        break
      case 'barrier':
        this.barriers.push(operation)
        break
      case 'final':
        this.finals.push(operation)
        break
      case 'open':
        if (operation.after !== undefined) this.sights.push({ ...operation, ...operation.after })
        this.streams.push(operation)
        break
      case 'position':
      case 'poll':
      case 'gap':
        this.sights.push(operation)
        this.streams.push(operation)
        break
      default:
        this.streams.push(operation)
    }
  }
}

/** One topic under examination: its operations, what is derived from them, and where anomalies go. */
export interface Examined {
  readonly topic: string
  readonly operations: TopicOperations
  readonly log: TopicLog
  readonly timeline: Timeline
  readonly findings: Findings
}

/** Derives version order and timeline; no event is noted in the log yet. */
export function examine(topic: string, operations: TopicOperations, findings: Findings): Examined {
  const log = new TopicLog(topic, findings)
  for (const send of operations.sends) log.sent(send)
  return { topic, operations, log, timeline: new Timeline(operations, log), findings }
}

/** A moment in a description. */
export function at(ms: number): string {
  return `at ${Math.round(ms)} ms`
}
