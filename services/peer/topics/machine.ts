import type { RosterBounds } from '../cube/roster.ts'
import { changeRoster } from '../cube/roster-change.ts'
import { recoveredRoster } from '../cube/roster-recovery.ts'
import { Keys } from './keys.ts'
import { Producers } from './producers.ts'
import { mergeSettings, sameSettings } from './settings.ts'
import { TopicTable } from './table.ts'
import type {
  ApplyResult,
  Command,
  EventInput,
  KeyRow,
  ProducerStamp,
  RefusalCode,
  Run,
  SlotChanges,
  SlotImage,
  SlotNotice,
  SlotRow,
  TopicRow,
} from './types.ts'

/** Bounds of one slot's state. Part of the algorithm: all replicas of a slot must have the same. */
export interface MachineLimits {
  readonly maxTopics: number
  readonly maxKeys: number
  readonly keyWindowMs: number
  readonly maxProducers: number
  /** Unanswered requests remembered of one producer. */
  readonly maxProducerInflight: number
  /** Bounds of the roster, in the slot that holds it. */
  readonly roster: RosterBounds
}

/** What one log entry did. */
export interface Applied {
  /** Undefined for an entry without a command. */
  readonly result: ApplyResult | undefined
  /** In order; empty when nothing changed. */
  readonly notices: readonly SlotNotice[]
  /** The result is that of an earlier entry: this one was a retry and changed nothing. */
  readonly duplicate: boolean
}

type Of<K extends Command['kind']> = Extract<Command, { readonly kind: K }>
type Outcome = {
  readonly result: ApplyResult
  readonly notices: readonly SlotNotice[]
  readonly duplicate?: true
}

/** The state a slot starts from. */
export function emptyImage(): SlotImage {
  const slot: SlotRow = { appliedIndex: 0, appliedTerm: 0, sequence: 0, incarnation: 0, timeMs: 0 }
  return { slot, topics: [], keys: [], producers: [] }
}

/**
 * Bytes an event counts for in its topic's `bytes`: its data and its attributes' names and values (in code
 * units). Its id, type and content type are free.
 */
export function eventSizeBytes(event: EventInput): number {
  let sizeBytes = event.data.length
  for (const name in event.attributes) sizeBytes += name.length + event.attributes[name]!.length
  return sizeBytes
}

/**
 * The state machine of one slot: topics, offsets, idempotency. Replicas that apply the same entries hold the
 * same state, however often it was drained, copied or restored on the way.
 */
export class SlotMachine {
  readonly #limits: MachineLimits
  #slot!: SlotRow
  #topics!: TopicTable
  #keys!: Keys
  #producers!: Producers
  #runs: Run[] = []
  /** By incarnation: runs that end below are to be deleted. */
  #trims = new Map<number, number>()
  #isDirty = false

  constructor(image: SlotImage, limits: MachineLimits) {
    this.#limits = limits
    this.restore(image)
  }

  /** The slot's own row as of the last applied entry. */
  get slot(): SlotRow {
    return this.#slot
  }

  topic(name: string): TopicRow | undefined {
    return this.#topics.get(name)
  }

  /** Topics whose names sort behind `after` by code unit, ascending, at most `limit`. */
  topics(after: string, limit: number): TopicRow[] {
    return this.#topics.page(after, limit)
  }

  /** Topics that match, which lost events to a trim behind log index `index`; costs little where there are none. */
  topicsTrimmedBehind(index: number, matches: (name: string) => boolean): TopicRow[] {
    return this.#topics.trimmedBehind(index, matches)
  }

  /** All topics that match, in order of name. */
  topicsMatching(matches: (name: string) => boolean): TopicRow[] {
    return this.#topics.matching(matches)
  }

  /** The first answer given under a client's key, while it is remembered. */
  keyHolds(topic: string, key: string): KeyRow | undefined {
    return this.#keys.get(topic, key)
  }

  /** Whether this very request was applied already: applying it again would give the first answer. */
  producerRemembers(stamp: ProducerStamp): boolean {
    return this.#producers.admit(stamp).kind === 'again'
  }

  /** Replaces the whole state; what was not drained is dropped. */
  restore(image: SlotImage): void {
    const limits = this.#limits
    this.#slot = image.slot
    this.#topics = new TopicTable(image.topics)
    this.#keys = new Keys(image.keys, limits.maxKeys, limits.keyWindowMs)
    this.#producers = new Producers(image.producers, limits.maxProducers, limits.maxProducerInflight)
    this.#runs = []
    this.#trims = new Map()
    this.#isDirty = false
  }

  /** The whole state, in an order that depends on nothing but the state. */
  image(): SlotImage {
    return {
      slot: this.#slot,
      topics: this.#topics.page('', this.#topics.size),
      keys: this.#keys.rows(),
      producers: this.#producers.rows(),
    }
  }

  /** Rows changed since the last call, each once; undefined when nothing was applied since. */
  drain(): SlotChanges | undefined {
    if (!this.#isDirty) return undefined
    const changes: SlotChanges = {
      slot: this.#slot,
      topics: this.#topics.drain(),
      keys: this.#keys.drain(),
      producers: this.#producers.drain(),
      runs: this.#runs,
      trims: [...this.#trims].map(([incarnation, before]) => ({ incarnation, before })),
    }
    this.#runs = []
    this.#trims = new Map()
    this.#isDirty = false
    return changes
  }

  /**
   * Applies the committed entry at `index`; `command` is null for one that carries none.
   * @throws Error when `index` is not the next one: the replica's state can no longer be trusted
   */
  apply(index: number, term: number, command: Command | null): Applied {
    const expected = this.#slot.appliedIndex + 1
    if (index !== expected) throw new Error(`entry ${index} applied where ${expected} was due`)
    this.#isDirty = true
    this.#slot = { ...this.#slot, appliedIndex: index, appliedTerm: term }
    if (command === null) return { result: undefined, notices: [], duplicate: false }

    this.#slot = { ...this.#slot, timeMs: Math.max(this.#slot.timeMs, command.timeMs) }
    this.#keys.purge(this.#slot.timeMs)
    if (command.kind === 'recover') return this.#recover(command)
    const { producer } = command
    if (producer !== undefined) {
      const admission = this.#producers.admit(producer)
      if (admission.kind === 'stale') return { ...refused('STALE_PRODUCER'), duplicate: false }
      if (admission.kind === 'again') return { result: admission.result, notices: [], duplicate: true }
    }
    const { result, notices, duplicate } = this.#perform(index, command)
    if (producer !== undefined) this.#producers.remember(producer, index, result)
    return { result, notices, duplicate: duplicate === true }
  }

  #perform(index: number, command: Exclude<Command, { readonly kind: 'recover' }>): Outcome {
    switch (command.kind) {
      case 'create':
        return this.#create(command)
      case 'configure':
        return this.#configure(command)
      case 'delete':
        return this.#delete(index, command)
      case 'publish':
        return this.#publish(index, command)
      case 'trim':
        return this.#trim(index, command)
      case 'roster':
        return this.#changeRoster(command)
    }
  }

  #create(command: Of<'create'>): Outcome {
    if (this.#slot.roster !== undefined) return refused('WRONG_SLOT')
    const known = this.#topics.get(command.topic)
    if (known !== undefined) {
      const isSame = sameSettings(known.settings, command.settings)
      return isSame
        ? { result: { kind: 'created', topic: known, fresh: false }, notices: [] }
        : refused('TOPIC_EXISTS')
    }
    if (this.#topics.size >= this.#limits.maxTopics) return refused('TOO_MANY_TOPICS')
    const incarnation = this.#slot.incarnation + 1
    const topic: TopicRow = {
      name: command.topic,
      incarnation,
      settings: command.settings,
      earliest: 1,
      latest: 0,
      bytes: 0,
      createdMs: this.#slot.timeMs,
    }
    this.#slot = { ...this.#slot, incarnation }
    this.#topics.set(topic)
    return { result: { kind: 'created', topic, fresh: true }, notices: [{ kind: 'created', topic }] }
  }

  #configure(command: Of<'configure'>): Outcome {
    const known = this.#topics.get(command.topic)
    if (known === undefined) return refused('UNKNOWN_TOPIC')
    const settings = mergeSettings(known.settings, command.settings)
    if (sameSettings(known.settings, settings)) {
      return { result: { kind: 'configured', topic: known }, notices: [] }
    }
    const topic = { ...known, settings }
    this.#topics.set(topic)
    return { result: { kind: 'configured', topic }, notices: [{ kind: 'configured', topic }] }
  }

  #delete(index: number, command: Of<'delete'>): Outcome {
    const known = this.#topics.get(command.topic)
    if (known === undefined) return refused('UNKNOWN_TOPIC')
    const { incarnation, latest } = known
    this.#topics.delete(command.topic)
    this.#trims.set(incarnation, Number.POSITIVE_INFINITY)
    const notice: SlotNotice = { kind: 'deleted', topic: command.topic, incarnation, latest, index }
    return { result: { kind: 'deleted', incarnation, latest }, notices: [notice] }
  }

  #publish(index: number, command: Of<'publish'>): Outcome {
    const { topic: name, clientKey, events } = command
    if (clientKey !== undefined) {
      const held = this.#keys.get(name, clientKey.key)
      if (held !== undefined && held.payloadHash !== clientKey.payloadHash) return refused('KEY_REUSED')
      if (held !== undefined) return { result: held.result, notices: [], duplicate: true }
      if (this.#keys.full) return refused('KEY_SPACE_FULL')
    }
    const known = this.#topics.get(name)
    if (known === undefined) return refused('UNKNOWN_TOPIC')

    const { timeMs } = this.#slot
    const { incarnation } = known
    const first = known.latest + 1
    const last = known.latest + events.length
    const sequence = this.#slot.sequence + 1
    const result = { kind: 'published', incarnation, first, last, sequence, timeMs } as const
    // Nothing was asked for: there is no event to place, and no sequence to order a key by.
    if (events.length === 0) return { result, notices: [] }

    const bytes = events.reduce((sum, event) => sum + eventSizeBytes(event), 0)
    const run: Run = { logIndex: index, incarnation, first, count: events.length, sequence, timeMs, bytes }
    this.#slot = { ...this.#slot, sequence: this.#slot.sequence + events.length }
    this.#topics.set({ ...known, latest: last, bytes: known.bytes + bytes })
    this.#runs.push(run)
    if (clientKey !== undefined) {
      const { key, payloadHash } = clientKey
      this.#keys.add({ topic: name, key, payloadHash, timeMs, result })
    }
    return { result, notices: [{ kind: 'published', topic: name, run, events }] }
  }

  #trim(index: number, command: Of<'trim'>): Outcome {
    const known = this.#topics.get(command.topic)
    if (known === undefined) return refused('UNKNOWN_TOPIC')
    if (known.incarnation !== command.incarnation || command.before <= known.earliest) {
      return { result: { kind: 'trimmed', earliest: known.earliest }, notices: [] }
    }
    const earliest = Math.min(command.before, known.latest + 1)
    // With no event left there are no bytes left, whatever the primary counted.
    const bytes = earliest > known.latest ? 0 : Math.max(0, known.bytes - command.bytes)
    // A trim of an older format does not say how far it got: rather a gap too many is told than one too few.
    const floor = { sequence: command.sequence ?? this.#slot.sequence, index }
    const topic = { ...known, earliest, bytes, floor }
    this.#topics.set(topic)
    this.#trims.set(known.incarnation, earliest)
    return { result: { kind: 'trimmed', earliest }, notices: [{ kind: 'trimmed', topic }] }
  }

  #recover({ incarnation, roster: known, skip = 0 }: Of<'recover'>): Applied {
    const nothing = { result: undefined, duplicate: false }
    if (known === undefined) {
      this.#slot = { ...this.#slot, incarnation: Math.max(this.#slot.incarnation, incarnation) }
      return { ...nothing, notices: [] }
    }
    const roster = recoveredRoster(this.#slot.roster, known, skip)
    this.#slot = { ...this.#slot, roster }
    return { ...nothing, notices: [{ kind: 'roster', roster }] }
  }

  #changeRoster({ change }: Of<'roster'>): Outcome {
    // A slot that ever had a topic is a topic's slot and never the roster's.
    if (this.#slot.incarnation > 0) return refused('WRONG_SLOT', 'There is no roster here to change.')
    const outcome = changeRoster(this.#slot.roster, change, this.#slot.timeMs, this.#limits.roster)
    if (outcome.kind === 'refused') return refused(outcome.code, outcome.detail)
    const { roster } = outcome
    const changed = outcome.kind === 'changed'
    if (changed) this.#slot = { ...this.#slot, roster }
    return {
      result: { kind: 'roster', roster, changed },
      notices: changed ? [{ kind: 'roster', roster }] : [],
    }
  }
}

function refused(code: RefusalCode, detail?: string): Outcome {
  return { result: { kind: 'refused', code, ...(detail !== undefined && { detail }) }, notices: [] }
}
