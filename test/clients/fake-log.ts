/** What happened to a topic, at one place of its slot's log. */
interface Entry {
  readonly kind: 'event' | 'end'
  readonly topic: string
  readonly incarnation: number
  readonly offset: number
}

const SLOTS: Readonly<Record<string, number>> = { a: 0, 's/x': 1, 's/y': 0, z: 1 }
/** What the topics `a` and `s/*` select of them. */
const WANTED = new Set(['a', 's/x', 's/y'])

/** The topics of a cube in memory: two slots, lives of topics, and what retention removed. */
export class FakeLog {
  readonly slots: Entry[][] = [[], []]
  readonly #lives = new Map<string, { incarnation: number; latest: number; earliest: number }>()

  get topics(): string[] {
    return Object.keys(SLOTS)
  }

  life(topic: string): { incarnation: number; latest: number; earliest: number } {
    const life = this.#lives.get(topic) ?? { incarnation: 1, latest: 0, earliest: 1 }
    this.#lives.set(topic, life)
    return life
  }

  publish(topic: string): void {
    const life = this.life(topic)
    life.latest += 1
    this.#append('event', topic, life.incarnation, life.latest)
  }

  /** Deletes a topic; the next event is of its next life. */
  delete(topic: string): void {
    const { incarnation, latest } = this.life(topic)
    this.#append('end', topic, incarnation, latest)
    this.#lives.set(topic, { incarnation: incarnation + 1, latest: 0, earliest: 1 })
  }

  /** Retention removes all but the last event. */
  trim(topic: string): void {
    const life = this.life(topic)
    life.earliest = Math.max(life.earliest, life.latest)
  }

  isTrimmed({ topic, incarnation, offset }: Entry): boolean {
    const life = this.life(topic)
    return incarnation === life.incarnation && offset < life.earliest
  }

  #append(kind: Entry['kind'], topic: string, incarnation: number, offset: number): void {
    this.slots[SLOTS[topic]!]!.push({ kind, topic, incarnation, offset })
  }
}

/** One stream over `a` and `s/*`: what it has passed, and its frames. */
export class FakeReading {
  readonly #log: FakeLog
  /** Entries of each slot that were passed: a log's index. */
  readonly #passed: number[]

  constructor(log: FakeLog, cursor: string | null, from: string | null) {
    this.#log = log
    this.#passed = log.slots.map(entries => (from === 'earliest' ? 0 : entries.length))
    if (cursor !== null) {
      const parts = cursor.split('~').map(part => part.split('.').map(text => Number.parseInt(text, 36)))
      this.#passed = parts.map(([, , index]) => index!)
    }
  }

  get isLevel(): boolean {
    return this.#log.slots.every((entries, slot) => this.#passed[slot] === entries.length)
  }

  /** A frame with only the cursor. */
  mark(): string {
    return `id: ${this.#cursor()}\n\n`
  }

  /** The next frame of a slot; empty where nothing is wanted, which moves the cursor all the same. */
  next(slot: number, random: () => number): string {
    const entry = this.#log.slots[slot]![this.#passed[slot]!]
    if (entry === undefined) return ''
    this.#passed[slot]! += 1
    if (!WANTED.has(entry.topic)) return ''
    const { topic, incarnation, offset } = entry
    const id = `id: ${this.#cursor()}\n`
    if (entry.kind === 'end') {
      return `event: end\n${id}data: ${JSON.stringify({ topic, incarnation, reason: 'deleted' })}\n\n`
    }
    if (this.#log.isTrimmed(entry)) {
      // Now and then it names what was received already.
      const from = random() < 0.3 ? Math.max(1, offset - 2) : offset
      return `event: gap\n${id}data: ${JSON.stringify({ topic, incarnation, from, to: offset })}\n\n`
    }
    const event = {
      specversion: '1.0',
      id: 'x',
      source: 's',
      type: 't',
      topic,
      offset,
      incarnation,
      data: '',
    }
    return `${id}data: ${JSON.stringify(event)}\n\n`
  }

  #cursor(): string {
    const sequence = (slot: number) =>
      this.#log.slots[slot]!.slice(0, this.#passed[slot]).filter(({ kind }) => kind === 'event').length
    return this.#passed
      .map((passed, slot) => [slot, sequence(slot), passed].map(number => number.toString(36)).join('.'))
      .join('~')
  }
}
