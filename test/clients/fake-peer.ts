import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A request as a fake peer received it. */
export interface Received {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** What a fake peer does with a request. */
export type Answer = (response: ServerResponse, request: Received) => void

/** A peer that answers as a test tells it: each request takes the next answer, the last one stays. */
export class FakePeer {
  readonly requests: Received[] = []
  readonly url: string
  readonly #server: Server
  #answers: Answer[]
  #arrivals: (() => void)[] = []

  private constructor(server: Server, answers: Answer[]) {
    this.#server = server
    this.#answers = answers
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  static async start(...answers: Answer[]): Promise<FakePeer> {
    const server = createServer(async (request, response) => {
      let body = ''
      for await (const chunk of request) body += chunk
      const { method = '', url = '', headers } = request
      peer.#take({ method, url, headers, body }, response)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const peer = new FakePeer(server, answers)
    return peer
  }

  /** Resolves when so many requests have come. */
  async received(count: number): Promise<void> {
    while (this.requests.length < count) await new Promise<void>(resolve => this.#arrivals.push(resolve))
  }

  /** Cuts all connections and refuses new ones. */
  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #take(received: Received, response: ServerResponse): void {
    this.requests.push(received)
    const answer = this.#answers.length > 1 ? this.#answers.shift()! : this.#answers[0]!
    answer(response, received)
    for (const arrived of this.#arrivals.splice(0)) arrived()
  }
}

/** A URL that refuses connections. */
export async function goneUrl(): Promise<string> {
  const peer = await FakePeer.start()
  await peer.stop()
  return peer.url
}

/** Answers with JSON. */
export function json(status: number, body: object, headers: Record<string, string> = {}): Answer {
  return response =>
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}

/** Answers with an error. */
export function problem(status: number, code: string, headers: Record<string, string> = {}): Answer {
  return json(status, { code, status, detail: `detail of ${code}`, remedy: 'Do it right.' }, headers)
}

/** Says nothing, ever. */
export const silent: Answer = () => {}

/** Cuts the connection without an answer. */
export const cut: Answer = response => void response.destroy()

/** Opens a stream, writes this, and keeps it open unless told to end it. */
export function stream(text: string, after: 'open' | 'end' | 'cut' = 'open'): Answer {
  return response => {
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' })
    response.write(text || ':\n\n', () => {
      if (after === 'end') response.end()
      if (after === 'cut') response.destroy()
    })
  }
}

/** An event's frame in the CloudEvents format; `more` replaces members. */
export function frame(offset: number, data: unknown, more: object = {}): string {
  const event = { specversion: '1.0', id: `${offset}-1`, source: '/v1/topics/a', type: 'hypercast.event' }
  const rest = {
    time: '2025-01-31T12:00:00.000Z',
    datacontenttype: 'text/plain; charset=utf-8',
    topic: 'a',
    offset,
    data,
  }
  return `id: ${offset}-1\ndata: ${JSON.stringify({ ...event, ...rest, ...more })}\n\n`
}
