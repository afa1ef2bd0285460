/**
 * What the checker can find. "Jepsen" is the Kafka workload, jepsen.tests.kafka in jepsen-io/jepsen, whose version
 * order, `must-have-committed?` and cases are used here; P1 to P7 are the promises of the README. Unlike Kafka's, our
 * offsets are dense: 1, 2, 3 … within one incarnation of a topic, so a jump is a skip whoever knows what lies between.
 *
 * - `lost-write`: an event that was acknowledged, or seen, or in one batch with a seen one, is not in the final log,
 *   though retention has not reached it and nobody can have deleted the topic: a deletion ends one life, once. Jepsen `lost-write-cases`; P1.
 * - `unseen`: the final log goes on behind the place of a subscriber whose stream was open to the last. Jepsen `unseen`,
 *   here for each subscriber; P2, P6. What a subscriber jumped over is a `poll-skip`.
 * - `unread`: a topic that was acknowledged to somebody has no final read, though one is expected: the checks of the final
 *   log would pass in silence.
 * - `duplicate`: one event at two offsets. Jepsen `duplicate-cases`; P3.
 * - `inconsistent-offsets`: two events at one offset, whoever says so: an answer, a subscriber or a final read; or an
 *   answer that names no place at all. Jepsen `inconsistent-offsets` (the errors of `version-orders`); P2.
 * - `G1a`: aborted read: an event was seen all of whose publishes were refused for good. Jepsen `g1a-cases`; P4.
 * - `phantom`: an event was seen that nobody published to this topic. Jepsen throws `no-writer-of`; P2.
 * - `poll-skip`: a subscriber was given an offset beyond the one that was next, without a gap; or was told of a gap over
 *   events that the log still has; or was led to resume beyond what it was given. Jepsen
 *   `poll-skip+nonmonotonic-cases`; P2, P7.
 * - `nonmonotonic-poll`: a subscriber was given an offset at or below the last one, or a resumed stream one at or below
 *   `after`, or an earlier life of the topic. Jepsen, as above; P2.
 * - `int-poll-skip`, `int-nonmonotonic-poll`: the same two within one delivery, or within one final read. Jepsen
 *   `int-poll-skip+nonmonotonic-cases`; P2.
 * - `nonmonotonic-send`: a publish was given a place at or before one that was known before it was sent: of the same
 *   client (Jepsen `nonmonotonic-send-cases`) or of any other (linearizability); P2.
 * - `int-send-skip`, `int-nonmonotonic-send`: the events of one batch do not stand side by side, or in another order.
 *   Jepsen `int-send-skip+nonmonotonic-cases`; P2.
 * - `idempotency`: two acknowledgements under one key name different places, and no deletion lies between. P3.
 * - `stale-read`: a linearizable read, or a final one, finds less than was acknowledged, or than an earlier such read
 *   had found, before it began; or no topic where no deletion can have ended it by then, as when it lives on later. Herlihy and Wing's linearizability; P1.
 * - `deleted-stays-deleted`: after a deletion was acknowledged, or a later life was known, a publish sent later is
 *   acknowledged in the old life, a read begun later finds it, or a stream opened later delivers it; or a stream goes
 *   on with a life that it was told is over. DESIGN.md, incarnation; P2.
 * - `false-end`: a subscriber was told that a life of the topic is over which no deletion can have ended by then. P2.
 * - `replicas-differ`: two peers' final reads are not the same. P6; Raft's state-machine safety, as clients see it.
 */
export type AnomalyKind =
  | 'lost-write'
  | 'unseen'
  | 'unread'
  | 'duplicate'
  | 'inconsistent-offsets'
  | 'G1a'
  | 'phantom'
  | 'poll-skip'
  | 'nonmonotonic-poll'
  | 'int-poll-skip'
  | 'int-nonmonotonic-poll'
  | 'nonmonotonic-send'
  | 'int-send-skip'
  | 'int-nonmonotonic-send'
  | 'idempotency'
  | 'stale-read'
  | 'deleted-stays-deleted'
  | 'false-end'
  | 'replicas-differ'

/** A broken promise. `what` is one line: topic, ids, offsets, clients, times. */
export interface Anomaly {
  readonly kind: AnomalyKind
  readonly what: string
}

/** Of one kind; the others are counted. */
const MAX_DESCRIBED = 20

/** Collects anomalies; of a history that is wrong everywhere it describes some and counts the rest. */
export class Findings {
  readonly #described: Anomaly[] = []
  readonly #counts = new Map<AnomalyKind, number>()

  /** `describe` is called only where the description is kept. */
  add(kind: AnomalyKind, describe: () => string): void {
    const count = (this.#counts.get(kind) ?? 0) + 1
    this.#counts.set(kind, count)
    if (count <= MAX_DESCRIBED) this.#described.push({ kind, what: describe() })
  }

  /** Those described, and for each kind with more of them one that says how many more. */
  list(): Anomaly[] {
    const rest = [...this.#counts]
      .filter(([, count]) => count > MAX_DESCRIBED)
      .map(([kind, count]) => ({ kind, what: `and ${count - MAX_DESCRIBED} more of these` }))
    return [...this.#described, ...rest]
  }
}
