import { askJson, keepAliveAgent } from '../../../http.ts'
import type { TopicView } from '../../../test-cube.ts'
import { Hypercast, type HypercastOptions } from '../../servers/hypercast.ts'
import type { HttpWire } from '../load/wire.ts'
import type { PublishServer, Topics } from './server.ts'

/** Topics created, asked for or deleted at a time. */
const AT_ONCE = 64

/** A cube of real processes as the publishers see it. */
export class HypercastPublish implements PublishServer {
  readonly name = 'hypercast' as const
  readonly guarantees =
    'on disk (fsync) at 2 of 3 replicas; one order; any peer takes over, power loss included'
  readonly cube: Hypercast
  readonly title: string

  private constructor(cube: Hypercast) {
    this.cube = cube
    this.title = `Hypercast, ${cube.ids.length} peers, published through the topic’s primary`
  }

  static async start(options: HypercastOptions): Promise<HypercastPublish> {
    return new HypercastPublish(await Hypercast.start(options))
  }

  get pids(): number[] {
    return this.cube.ids.map(id => this.cube.pid(id))
  }

  /** One topic has its primary at the first peer; several are wherever their names lead, and are published to through it. */
  async topics(name: string, count: number): Promise<Topics> {
    const [first] = this.cube.ids as [string]
    if (count === 1) return this.given([(await this.cube.created(name)).name], first)
    const names = Array.from({ length: count }, (_, at) => `${name}n${at}`)
    await each(names, (topic, agent) => askJson(this.#url(topic), { method: 'PUT', agent }))
    return this.given(names, first)
  }

  /** Topics that there are, published to through the peer `through`. */
  given(topics: readonly string[], through: string): Topics {
    return {
      wire: this.wire(topics, through),
      stored: async () => {
        const views = await each(topics, (topic, agent) => askJson<TopicView>(this.#url(topic), { agent }))
        return views.reduce((sum, { latest }) => sum + latest, 0)
      },
      subscribe: async () => {
        const wire = this.cube.subscribe(topics[0]!, through)
        return { ...wire, head: wire.head.replace('/events ', '/events?from=earliest ') }
      },
      remove: async () => {
        await each(topics, (topic, agent) => this.cube.remove(topic, agent))
      },
    }
  }

  wire(topics: readonly string[], through: string): HttpWire {
    const batch = {
      behind: '/batch',
      contentType: 'application/x-ndjson',
      open: '{"data":"',
      close: '"}\n',
    }
    const port = this.cube.port(through)
    return { kind: 'http', port, topics, before: '/v1/topics/', single: '/publish', batch }
  }

  lost(): string | undefined {
    return this.cube.lost()
  }

  close(): Promise<void> {
    return this.cube.close()
  }

  #url(topic: string): string {
    return `${this.cube.url(this.cube.ids[0]!)}/v1/topics/${topic}`
  }
}

/** Does it for each topic, some at a time, over kept connections. */
async function each<T>(
  topics: readonly string[],
  done: (topic: string, agent: ReturnType<typeof keepAliveAgent>) => Promise<T>,
): Promise<T[]> {
  const agent = keepAliveAgent()
  const results: T[] = []
  try {
    for (let from = 0; from < topics.length; from += AT_ONCE) {
      const some = topics.slice(from, from + AT_ONCE)
      results.push(...(await Promise.all(some.map(topic => done(topic, agent)))))
    }
  } finally {
    agent.destroy()
  }
  return results
}
