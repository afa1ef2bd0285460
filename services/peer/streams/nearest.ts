import type { SlotLogs } from '../engine/types.ts'
import { LIMITS } from '../limits.ts'
import type { Dispatcher, Operation, OperationResult } from '../links/types.ts'
import type { Slice } from './source.ts'

/** What answers: the replicas of this peer, and the way to those of others. */
export interface Replicas<Reads extends keyof SlotLogs = never> {
  readonly slots: Pick<SlotLogs, 'holds' | Reads>
  readonly dispatcher: Pick<Dispatcher, 'dispatch'>
}

/** One life of a topic. */
export interface TopicLife {
  readonly slot: number
  readonly topic: string
  readonly incarnation: number
}

type Answer<Kind> = Extract<OperationResult, { kind: Kind }>

/** What the replica here says by `read`; undefined where there is none, or it cannot say. */
export function readHere<Result>(
  slots: Pick<SlotLogs, 'holds'>,
  slot: number,
  read: () => Result | undefined,
): Result | undefined {
  if (!slots.holds(slot)) return undefined
  try {
    return read()
  } catch {
    // A bad record: the engine says so and repairs the replica; another one has it.
    return undefined
  }
}

/**
 * What the replica here says by `read`, else what any other answers to `operation` until `deadlineMs` (monotonic). Null:
 * nobody gave an answer of this kind in time. Never rejects.
 */
export async function readNearest<Kind extends OperationResult['kind']>(
  { slots, dispatcher }: Replicas,
  operation: Operation & { readonly slot: number },
  kind: Kind,
  read: () => Answer<Kind> | undefined | Promise<Answer<Kind> | undefined>,
  deadlineMs: number,
): Promise<Answer<Kind> | null> {
  const given = readHere(slots, operation.slot, read)
  const here = given instanceof Promise ? await given.catch(() => undefined) : given
  if (here !== undefined) return here
  const { result } = await dispatcher.dispatch(operation, deadlineMs)
  return result.kind === kind ? (result as Answer<Kind>) : null
}

/** The same for events of a topic: from `from` on, at most `maxEvents`, bounded in bytes. */
export function readTopic(
  replicas: Replicas<'topic' | 'read'>,
  { slot, topic, incarnation }: TopicLife,
  from: number,
  maxEvents: number,
  deadlineMs: number,
): Promise<Slice | null> {
  const { slots } = replicas
  const maxBytes = LIMITS.REPLAY_BYTES
  const read = () => {
    const row = slots.topic(slot, topic)
    if (row?.incarnation !== incarnation) return undefined
    const events = slots.read(slot, incarnation, from, maxEvents, maxBytes)
    return { kind: 'events', events, earliest: row.earliest, latest: row.latest } as const
  }
  const operation = { kind: 'read', slot, topic, incarnation, from, maxEvents, maxBytes } as const
  return readNearest(replicas, operation, 'events', read, deadlineMs)
}
