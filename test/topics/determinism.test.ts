import fc from 'fast-check'
import t from 'tap'
import type { RosterChange } from '../../services/peer/cube/roster-change.ts'
import { keyId } from '../../services/peer/topics/keys.ts'
import { emptyImage, type MachineLimits, SlotMachine } from '../../services/peer/topics/machine.ts'
import type {
  Command,
  KeyRow,
  ProducerRow,
  SlotChanges,
  SlotImage,
  TopicRow,
} from '../../services/peer/topics/types.ts'
import { NOTE, rosterOf, SMALL, urlOf } from '../cube/changes.ts'
import { text } from './kit.ts'

/** So narrow that every bound is met. */
const NARROW: MachineLimits = {
  maxTopics: 3,
  maxKeys: 4,
  keyWindowMs: 40,
  maxProducers: 3,
  maxProducerInflight: 3,
  roster: SMALL,
}

const topic = fc.oneof({ weight: 3, arbitrary: fc.constantFrom('a', 'b') }, fc.constantFrom('c', 'd'))
const limit = fc.option(fc.integer({ min: 1, max: 3 }), { nil: null })
const settings = fc.record({ maxAgeMs: limit, maxEvents: limit, maxBytes: limit })
const stamped = fc.record(
  {
    timeMs: fc.oneof({ weight: 6, arbitrary: fc.nat(60) }, fc.nat(300)),
    topic,
    producer: fc.record({
      uid: fc.constantFrom('p', 'q', 'r', 's'),
      boot: fc.integer({ min: 1, max: 2 }),
      sequence: fc.integer({ min: 1, max: 8 }),
      low: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { requiredKeys: ['timeMs', 'topic'] },
)
const clientKey = fc.record({ key: fc.constantFrom('1', '2', '3'), payloadHash: fc.constantFrom('x', 'y') })
const events = fc.array(fc.string().map(text), { maxLength: 3, size: 'max' })
const deed = fc.oneof(
  fc.record({ kind: fc.constant('create' as const), settings }),
  fc.record({
    kind: fc.constant('configure' as const),
    settings: fc.record({ maxAgeMs: limit }, { requiredKeys: [] }),
  }),
  fc.record({ kind: fc.constant('delete' as const) }),
  fc.record({ kind: fc.constant('publish' as const), events }),
  fc.record({ kind: fc.constant('publish' as const), events, clientKey }),
  fc.record(
    {
      kind: fc.constant('trim' as const),
      incarnation: fc.nat(4),
      before: fc.nat(9),
      bytes: fc.nat(9),
      sequence: fc.nat(20),
    },
    { requiredKeys: ['kind', 'incarnation', 'before', 'bytes'] },
  ),
)
const command = fc.option(
  fc.tuple(stamped, deed).map(([base, deed]): Command => ({ ...base, ...deed })),
  { nil: null, freq: 15 },
)
const uid = fc.constantFrom('u1', 'u2', 'u3', 'u4', 'u5')
const url = fc.integer({ min: 1, max: 5 }).map(urlOf)
const id = fc.constantFrom('0', '1', '10', '11', '100')
const note = { by: fc.constant(NOTE.by), why: fc.constant(NOTE.why) }
const change: fc.Arbitrary<RosterChange> = fc.oneof(
  fc.record({ kind: fc.constant('join' as const), uid, url, ...note }),
  fc.record({ kind: fc.constant('join' as const), uid, url, id, ...note }),
  fc.record({ kind: fc.constant('leave' as const), id, ...note }),
  fc.record({ kind: fc.constant('evict' as const), id, uid, ...note }),
  fc.record({ kind: fc.constant('replace' as const), id, uid, replaces: uid, url, ...note }),
  fc.record({ kind: fc.constant('address' as const), uid, url, ...note }),
  fc.record({ kind: fc.constant('address' as const), uid, url, displaces: uid, ...note }),
  fc.record({ kind: fc.constant('remove' as const), uid, ...note }),
)
const rosterCommand = fc
  .tuple(stamped, change)
  .map(([{ topic: _, ...base }, change]): Command => ({ ...base, kind: 'roster', change }))
const founding: Command = {
  kind: 'roster',
  change: { kind: 'found', roster: rosterOf(1, ['0', '1']) },
  timeMs: 0,
}
const beginning = ['a', 'b'].map((topic): Command => {
  const settings = { maxAgeMs: null, maxEvents: null, maxBytes: null }
  return { kind: 'create', topic, settings, timeMs: 0 }
})
const topicLog = fc.array(command, { maxLength: 60 }).map(commands => [...beginning, ...commands])
const rosterLog = fc
  .array(fc.oneof({ weight: 4, arbitrary: rosterCommand }, { weight: 1, arbitrary: command }), {
    maxLength: 60,
  })
  .map(commands => [founding, ...commands])
const log = fc.oneof({ weight: 3, arbitrary: topicLog }, { weight: 1, arbitrary: rosterLog })

function applyAll(machine: SlotMachine, commands: readonly (Command | null)[]) {
  return commands.map(command => machine.apply(machine.slot.appliedIndex + 1, 1, command))
}

/** What a store makes of drained changes, given back in an order of its own. */
class Rows {
  #slot = emptyImage().slot
  readonly #topics = new Map<string, TopicRow>()
  readonly #keys = new Map<string, KeyRow>()
  readonly #producers = new Map<string, ProducerRow>()

  take(changes: SlotChanges | undefined): void {
    if (changes === undefined) return
    this.#slot = changes.slot
    merge(this.#topics, changes.topics)
    merge(this.#keys, changes.keys)
    merge(this.#producers, changes.producers)
    for (const [id, row] of changes.keys)
      if (row && keyId(row.topic, row.key) !== id) throw new Error(`key ${id}`)
  }

  image(): SlotImage {
    const sorted = <V>(rows: Map<string, V>) =>
      [...rows]
        .sort()
        .map(([, row]) => row)
        .reverse()
    return {
      slot: this.#slot,
      topics: sorted(this.#topics),
      keys: sorted(this.#keys),
      producers: sorted(this.#producers),
    }
  }
}

function merge<V>(rows: Map<string, V>, changes: ReadonlyMap<string, V | null>): void {
  for (const [id, row] of changes) {
    if (row === null) rows.delete(id)
    else rows.set(id, row)
  }
}

t.test('a machine restored in the middle from an image goes on as the one that was not', async t => {
  const seed = Date.now()
  t.comment(`seed ${seed}`)
  fc.assert(
    fc.property(log, fc.nat(60), (commands, cut) => {
      const whole = new SlotMachine(emptyImage(), NARROW)
      const results = applyAll(whole, commands)
      const before = new SlotMachine(emptyImage(), NARROW)
      applyAll(before, commands.slice(0, cut))
      const after = new SlotMachine(before.image(), NARROW)
      const rest = applyAll(after, commands.slice(cut))
      same(after.image(), whole.image())
      same(rest, results.slice(cut))
    }),
    { seed, numRuns: 500 },
  )
  t.pass('held')
})

t.test('rows drained at any moments rebuild the same machine', async t => {
  const seed = Date.now()
  t.comment(`seed ${seed}`)
  fc.assert(
    fc.property(log, log, fc.infiniteStream(fc.boolean()), (commands, more, isTurnEnd) => {
      const machine = new SlotMachine(emptyImage(), NARROW)
      const rows = new Rows()
      for (const command of commands) {
        applyAll(machine, [command])
        if (isTurnEnd.next().value) rows.take(machine.drain())
      }
      rows.take(machine.drain())
      const restarted = new SlotMachine(rows.image(), NARROW)
      same(restarted.image(), machine.image())
      same(applyAll(restarted, more), applyAll(machine, more))
      same(restarted.image(), machine.image())
    }),
    { seed, numRuns: 500 },
  )
  t.pass('held')
})

t.test('offsets and sequences have no holes and every bound holds', async t => {
  const seed = Date.now()
  t.comment(`seed ${seed}`)
  fc.assert(
    fc.property(log, commands => {
      const machine = new SlotMachine(emptyImage(), NARROW)
      const latest = new Map<number, number>()
      let sequence = 0
      for (const { notices } of applyAll(machine, commands)) {
        for (const notice of notices) {
          if (notice.kind !== 'published') continue
          const { run } = notice
          same([run.first, run.sequence], [(latest.get(run.incarnation) ?? 0) + 1, sequence + 1])
          latest.set(run.incarnation, run.first + run.count - 1)
          sequence += run.count
        }
      }
      const image = machine.image()
      same(image.slot.sequence, sequence)
      for (const row of image.topics) same(row.latest, latest.get(row.incarnation) ?? 0)
      const most = Math.max(0, ...image.producers.map(row => row.results.length))
      same(
        [image.topics.length > 3, image.keys.length > 4, image.producers.length > 3, most > 3],
        Array(4).fill(false),
      )
    }),
    { seed, numRuns: 500 },
  )
  t.pass('held')
})

function same(one: unknown, other: unknown): void {
  const [left, right] = [JSON.stringify(one), JSON.stringify(other)]
  if (left !== right) throw new Error(`${left}\nis not\n${right}`)
}
