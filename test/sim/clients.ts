import { SlotError } from '../../services/peer/engine/types.ts'
import type { ApplyResult, EventInput, Request, TopicSettings } from '../../services/peer/topics/types.ts'
import type { Cluster } from './cluster.ts'
import type { Outcome } from './gateway.ts'
import { NetworkError } from './network.ts'
import type { Chance } from './world.ts'

const UNLIMITED: TopicSettings = { maxAgeMs: null, maxEvents: null, maxBytes: null }
const SHORT: TopicSettings = { ...UNLIMITED, maxEvents: 25 }
const PATIENCE_MS = 3_000
const KEYED_ATTEMPTS = 6
/** Publishes under way at once. */
const MAX_UNDER_WAY = 40

/** Of every slot: a topic that keeps all, one that keeps little, one that comes and goes. */
export const TOPICS = ['keep', 'trim', 'churn'] as const

/** What became of a call, as its client sees it. */
type Seen = Outcome | { readonly kind: 'lost' }

/** The clients outside: they publish through any peer, with and without keys, and read from any replica. */
export class Clients {
  readonly counts = { published: 0, acknowledged: 0, refused: 0, unknown: 0, reads: 0, barriers: 0 }
  readonly #cluster: Cluster
  readonly #chance: Chance
  #nextId = 1
  #underWay = 0
  #isActive = false

  constructor(cluster: Cluster, chance: Chance) {
    this.#cluster = cluster
    this.#chance = chance
  }

  start(): void {
    this.#isActive = true
    this.#plan()
  }

  stop(): void {
    this.#isActive = false
  }

  get isQuiet(): boolean {
    return this.#underWay === 0
  }

  /** Creates the slots' topics, over and over until it is done. */
  async createTopics(): Promise<void> {
    for (const slot of this.#cluster.slots) {
      for (const topic of TOPICS) {
        for (let attempt = 0; attempt < 50; attempt++) {
          const settings = topic === 'trim' ? SHORT : UNLIMITED
          const seen = await this.#send(slot, { kind: 'create', topic, settings })
          if (seen.kind === 'answered') break
          await this.#cluster.world.sleep(200)
        }
      }
    }
  }

  /** Publishes one event to a topic that keeps all; whether it was acknowledged. */
  async probe(slot: number): Promise<boolean> {
    return this.#publish(slot, 'keep', true)
  }

  #plan(): void {
    if (!this.#isActive) return
    this.#cluster.world.after(this.#chance.between(1, 45), () => {
      this.#plan()
      if (this.#underWay < MAX_UNDER_WAY) void this.#act()
    })
  }

  async #act(): Promise<void> {
    this.#underWay++
    try {
      const slot = this.#chance.pick(this.#cluster.slots)
      const dice = this.#chance.next()
      if (dice < 0.68) await this.#publish(slot, this.#chance.pick(TOPICS), this.#chance.yes(0.5))
      else if (dice < 0.76) this.#readSomewhere(slot)
      else if (dice < 0.95) await this.#barrier(slot)
      else if (dice < 0.975) await this.#send(slot, { kind: 'create', topic: 'churn', settings: UNLIMITED })
      else await this.#send(slot, { kind: 'delete', topic: 'churn' })
    } finally {
      this.#underWay--
    }
  }

  async #publish(slot: number, topic: string, isKeyed: boolean): Promise<boolean> {
    const count = this.#chance.yes(0.2) ? this.#chance.int(2, 5) : 1
    const ids = Array.from({ length: count }, () => `e${this.#nextId++}`)
    const padding = this.#chance.yes(0.05) ? ' '.repeat(1_500) : ''
    const events: EventInput[] = ids.map(id => ({ data: Buffer.from(id + padding) }))
    const clientKey = isKeyed ? { clientKey: { key: `k${ids[0]}`, payloadHash: ids.join() } } : {}
    const request: Request = { kind: 'publish', topic, events, ...clientKey }
    this.counts.published++
    let isMaybe = false
    for (let attempt = 1; ; attempt++) {
      const seen = await this.#send(slot, request)
      if (seen.kind === 'answered' && seen.result.kind === 'published') {
        this.#acknowledged(slot, topic, ids, seen.result)
        return true
      }
      if (seen.kind === 'answered') {
        // The answer to a retry says nothing of an earlier attempt unless the key or the stamp was found.
        this.#notPublished(ids, isMaybe || isStale(seen.result), JSON.stringify(seen.result))
        return false
      }
      isMaybe ||= seen.kind === 'lost' || !seen.definite
      const why = seen.kind === 'lost' ? 'lost' : seen.why
      if (!isKeyed || attempt === KEYED_ATTEMPTS) {
        this.#notPublished(ids, isMaybe, why)
        return false
      }
      await this.#cluster.world.sleep(this.#chance.between(50, 800))
    }
  }

  #acknowledged(slot: number, topic: string, ids: readonly string[], result: ApplyResult): void {
    if (result.kind !== 'published') return
    const { incarnation, first, last } = result
    this.counts.acknowledged++
    this.#cluster.trace.say('client', `${ids.join()} is ${topic} ${first}-${incarnation} of slot ${slot}`)
    if (last - first + 1 !== ids.length) {
      this.#cluster.violation(`${ids.length} events were given offsets ${first} to ${last}`)
    }
    this.#cluster.ledger.acked({ slot, topic, incarnation, offset: first, ids })
  }

  #notPublished(ids: readonly string[], isMaybe: boolean, why: string): void {
    this.#cluster.trace.say('client', `${ids.join()} ${isMaybe ? 'unknown' : 'refused'}: ${why}`)
    if (isMaybe) this.counts.unknown++
    else {
      this.counts.refused++
      this.#cluster.ledger.refused(ids, why)
    }
  }

  /** Sends a command to some peer. */
  async #send(slot: number, request: Request): Promise<Seen> {
    const { network, members } = this.#cluster
    const entry = this.#chance.pick([...members.keys()])
    try {
      return await network.call('client', undefined, entry, PATIENCE_MS + 500, member =>
        this.#cluster.gateway(member).append(slot, request, PATIENCE_MS),
      )
    } catch (error) {
      if (!(error instanceof NetworkError)) throw error
      if (error.kind === 'refused') return { kind: 'failed', definite: true, why: `${entry} is not there` }
      return { kind: 'lost' }
    }
  }

  /** Reads a page of a topic from some replica: what is there must be what everybody sees there. */
  #readSomewhere(slot: number): void {
    const up = this.#cluster.replicas(slot).map(id => this.#cluster.members.get(id)!)
    const member = this.#chance.pick(up)
    if (!member.isUp || member.life.isPaused) return
    this.counts.reads++
    this.#cluster.readTopic(member, slot, this.#chance.pick(TOPICS), this.#chance.int(1, 50), 30)
  }

  /** A linearizable read: it must see all that was acknowledged before it was asked for. */
  async #barrier(slot: number): Promise<void> {
    const { network, ledger } = this.#cluster
    const member = this.#chance.pick([...this.#cluster.members.values()])
    if (!member.isUp || !member.engine.holds(slot)) return
    const before = new Map(
      [...Array(200).keys()].map(i => [i + 1, ledger.latest(slot, i + 1)] as const).filter(([, n]) => n > 0),
    )
    try {
      const topic = await network.call('client', undefined, member.id, 1_000, async ({ engine, life }) => {
        await engine.barrier(slot, life.clock.monotonicMs() + 500)
        return engine.topic(slot, 'keep')
      })
      this.counts.barriers++
      const expected = topic ? (before.get(topic.incarnation) ?? 0) : 0
      if ((topic?.latest ?? 0) < expected) {
        this.#cluster.violation(
          `a read at ${member.id} saw ${topic?.latest} of slot ${slot}, ${expected} was acknowledged`,
        )
      }
    } catch (error) {
      if (!(error instanceof NetworkError || error instanceof SlotError)) throw error
    }
  }
}

function isStale(result: ApplyResult): boolean {
  return result.kind === 'refused' && result.code === 'STALE_PRODUCER'
}
