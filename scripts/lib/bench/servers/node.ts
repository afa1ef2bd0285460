import { requestHead } from '../load/wire.ts'
import { Worker } from '../load/worker.ts'
import type { NodeServerOperations } from './node-process.ts'
import type { BenchServer, BenchTopic } from './server.ts'

const MODULE = new URL('./node-process.ts', import.meta.url)

/** The bare Node server, as somebody writes it in twenty lines. */
export class BareNode implements BenchServer {
  readonly name = 'node'
  readonly title = `bare Node ${process.version}, one process, node:http`
  readonly guarantees = 'none: written to the sockets that are open, kept nowhere'
  readonly #worker: Worker<NodeServerOperations>
  readonly #port: number
  #lost: string | undefined

  private constructor(worker: Worker<NodeServerOperations>, port: number) {
    this.#worker = worker
    this.#port = port
    worker.onLost = how => {
      this.#lost = `the bare Node server ended: ${how}`
    }
  }

  static async start(nodeOptions: readonly string[] = []): Promise<BareNode> {
    const worker = new Worker<NodeServerOperations>(MODULE, nodeOptions)
    return new BareNode(worker, await worker.ask('listen', null))
  }

  async topic(name: string): Promise<BenchTopic> {
    const port = this.#port
    const head = requestHead('GET', `/subscribe/${name}`, port)
    const path = `/publish/${name}`
    const single = `${requestHead('POST', path, port, { 'Content-Length': 100 })}\r\n`
    const batch = { kind: 'body', path, contentType: 'text/plain', before: '', after: '\n' } as const
    return {
      wire: { subscribe: [{ port, head, greeting: ': hi' }], publish: { port, single, batch } },
      pid: this.#worker.pid,
    }
  }

  lost(): string | undefined {
    return this.#lost
  }

  async close(): Promise<void> {
    await this.#worker.end()
  }
}
