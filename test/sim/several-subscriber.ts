import type { StartRequest } from '../../services/peer/http/start.ts'
import type { Callers } from './callers.ts'
import type { Cluster } from './cluster.ts'
import { Journey } from './journey.ts'
import { drawManner, Reading } from './reading.ts'
import type { Selected } from './selections.ts'
import { type SeveralQuery, SeveralView } from './several-view.ts'
import type { Chance } from './world.ts'

/**
 * One subscriber outside that listens to several topics and patterns on one stream: it reads it as a browser does,
 * leaves it at random and resumes at another peer behind the last cursor it was told, whatever frame that was of.
 */
export class SeveralSubscriber {
  readonly name: string
  readonly #selected: Selected
  readonly #cluster: Cluster
  readonly #callers: Callers
  readonly #chance: Chance
  #journey: Journey | undefined
  #isCalm = false
  #stream: Reading | undefined

  constructor(name: string, selected: Selected, cluster: Cluster, callers: Callers, chance: Chance) {
    this.name = name
    this.#selected = selected
    this.#cluster = cluster
    this.#callers = callers
    this.#chance = chance
  }

  /** Opens a stream, and another one whenever that is over. */
  open(): void {
    const { trace } = this.#cluster
    const { cluster, chance, name } = { cluster: this.#cluster, chance: this.#chance, name: this.name }
    const { wants } = this.#selected
    const { counts } = this.#callers
    counts.severalOpened++
    const cursor = this.#journey?.cursor
    const query: SeveralQuery = cursor === undefined ? this.#firstQuery() : { kind: 'cursor', text: cursor }
    if (cursor !== undefined) counts.severalResumed++
    else this.#journey = new Journey(this.#selected, query.kind === 'earliest')
    const journey = this.#journey!
    this.#recordOpening(journey)
    const peer = this.#callers.anyPeer()
    trace.say(name, `opens ${wants.join()} at ${peer} ${JSON.stringify(query)}`)
    const view = new SeveralView({ cluster, client: name, journey, query })
    const manner = this.#isCalm ? 'quick' : drawManner(chance)
    const leaveAfterMs = !this.#isCalm && chance.yes(0.5) ? chance.between(100, 4_000) : undefined
    this.#stream = new Reading({
      ...{ cluster, chance, peer, manner, leaveAfterMs },
      serve: (member, response) => cluster.ingress(member).several(wants, requestOf(query), response),
      take: frames => view.take(frames),
      over: (end, pauseMs) => {
        counts.severalReceived += view.received
        counts.severalGaps += view.gaps
        counts.severalEnds += view.ends
        trace.say(name, `is at ${journey.cursor}`)
        if (end !== undefined) cluster.violation(`the subscriber ${name} of ${wants} was answered ${end}`)
        cluster.world.after(pauseMs, () => this.open())
      },
    })
  }

  /** From now on it reads what comes and stays; the stream it has now is left. */
  calm(): void {
    this.#isCalm = true
    this.#stream?.leave()
  }

  /** What of its topics has not come yet; undefined when it has all there is. */
  behind(): string | undefined {
    const missing = this.#journey?.missing(this.#cluster)
    return missing && `the subscriber ${this.name} of ${this.#selected.wants.join()} ${missing}`
  }

  /** It goes on behind what it was given or told to be gone. */
  #recordOpening(journey: Journey): void {
    const atMs = this.#cluster.world.nowMs
    for (const { name: topic } of this.#selected.topics) {
      const seen = journey.seen.get(topic)
      const after = seen && { ...seen, offset: Math.max(seen.offset, journey.goneUpTo(topic)) }
      this.#cluster.record({ kind: 'open', client: this.name, topic, atMs, ...(after && { after }) })
    }
  }

  #firstQuery(): SeveralQuery {
    const dice = this.#chance.next()
    if (dice < 0.45) return { kind: 'earliest' }
    if (dice < 0.65) return { kind: 'latest' }
    if (dice < 0.8) return { kind: 'last', count: this.#chance.int(0, 15) }
    return { kind: 'time', timeMs: Math.floor(this.#cluster.wallMs) - this.#chance.int(0, 5_000) }
  }
}

function requestOf(query: SeveralQuery): StartRequest {
  switch (query.kind) {
    case 'cursor':
      return { lastEventIdHeader: query.text }
    case 'last':
      return { last: query.count }
    case 'time':
      return { from: new Date(query.timeMs).toISOString() }
    default:
      return { from: query.kind }
  }
}
