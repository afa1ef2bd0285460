import type { Delete, Final, Operation, Send } from '../../scripts/lib/checker/operations.ts'

/** What may happen, with numbers to choose subscribers, amounts and outcomes by. */
export const STEPS = [
  'send',
  'send',
  'send',
  'lost answer',
  'lost publish',
  'late publish',
  'arrival',
  'refusal',
  'retry',
  'open',
  'open',
  'join',
  'deliver',
  'deliver',
  'deliver',
  'drop',
  'trim',
  'delete',
  'delete',
  'late delete',
  'create',
  'create',
  'create',
  'read',
] as const

export interface Step {
  readonly kind: (typeof STEPS)[number]
  readonly who: number
  readonly amount: number
}

interface Life {
  readonly incarnation: number
  readonly ids: string[]
  earliest: number
  isOver: boolean
}

interface Stream {
  life: Life
  next: number
  isOpen: boolean
}

const TOPIC = 't'
const STEP_MS = 10
/** Longer than a step: what clients do overlaps, though it takes effect in the order of the model. */
const JITTER_MS = 25
const SUBSCRIBERS = 3

/**
 * One topic without replicas and without faults, one step after the other, and the honest history of its clients.
 * Every operation takes effect at some moment between its call and its answer.
 */
export class Model {
  readonly operations: Operation[] = []
  #life: Life | undefined
  readonly #streams = new Map<number, Stream>()
  readonly #late: string[][] = []
  /** Deletions under way of which nobody knows any more. */
  #lateDeletions = 0
  #incarnation = 0
  #nowMs = 100
  #count = 0

  constructor() {
    this.#create()
  }

  run(step: Step): void {
    this.#nowMs += STEP_MS
    const ids = Array.from({ length: 1 + (step.amount % 3) }, () => `e${++this.#count}`)
    const subscriber = step.who % SUBSCRIBERS
    switch (step.kind) {
      case 'send':
        this.#record(ids, step, this.#append(ids) ?? { outcome: 'refused' })
        break
      case 'lost answer':
        this.#append(ids)
        this.#record(ids, step, { outcome: 'unknown' })
        break
      case 'lost publish':
        this.#record(ids, step, { outcome: 'unknown' })
        break
      case 'late publish':
        this.#late.push(ids)
        this.#record(ids, step, { outcome: 'unknown' })
        break
      case 'arrival':
        this.#append(this.#late.shift() ?? [])
        if (this.#lateDeletions > 0 && step.amount % 2 === 0) {
          this.#lateDeletions -= 1
          this.#end()
        }
        break
      case 'refusal':
        this.#record(ids, step, { outcome: 'refused', why: 'chance' })
        break
      case 'retry':
        this.#retry(ids, step)
        break
      case 'open':
        this.#open(subscriber)
        break
      case 'join':
        this.#join(subscriber)
        break
      case 'deliver':
        this.#deliver(subscriber, 1 + (step.amount % 4))
        break
      case 'drop':
        this.#drop(subscriber)
        break
      case 'trim':
        if (this.#life)
          this.#life.earliest = Math.min(this.#life.earliest + step.amount, this.#life.ids.length + 1)
        break
      case 'delete':
        if (step.amount % 2 === 0) this.#delete(step)
        break
      case 'late delete':
        this.#lateDeletions += 1
        this.#recordDelete(step, { outcome: 'unknown' })
        break
      case 'create':
        if (this.#life === undefined) this.#create()
        break
      case 'read':
        this.#read(step)
    }
  }

  /** Nobody publishes any more, every open stream catches up, and two peers are read. */
  finish(): Operation[] {
    for (const [subscriber, stream] of this.#streams) {
      while (stream.isOpen && (stream.life.isOver || stream.next <= stream.life.ids.length)) {
        this.#nowMs += STEP_MS
        this.#deliver(subscriber, 5, stream.life.isOver)
      }
    }
    for (const client of ['000', '001']) {
      this.operations.push({ kind: 'final', client, topic: TOPIC, found: this.#found() })
    }
    return this.operations
  }

  #found(): Final['found'] {
    if (this.#life === undefined) return null
    const { incarnation, earliest, ids } = this.#life
    const events = ids.map((id, index) => ({ offset: index + 1, id })).slice(earliest - 1)
    return { incarnation, earliest, latest: ids.length, events }
  }

  #append(ids: readonly string[]) {
    if (this.#life === undefined || ids.length === 0) return undefined
    this.#life.ids.push(...ids)
    const last = this.#life.ids.length
    const { incarnation } = this.#life
    return { outcome: 'acknowledged', incarnation, first: last - ids.length + 1, last } as const
  }

  #span(step: Step) {
    const [before, after] = [(step.who * 7) % JITTER_MS, (step.amount * 5) % JITTER_MS]
    return { fromMs: this.#nowMs - before, toMs: this.#nowMs + after }
  }

  #record(ids: readonly string[], step: Step, more: Partial<Send> & Pick<Send, 'outcome'>): void {
    const client = `publisher ${this.operations.length}`
    this.operations.push({ kind: 'send', client, topic: TOPIC, ids, ...this.#span(step), ...more })
  }

  /** Its first attempt was applied and its answer lost; the second one and a third are given that answer. */
  #retry(ids: readonly string[], step: Step): void {
    const answer = this.#append(ids)
    if (answer === undefined) return
    const key = ids[0]!
    this.#record(ids, step, { outcome: 'unknown', key })
    for (let attempt = 0; attempt < 2; attempt += 1) {
      this.#nowMs += JITTER_MS
      this.#record(ids, step, { ...answer, key })
    }
  }

  #create(): void {
    this.#incarnation += 1 + (this.#count % 2)
    this.#life = { incarnation: this.#incarnation, ids: [], earliest: 1, isOver: false }
    const times = { fromMs: this.#nowMs, toMs: this.#nowMs + 1 }
    const answer = { outcome: 'acknowledged', incarnation: this.#incarnation } as const
    this.operations.push({ kind: 'create', client: 'admin', topic: TOPIC, ...times, ...answer })
  }

  #delete(step: Step): void {
    const incarnation = this.#end()
    if (incarnation === undefined) return
    const answer =
      step.who % 3 === 0
        ? ({ outcome: 'unknown' } as const)
        : ({ outcome: 'acknowledged', ...(step.who % 3 === 1 && { incarnation }) } as const)
    this.#recordDelete(step, answer)
  }

  /** The life that is over by it. */
  #end(): number | undefined {
    const life = this.#life
    if (life === undefined) return undefined
    life.isOver = true
    this.#life = undefined
    return life.incarnation
  }

  #recordDelete(step: Step, answer: Pick<Delete, 'outcome' | 'incarnation'>): void {
    this.operations.push({ kind: 'delete', client: 'admin', topic: TOPIC, ...this.#span(step), ...answer })
  }

  #read(step: Step): void {
    const found = this.#life ? { incarnation: this.#life.incarnation, latest: this.#life.ids.length } : null
    const client = `reader ${this.operations.length}`
    this.operations.push({ kind: 'barrier', client, topic: TOPIC, ...this.#span(step), found })
  }

  #of(subscriber: number) {
    return { client: `s${subscriber}`, topic: TOPIC, atMs: this.#nowMs }
  }

  /** Begins at the first event, or goes on behind the last one that was delivered. */
  #open(subscriber: number): void {
    const known = this.#streams.get(subscriber)
    if (known?.isOpen) return
    const isNew = known === undefined || known.life.isOver
    if (isNew && this.#life === undefined) return
    const stream = isNew ? { life: this.#life!, next: 1, isOpen: true } : known
    stream.isOpen = true
    this.#streams.set(subscriber, stream)
    const after = { incarnation: stream.life.incarnation, offset: stream.next - 1 }
    this.operations.push({ kind: 'open', ...this.#of(subscriber), after })
  }

  /** Begins behind what there is, as the opening frame tells. */
  #join(subscriber: number): void {
    const life = this.#life
    if (life === undefined || this.#streams.get(subscriber)?.isOpen) return
    this.#streams.set(subscriber, { life, next: life.ids.length + 1, isOpen: true })
    this.operations.push({ kind: 'open', ...this.#of(subscriber) })
    const place = { incarnation: life.incarnation, offset: life.ids.length }
    this.operations.push({ kind: 'position', ...this.#of(subscriber), ...place })
  }

  #drop(subscriber: number): void {
    const stream = this.#streams.get(subscriber)
    if (!stream?.isOpen) return
    stream.isOpen = false
    this.operations.push({ kind: 'close', ...this.#of(subscriber) })
  }

  /** A stream that was open when the topic was deleted may still be given what it lacked, until it is told. */
  #deliver(subscriber: number, amount: number, isLast = amount % 2 === 0): void {
    const stream = this.#streams.get(subscriber)
    if (!stream?.isOpen) return
    const { life } = stream
    const { incarnation, earliest } = life
    if (life.isOver && isLast) {
      stream.isOpen = false
      this.operations.push({ kind: 'end', ...this.#of(subscriber) })
      return
    }
    if (stream.next < earliest) {
      this.operations.push({ kind: 'gap', ...this.#of(subscriber), incarnation, to: earliest - 1 })
      stream.next = earliest
    }
    const given = life.ids.slice(stream.next - 1, stream.next - 1 + amount)
    if (given.length === 0) return
    const events = given.map((id, index) => ({ offset: stream.next + index, id }))
    stream.next += given.length
    this.operations.push({ kind: 'poll', ...this.#of(subscriber), incarnation, events })
  }
}
