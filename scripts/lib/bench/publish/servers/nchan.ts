import { ask } from '../../../http.ts'
import { Nchan } from '../../servers/nchan.ts'
import type { PublishServer, Topics } from './server.ts'

/** nginx with nchan as the publishers see it. */
export class NchanPublish implements PublishServer {
  readonly name = 'nchan'
  readonly title: string
  readonly guarantees = 'in the memory of one process; gone with it'
  readonly #nchan: Nchan

  private constructor(nchan: Nchan) {
    this.#nchan = nchan
    this.title = nchan.title
  }

  /** Throws Missing where nginx or its module is not installed. */
  static async start(): Promise<NchanPublish> {
    return new NchanPublish(await Nchan.start())
  }

  get pids(): number[] {
    return this.#nchan.pids
  }

  /** The topics are channels. */
  async topics(name: string, count: number): Promise<Topics> {
    const topics = Array.from({ length: count }, (_, at) => `${name}n${at}`)
    const { port } = this.#nchan
    const before = '/publish/'
    return {
      wire: { kind: 'http', port, topics, before, single: '' },
      stored: async () => undefined,
      remove: async () => {
        for (const topic of topics)
          await ask(`http://127.0.0.1:${port}${before}${topic}`, { method: 'DELETE' })
      },
    }
  }

  lost(): string | undefined {
    return this.#nchan.lost()
  }

  close(): Promise<void> {
    return this.#nchan.close()
  }
}
