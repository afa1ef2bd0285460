import type { StartRequest } from '../../services/peer/http/start.ts'
import { formatCursor, type TopicCursor } from '../../services/peer/topics/cursor.ts'
import type { Callers } from './callers.ts'
import type { Cluster } from './cluster.ts'
import { drawManner, Reading } from './reading.ts'
import { StreamView } from './stream-view.ts'
import type { PlannedTopic } from './topics.ts'
import type { Chance } from './world.ts'

const PATIENCE_MS = 3_000

/**
 * One subscriber outside: it holds a stream of a topic open at some peer, reads it as a browser does, leaves it at
 * random and resumes at another peer behind the last event it got.
 */
export class Subscriber {
  readonly name: string
  readonly topic: PlannedTopic
  /** The last position it was told in this life of the topic. */
  cursor: TopicCursor | undefined
  readonly #cluster: Cluster
  readonly #callers: Callers
  readonly #chance: Chance
  #isCalm = false
  #query: StartRequest = {}
  #stream: Reading | undefined
  #view: StreamView | undefined

  constructor(name: string, topic: PlannedTopic, cluster: Cluster, callers: Callers, chance: Chance) {
    this.name = name
    this.topic = topic
    this.#cluster = cluster
    this.#callers = callers
    this.#chance = chance
  }

  /** Opens a stream, and another one whenever that is over. */
  open(): void {
    const { world, trace } = this.#cluster
    const { cursor, topic, name } = this
    const query = cursor
      ? { lastEventIdHeader: formatCursor(cursor.offset, cursor.incarnation) }
      : this.#firstQuery()
    this.#query = query
    this.#callers.counts.opened++
    if (cursor) this.#callers.counts.resumed++
    const opened = { client: name, topic: topic.name, atMs: world.nowMs, ...(cursor && { after: cursor }) }
    this.#cluster.record({ kind: 'open', ...opened })
    const peer = this.#callers.anyPeer()
    trace.say(name, `opens ${topic.name} at ${peer} ${JSON.stringify(query)}`)
    const isWhole = query.from === 'earliest' && (topic.kind === 'keep' || topic.kind === 'churn')
    const view = new StreamView({
      ...{ cluster: this.#cluster, client: name, topic, cursor },
      firstOffset: isWhole ? 0 : undefined,
    })
    const { cluster, chance } = { cluster: this.#cluster, chance: this.#chance }
    const manner = this.#isCalm ? 'quick' : drawManner(chance)
    const leaveAfterMs = !this.#isCalm && chance.yes(0.5) ? chance.between(100, 4_000) : undefined
    this.#view = view
    this.#stream = new Reading({
      ...{ cluster, chance, peer, manner, leaveAfterMs },
      serve: (member, response) =>
        void cluster.ingress(member).events(topic.name, query, PATIENCE_MS, response),
      take: frames => view.take(frames),
      over: (end, pauseMs) => this.#over(view, end, pauseMs),
    })
  }

  /** From now on it reads what comes and stays; the stream it has now is left. */
  calm(): void {
    this.#isCalm = true
    this.#stream?.leave()
  }

  #over(view: StreamView, end: string | undefined, pauseMs: number): void {
    const { world, trace } = this.#cluster
    const { counts } = this.#callers
    counts.received += view.received
    counts.gaps += view.gaps
    this.cursor = view.cursor
    trace.say(this.name, `is at ${JSON.stringify(view.cursor)}${end === undefined ? '' : `, ended: ${end}`}`)
    if (end !== undefined) this.#ended(end)
    world.after(pauseMs, () => this.open())
  }

  /** Told that there is nothing to wait for: it begins anew. Of a topic that is never deleted that is wrong. */
  #ended(end: string): void {
    const { name, topic } = this
    this.#callers.counts.ends++
    if (topic.kind !== 'churn' || end === 'future' || end === '400') {
      this.#cluster.violation(`the subscriber ${name} of ${topic.name} was told ${end}`)
    }
    this.#cluster.record({ kind: 'end', client: name, topic: topic.name, atMs: this.#cluster.world.nowMs })
    this.cursor = undefined
  }

  /** The position as of now, also within the stream that is open. */
  get position(): TopicCursor | undefined {
    return this.#stream?.isOver ? this.cursor : (this.#view?.cursor ?? this.cursor)
  }

  /** Whether it has all there is of a topic that ends there; from an offset in the future it is told nothing yet. */
  isLevel({ incarnation, latest }: { readonly incarnation: number; readonly latest: number }): boolean {
    const { position } = this
    if (position) return position.incarnation === incarnation && position.offset >= latest
    return Number(this.#query.from ?? 0) > latest + 1
  }

  #firstQuery(): StartRequest {
    // What asks for removed offsets must be told of the gap.
    if (this.topic.kind === 'trim' && this.#chance.yes(0.4)) return { from: '1' }
    const dice = this.#chance.next()
    if (dice < 0.5) return { from: 'earliest' }
    if (dice < 0.7) return { from: 'latest' }
    if (dice < 0.85) return { last: this.#chance.int(0, 15) }
    if (dice < 0.95) return { from: String(this.#chance.int(1, 30)) }
    return { from: new Date(this.#cluster.wallMs - this.#chance.int(0, 5_000)).toISOString() }
  }
}
