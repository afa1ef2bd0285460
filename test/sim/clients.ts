import type { Final, OutcomeKind } from '../../scripts/lib/checker/operations.ts'
import { HypercastError } from '../../services/peer/errors.ts'
import { LIMITS } from '../../services/peer/limits.ts'
import type { TopicPage } from '../../services/peer/streams/history.ts'
import type { StreamStart } from '../../services/peer/streams/types.ts'
import { parseCursor } from '../../services/peer/topics/cursor.ts'
import type { Request, TopicSettings } from '../../services/peer/topics/types.ts'
import { Callers, definiteCode } from './callers.ts'
import { type Cluster, idOf } from './cluster.ts'
import type { Ingress } from './ingress.ts'
import { Publisher } from './publisher.ts'
import { drawSelection } from './selections.ts'
import { SeveralSubscriber } from './several-subscriber.ts'
import { Subscriber } from './subscriber.ts'
import { FIRST_SETTINGS, KINDS, type PlannedTopic } from './topics.ts'
import type { Chance } from './world.ts'

const PATIENCE_MS = 3_000
const PUBLISHERS = 5
const SUBSCRIBERS = 5
/** Most subscribers of several topics, and how many different selections they share. */
const MAX_SEVERAL = 5
const SELECTIONS = 2
/** More lives than the topics of a slot have in a run. */
const MAX_LIVES = 100
/** Virtual time in which every peer must give every topic. */
const READ_ALL_MS = 10_000
const READ_AGAIN_MS = 250
/** Events of one page that a client asks for. */
const MAX_PAGE = 40

/** The clients outside: publishers, subscribers, and one that looks and administers. */
export class Clients {
  readonly #cluster: Cluster
  readonly #chance: Chance
  readonly #callers: Callers
  readonly #publishers: readonly Publisher[]
  readonly #subscribers: readonly Subscriber[]
  readonly #several: readonly SeveralSubscriber[]
  readonly #prober: Publisher
  readonly #late: SeveralSubscriber[] = []
  #underWay = 0
  #isActive = false

  constructor(cluster: Cluster, chance: Chance) {
    this.#cluster = cluster
    this.#chance = chance
    this.#callers = new Callers(cluster, chance.fork())
    const publisher = (name: string) => new Publisher(name, cluster, this.#callers, chance.fork())
    this.#publishers = Array.from({ length: PUBLISHERS }, (_, i) => publisher(`p${i}`))
    this.#prober = publisher('prober')
    this.#subscribers = Array.from({ length: SUBSCRIBERS }, (_, i) => {
      // Half of them where events leave while they are away.
      const kind = chance.yes(0.7) ? chance.pick(['trim', 'churn'] as const) : chance.pick(KINDS)
      const topic = cluster.topicOf(chance.pick(cluster.slots), kind)
      return new Subscriber(`s${i}`, topic, cluster, this.#callers, chance.fork())
    })
    const { topics, slots } = cluster
    const selections = Array.from({ length: SELECTIONS }, () => drawSelection(topics, slots.length, chance))
    this.#several = Array.from({ length: chance.int(0, MAX_SEVERAL) }, (_, i) => {
      return new SeveralSubscriber(`m${i}`, chance.pick(selections), cluster, this.#callers, chance.fork())
    })
  }

  get counts(): Readonly<Callers['counts']> {
    return this.#callers.counts
  }

  /** What clients have asked for so far. */
  get operations(): number {
    return this.counts.calls + this.counts.opened + this.counts.severalOpened
  }

  /** Those that come and go more often than the others: publishes meet their deletions and creations. */
  #topicToPublish(): PlannedTopic {
    const chance = this.#chance
    if (chance.yes(0.25)) return this.#cluster.topicOf(chance.pick(this.#cluster.slots), 'churn')
    return chance.pick(this.#cluster.topics)
  }

  get isQuiet(): boolean {
    return this.#underWay === 0
  }

  /** Those that listen before there is anything to listen to. */
  listen(): void {
    for (const subscriber of this.#several) {
      if (this.#chance.yes(0.4)) subscriber.open()
      else this.#late.push(subscriber)
    }
  }

  start(): void {
    this.#isActive = true
    for (const publisher of this.#publishers) {
      void this.#repeat(this.#chance.between(20, 120), () =>
        publisher.publish(this.#topicToPublish(), this.#chance.yes(0.5)),
      )
    }
    for (let i = 0; i < 2; i++) {
      void this.#repeat(100, () => this.#look(`r${i}`))
      void this.#repeat(250, () => this.#administer(`a${i}`))
    }
    for (const subscriber of [...this.#subscribers, ...this.#late]) subscriber.open()
  }

  /** No more but what is under way; the subscribers stay and read on. */
  stop(): void {
    this.#isActive = false
    for (const subscriber of [...this.#subscribers, ...this.#several]) subscriber.calm()
  }

  /** Creates the topics, each over and over until it is done. */
  async createTopics(): Promise<void> {
    await Promise.all(
      this.#cluster.topics.map(async topic => {
        for (let attempt = 0; attempt < 50; attempt++) {
          if ((await this.#create('creator', topic)) === 'acknowledged') return
          await this.#cluster.world.sleep(200)
        }
      }),
    )
  }

  /** Publishes one event to a topic of the slot that keeps all; whether it was acknowledged. */
  async probe(slot: number): Promise<boolean> {
    return this.#prober.publish(this.#cluster.topicOf(slot, 'keep'), true)
  }

  /** Which subscriber has not yet all there is; undefined when each of them has. */
  behind(): string | undefined {
    for (const subscriber of this.#subscribers) {
      const { name, topic, position } = subscriber
      const row = this.#cluster.truth(topic)
      if (!row || subscriber.isLevel(row)) continue
      const at = position ? `${position.offset}-${position.incarnation}` : 'nowhere'
      return `the subscriber ${name} of ${topic.name} is at ${at}, not at ${row.latest}-${row.incarnation}`
    }
    for (const subscriber of this.#several) {
      const missing = subscriber.behind()
      if (missing !== undefined) return missing
    }
    return undefined
  }

  /**
   * Reads every topic at every peer that runs into the history, again until all could be read while nothing changed:
   * reading may find what a bad disk did, and retention goes on. What is missing when that does not come in time.
   */
  async readAll(withinMs: number): Promise<string | undefined> {
    const { topics, world, history, violations } = this.#cluster
    const untilMs = world.nowMs + withinMs
    const state = () => JSON.stringify(topics.map(topic => this.#cluster.truth(topic)))
    let missing: string | undefined
    while (world.nowMs < untilMs && violations.length === 0) {
      const before = state()
      const finals = await this.#readOnce()
      missing = typeof finals === 'string' ? finals : undefined
      if (typeof finals !== 'string' && before === state()) {
        history.push(...finals)
        return undefined
      }
      await world.runUntil(world.nowMs + READ_AGAIN_MS)
    }
    return missing ?? 'topics change without end'
  }

  async #readOnce(): Promise<Final[] | string> {
    const { members, topics, world } = this.#cluster
    const finals: Final[] = []
    const missing: string[] = []
    let left = 0
    for (const member of members.values()) {
      if (!member.isUp) continue
      for (const { name } of topics) {
        left++
        void readWhole(this.#cluster.ingress(member), name)
          .then(found => finals.push({ kind: 'final', client: member.name, topic: name, found }))
          .catch(error => missing.push(`${member.name} cannot read ${name}: ${String(error)}`))
          .finally(() => left--)
      }
    }
    await world.runUntil(world.nowMs + READ_ALL_MS, () => left === 0)
    return left > 0 ? `${left} topics are not read` : (missing[0] ?? finals)
  }

  async #repeat(meanPauseMs: number, work: () => Promise<unknown>): Promise<void> {
    const { world } = this.#cluster
    while (this.#isActive) {
      await world.sleep(this.#chance.between(0, 2 * meanPauseMs))
      if (!this.#isActive) return
      this.#underWay++
      try {
        await work()
      } finally {
        this.#underWay--
      }
    }
  }

  async #look(client: string): Promise<void> {
    const topic = this.#chance.pick(this.#cluster.topics)
    if (this.#chance.yes(0.6)) await this.#barrier(client, topic)
    else await this.#page(client, topic)
  }

  /** A linearizable read through any peer: it must see all that was acknowledged before it was asked for. */
  async #barrier(client: string, topic: PlannedTopic): Promise<void> {
    const { world, ledger } = this.#cluster
    const { name, slot } = topic
    const fromMs = world.nowMs
    const before = Array.from({ length: MAX_LIVES }, (_, incarnation) => ledger.latest(slot, incarnation))
    const operation = { kind: 'describe', slot, topic: name } as const
    const seen = await this.#callers.call(PATIENCE_MS, ingress => ingress.ask(operation, PATIENCE_MS))
    if (seen.kind !== 'done' || seen.result.kind !== 'described') return
    this.#callers.counts.barriers++
    const row = seen.result.view.topic
    const found = row ? { incarnation: row.incarnation, latest: row.latest } : null
    this.#cluster.record({ kind: 'barrier', client, topic: name, fromMs, toMs: world.nowMs, found })
    const expected = row ? (before[row.incarnation] ?? 0) : 0
    if (row ? row.latest < expected : topic.kind !== 'churn') {
      this.#cluster.violation(`a read saw ${row?.latest} of ${name}, ${expected} was acknowledged`)
    }
  }

  /** Some page of a topic through any peer: its events follow each other, but for what is said to be gone. */
  async #page(client: string, topic: PlannedTopic): Promise<void> {
    const from = this.#chance.int(1, 60)
    const { name, slot } = topic
    const page = await this.#callers.call(PATIENCE_MS, async ingress => {
      try {
        const start = { kind: 'offset', offset: from } as const
        return { kind: 'page', page: await ingress.streams.page(name, start, MAX_PAGE) } as const
      } catch (error) {
        if (error instanceof HypercastError && error.code !== 'INTERNAL') return { kind: 'none' } as const
        throw error
      }
    })
    if (page.kind !== 'page') return
    this.#callers.counts.reads++
    const { events, gap } = page.page
    let next = gap ? gap.to + 1 : from
    for (const { offset, incarnation, data } of events) {
      const isTold = offset === next || (topic.kind !== 'keep' && topic.kind !== 'churn' && offset > next)
      if (!isTold)
        this.#cluster.violation(`a page of ${name} from ${from} has ${offset} where ${next} was due`)
      next = offset + 1
      this.#cluster.ledger.saw(client, slot, incarnation, offset, idOf(data))
    }
  }

  async #administer(client: string): Promise<void> {
    const slot = this.#chance.pick(this.#cluster.slots)
    const dice = this.#chance.next()
    if (dice < 0.35) await this.#create(client, this.#cluster.topicOf(slot, 'churn'))
    else if (dice < 0.6) await this.#delete(client, this.#cluster.topicOf(slot, 'churn'))
    else await this.#configure(this.#cluster.topicOf(slot, 'trim'))
  }

  async #create(client: string, { name, kind }: PlannedTopic): Promise<OutcomeKind> {
    const fromMs = this.#cluster.world.nowMs
    const seen = await this.#send({ kind: 'create', topic: name, settings: FIRST_SETTINGS[kind] })
    const made = seen.result?.kind === 'created' ? { incarnation: seen.result.topic.incarnation } : {}
    this.#record('create', client, name, fromMs, { outcome: seen.outcome, ...made })
    return seen.outcome
  }

  async #delete(client: string, { name }: PlannedTopic): Promise<void> {
    const fromMs = this.#cluster.world.nowMs
    const { outcome, result } = await this.#send({ kind: 'delete', topic: name })
    const ended = result?.kind === 'deleted' ? { incarnation: result.incarnation } : {}
    this.#record('delete', client, name, fromMs, { outcome, ...ended })
  }

  async #configure({ name }: PlannedTopic): Promise<void> {
    const bounds: readonly Partial<TopicSettings>[] = [
      { maxEvents: this.#chance.int(2, 15) },
      { maxEvents: null },
      { maxBytes: this.#chance.int(50, 1_500) },
      { maxBytes: null },
      { maxAgeMs: this.#chance.int(100, 3_000) },
      { maxAgeMs: null },
    ]
    await this.#send({ kind: 'configure', topic: name, settings: this.#chance.pick(bounds) })
  }

  async #send(request: Request) {
    const seen = await this.#callers.call(PATIENCE_MS, ingress => ingress.append(request, PATIENCE_MS))
    const applied = seen.kind === 'done' && seen.result.kind === 'appended' ? seen.result.result : undefined
    const isDone = applied !== undefined && applied.kind !== 'refused'
    const outcome: OutcomeKind = isDone ? 'acknowledged' : definiteCode(seen) ? 'refused' : 'unknown'
    return { outcome, result: applied }
  }

  #record(
    kind: 'create' | 'delete',
    client: string,
    topic: string,
    fromMs: number,
    rest: { readonly outcome: OutcomeKind; readonly incarnation?: number },
  ): void {
    const toMs = this.#cluster.world.nowMs
    const { outcome, incarnation } = rest
    this.#cluster.trace.say('client', `${kind} ${topic}: ${outcome} ${incarnation ?? ''}`)
    this.#cluster.record({ kind, client, topic, fromMs, toMs, ...rest })
  }
}

/** All that a peer gives of a topic, page by page; null when it says that there is no such topic. */
async function readWhole({ streams }: Ingress, topic: string): Promise<Final['found']> {
  const events: { offset: number; id: string }[] = []
  let start: StreamStart = { kind: 'earliest' }
  let earliest: number | undefined
  try {
    for (;;) {
      const page: TopicPage = await streams.page(topic, start, LIMITS.MAX_PAGE)
      earliest ??= page.earliest
      events.push(...page.events.map(({ offset, data }) => ({ offset, id: idOf(data) })))
      const cursor = parseCursor(page.next)!
      if (cursor.offset >= page.latest) {
        return { incarnation: cursor.incarnation, earliest, latest: page.latest, events }
      }
      start = { kind: 'cursor', ...cursor }
    }
  } catch (error) {
    if (error instanceof HypercastError && error.code === 'UNKNOWN_TOPIC') return null
    throw error
  }
}
