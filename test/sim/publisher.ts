import type { OutcomeKind } from '../../scripts/lib/checker/operations.ts'
import type { ErrorCode } from '../../services/peer/errors.ts'
import type { EventInput, Published, Request } from '../../services/peer/topics/types.ts'
import { type Callers, definiteCode, type Seen } from './callers.ts'
import type { Cluster } from './cluster.ts'
import type { PlannedTopic } from './topics.ts'
import type { Chance } from './world.ts'

const KEYED_ATTEMPTS = 6
const MAX_ABSENT = 30
/** Errors that are final: the same request would get the same answer. */
const FINAL: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['UNKNOWN_TOPIC', 'IDEMPOTENCY_KEY_REUSED'])

/** One publish as its client made it up. */
interface Message {
  readonly topic: PlannedTopic
  readonly ids: readonly string[]
  readonly request: Request
  readonly key: string | undefined
}

/** What an attempt came to. */
interface Attempted {
  readonly outcome: OutcomeKind
  readonly result?: Published
  readonly code?: ErrorCode
  readonly why: string
  /** Nobody listened at the peer that was asked. */
  readonly isAbsent?: true
}

/**
 * One client process that publishes: one event or batch after the other, through any peer. With a key it tries again
 * through another peer until it has an answer; without one it goes on with its next event.
 */
export class Publisher {
  readonly name: string
  readonly #cluster: Cluster
  readonly #callers: Callers
  readonly #chance: Chance
  readonly #patienceMs: number
  #published = 0

  constructor(name: string, cluster: Cluster, callers: Callers, chance: Chance) {
    this.name = name
    this.#cluster = cluster
    this.#callers = callers
    this.#chance = chance
    this.#patienceMs = chance.pick([300, 1_000, 3_000])
  }

  /** Publishes to a topic; whether it was acknowledged. */
  async publish(topic: PlannedTopic, isKeyed: boolean): Promise<boolean> {
    const message = this.#message(topic, isKeyed)
    const { counts } = this.#callers
    counts.published++
    let isMaybe = false
    let last: Attempted
    // A peer that is not there says nothing about the cube: another one is asked, and it counts as no attempt.
    for (let attempt = 0, absent = 0; ; ) {
      last = await this.#attemptOnce(message)
      if (last.isAbsent && absent < MAX_ABSENT) absent++
      else attempt++
      if (last.result) break
      isMaybe ||= last.outcome === 'unknown'
      const isFinal = last.code !== undefined && FINAL.has(last.code)
      if (!isKeyed || isFinal || attempt === KEYED_ATTEMPTS) break
      await this.#cluster.world.sleep(this.#chance.between(20, 400))
    }
    if (!last.result) {
      this.#notPublished(message, isMaybe, last.why)
      return false
    }
    if (isKeyed && this.#chance.yes(0.08)) await this.#again(message, last.result)
    return true
  }

  #message(topic: PlannedTopic, isKeyed: boolean): Message {
    const count = this.#chance.yes(0.2) ? this.#chance.int(2, 5) : 1
    const ids = Array.from({ length: count }, () => `${this.name}.${++this.#published}`)
    const padding = this.#chance.yes(0.05) ? ' \n'.repeat(400) : ''
    const events: EventInput[] = ids.map(id => ({ data: Buffer.from(id + padding) }))
    const key = isKeyed ? `k${ids[0]}` : undefined
    const clientKey = key === undefined ? {} : { clientKey: { key, payloadHash: ids.join() } }
    return { topic, ids, key, request: { kind: 'publish', topic: topic.name, events, ...clientKey } }
  }

  /** One attempt, or two at once through two peers, whose answers must not contradict each other. */
  async #attemptOnce(message: Message): Promise<Attempted> {
    const isDoubled = message.key !== undefined && this.#chance.yes(0.06)
    const [one, other] = await Promise.all([
      this.#attempt(message, this.name),
      isDoubled ? this.#attempt(message, `${this.name}b`) : undefined,
    ])
    if (!one.result && other?.result) return other
    if (one.outcome === 'refused' && other?.outcome === 'unknown') return { ...one, outcome: 'unknown' }
    return one
  }

  async #attempt({ topic, ids, key, request }: Message, client: string): Promise<Attempted> {
    const fromMs = this.#cluster.world.nowMs
    const seen = await this.#callers.call(this.#patienceMs, ingress =>
      ingress.append(request, this.#patienceMs),
    )
    const attempted = judge(seen)
    const { result, outcome, why } = attempted
    this.#cluster.record({
      kind: 'send',
      ...{ client, topic: topic.name, fromMs, toMs: this.#cluster.world.nowMs, ids, outcome },
      ...(key === undefined ? {} : { key }),
      ...(result ? { incarnation: result.incarnation, first: result.first, last: result.last } : { why }),
    })
    if (result) this.#acknowledged(topic, ids, result)
    return attempted
  }

  /** The key is used again: with the same payload it gives the same answer, with another one it is refused. */
  async #again(message: Message, first: Published): Promise<void> {
    if (this.#chance.yes(0.5)) {
      const { result, code } = await this.#attempt(message, this.name)
      const isSame = result?.first === first.first && result.incarnation === first.incarnation
      if (result && !isSame) this.#violation(`key ${message.key} was answered twice, differently`)
      if (code !== undefined && FINAL.has(code))
        this.#violation(`key ${message.key}, acknowledged, is ${code} now`)
      return
    }
    const other = this.#message(message.topic, true)
    const { key } = message
    const clientKey = { key: key!, payloadHash: other.ids.join() }
    const request = { ...other.request, clientKey } as Request
    const { outcome, why } = await this.#attempt({ ...other, key: key!, request }, this.name)
    if (outcome === 'acknowledged') this.#violation(`key ${key} was taken for another payload`)
    else this.#notPublished(other, outcome === 'unknown', why)
  }

  #acknowledged(topic: PlannedTopic, ids: readonly string[], result: Published): void {
    const { incarnation, first, last } = result
    const { trace, ledger } = this.#cluster
    this.#callers.counts.acknowledged++
    trace.say('client', `${ids.join()} is ${topic.name} ${first}-${incarnation} of slot ${topic.slot}`)
    if (last - first + 1 !== ids.length)
      this.#violation(`${ids.length} events were given offsets ${first} to ${last}`)
    ledger.acked({ slot: topic.slot, topic: topic.name, incarnation, offset: first, ids })
  }

  #notPublished({ ids }: Message, isMaybe: boolean, why: string): void {
    this.#cluster.trace.say('client', `${ids.join()} ${isMaybe ? 'unknown' : 'refused'}: ${why}`)
    const { counts } = this.#callers
    if (isMaybe) counts.unknown++
    else {
      counts.refused++
      this.#cluster.ledger.refused(ids, why)
    }
  }

  #violation(what: string): void {
    this.#cluster.violation(what)
  }
}

function judge(seen: Seen): Attempted {
  if (seen.kind === 'done') {
    const { result } = seen
    if (result.kind !== 'appended') return { outcome: 'unknown', why: `answered with ${result.kind}` }
    const { result: applied } = result
    if (applied.kind === 'published') return { outcome: 'acknowledged', result: applied, why: '' }
  }
  const code = definiteCode(seen)
  if (code === undefined) return { outcome: 'unknown', why: seen.kind === 'error' ? seen.code : seen.kind }
  if (code === 'NOT THERE') return { outcome: 'refused', why: code, isAbsent: true }
  return { outcome: 'refused', code, why: code }
}
