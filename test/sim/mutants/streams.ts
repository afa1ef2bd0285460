import type { Mutant } from './mutant.ts'

/** Defects in what subscribers are sent. */
export const STREAM_MUTANTS: readonly Mutant[] = [
  {
    name: "lose the cursor's incarnation",
    file: 'streams/start.ts',
    find: 'if (row?.incarnation === cursor.incarnation) {',
    replace: 'if (row !== undefined) {',
    shownBy: ['the subscriber'],
  },
  {
    name: 'say "cursor from the future" without a read',
    file: 'streams/start.ts',
    find: "if (!knowledge.linearizable) return { kind: 'undecided' }\n    return fromFuture(topic, cursor)",
    replace: 'return fromFuture(topic, cursor)',
    shownBy: ['the subscriber'],
  },
  {
    name: 'say "ended" without a read',
    file: 'streams/start.ts',
    find: "if (!knowledge.linearizable) return { kind: 'undecided' }\n  // A life",
    replace: '// A life',
    shownBy: ['the subscriber'],
    seed: 425,
  },
  {
    name: 'deliver twice after a resume',
    file: 'streams/start.ts',
    find: 'return begin(row, cursor.offset + 1, true)',
    replace: 'return begin(row, cursor.offset, true)',
    shownBy: ['the subscriber'],
  },
  {
    name: 'skip an event after a resume',
    file: 'streams/start.ts',
    find: 'return begin(row, cursor.offset + 1, true)',
    replace: 'return begin(row, cursor.offset + 2, true)',
    shownBy: ['the subscriber'],
  },
  {
    name: "skip the ring's overflow check",
    file: 'streams/feed.ts',
    find: 'if (subscriber.next < this.#ring.first) {',
    replace: 'if (subscriber.next < 0) {',
    shownBy: ['a promise was left rejected', 'the subscriber'],
  },
  {
    name: "forget a stream's position",
    file: 'streams/subscriber.ts',
    find: 'this.next = to + 1',
    replace: 'this.next = to',
    shownBy: ['the subscriber', 'duplicate'],
  },
  {
    name: 'pass a gap over in silence',
    file: 'streams/replay.ts',
    find: 'skipTo(slice.earliest)',
    replace: 'next = Math.max(next, slice.earliest)',
    shownBy: ['the subscriber'],
  },
  {
    name: 'tell followers of a snapshot nothing',
    file: 'engine/slot.ts',
    find: "this.#tell({ kind: 'restored' })",
    replace: '',
    shownBy: ['one order', 'it heals by itself'],
  },
  {
    name: 'a page gives what its gap says is gone',
    file: 'streams/history.ts',
    find: '    next = Math.max(next, begun.earliest)\n',
    replace: '',
    shownBy: ['a page'],
    seed: 258,
  },
]
