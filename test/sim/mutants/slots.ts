import type { Mutant } from './mutant.ts'

/** Defects in what a slot keeps, answers and hands on: store, snapshots, idempotency, retention. */
export const SLOT_MUTANTS: readonly Mutant[] = [
  {
    name: 'call a write durable when it is handed over',
    file: 'engine/turns.ts',
    find: 'await store.write(writes)',
    replace: 'store.write(writes).catch(fatal)',
    shownBy: ['acknowledged is durable', 'votes are durable'],
  },
  {
    name: 'truncate on a bad checksum',
    file: 'store/slot-state.ts',
    find: 'last: Math.max(member.snapshot.index, lastIndex(kv, TABLES.log, replica)),',
    replace: `last: (() => {
      let last = member.snapshot.index
      try {
        for (; last < lastIndex(kv, TABLES.log, replica); last++) readEntry(kv, replica, last + 1)
      } catch {}
      return last
    })(),`,
    shownBy: ['never goes back', 'peer'],
  },
  {
    name: 'forget idempotency keys in snapshots',
    file: 'topics/machine.ts',
    find: 'keys: this.#keys.rows(),',
    replace: 'keys: [],',
    shownBy: ['snapshots are whole', 'replicas are identical', 'no duplicates'],
  },
  {
    name: 'forget producers in snapshots',
    file: 'topics/machine.ts',
    find: 'producers: this.#producers.rows(),',
    replace: 'producers: [],',
    shownBy: ['snapshots are whole', 'replicas are identical', 'no duplicates'],
  },
  {
    name: 'forget producer sequences',
    file: 'topics/machine.ts',
    find: 'if (producer !== undefined) this.#producers.remember(producer, index, result)',
    replace: '',
    shownBy: ['no duplicates', 'duplicate'],
  },
  {
    name: 'forget idempotency keys at once',
    file: 'topics/machine.ts',
    find: 'this.#keys.add({ topic: name, key, payloadHash, timeMs, result })',
    replace: '',
    shownBy: ['no duplicates', 'duplicate'],
  },
  {
    name: 'number a new boot of a producer like the last',
    file: 'links/producer.ts',
    find: 'return { stamp: { uid, boot, sequence, low }',
    replace: 'return { stamp: { uid, boot: Math.min(boot, 1), sequence, low }',
    shownBy: ['one order', 'inconsistent-offsets', 'lost-write'],
  },
  {
    name: 'a definite error for an appended entry',
    file: 'engine/appends.ts',
    find: "if (which(pending)) this.#finish(pending, { kind: 'unknown' })",
    replace: "if (which(pending)) this.#finish(pending, { kind: 'notPrimary', primary: null })",
    shownBy: ['no is no', 'G1a'],
  },
  {
    name: 'a definite error after an attempt of unknown fate',
    file: 'links/errand.ts',
    find: 'this.#definite &&= answer.definite',
    replace: '',
    shownBy: ['no is no', 'G1a'],
  },
  {
    name: 'reuse offsets after a deletion',
    file: 'topics/machine.ts',
    find: 'const incarnation = this.#slot.incarnation + 1',
    replace: 'const incarnation = Math.max(1, this.#slot.incarnation)',
    shownBy: ["an incarnation is one topic's", 'one order', 'deleted stays deleted'],
  },
  {
    name: 'keep deleted topics through a snapshot',
    file: 'store/slot-writer.ts',
    find: 'if (!rows.has(key)) remove(ops, key)',
    replace: '',
    shownBy: ['deleted stays deleted', 'replicas are identical', 'stored is what is held'],
  },
  {
    name: 'skip an entry in a snapshot',
    file: 'engine/snapshots.ts',
    find: 'const records = store.runsAfter(slot.slot, afterIndex, snapshot.index, LIMITS.SNAPSHOT_CHUNK_BYTES)',
    replace:
      'const records = store.runsAfter(slot.slot, afterIndex + 1, snapshot.index, LIMITS.SNAPSHOT_CHUNK_BYTES)',
    shownBy: ['offsets', 'replicas'],
  },
  {
    name: 'sweep events that are still kept',
    file: 'store/slot-state.ts',
    find: 'return earliest !== undefined && run.first + run.count > earliest',
    replace: 'return earliest !== undefined && run.first >= earliest',
    shownBy: ['offsets', 'replicas'],
  },
  {
    name: "stamp and trim by a leader's wrong clock",
    file: 'engine/reclaim.ts',
    find: 'return Math.abs(this.#fromMedianMs(slot, this.#options.self)) > LIMITS.MAX_CLOCK_SKEW_MS',
    replace: 'return slot.slot < 0',
    shownBy: ['a wrong clock stamps nothing'],
    seed: 459,
  },
]
