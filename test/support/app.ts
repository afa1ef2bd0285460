import type { AddressInfo } from 'node:net'
import { connect, type Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type { HttpSettings } from '../../services/peer/http/api.ts'
import { buildApp } from '../../services/peer/http/app.ts'
import { FakePeer } from './fake-peer.ts'

/** An app over a fake peer, closed at the end of the test, which fails if anything was logged as an error. */
export async function makeApp(t: Test, settings: Partial<HttpSettings> = {}) {
  const peer = new FakePeer(settings)
  const app = await buildApp(peer)
  t.teardown(() => app.close())
  t.teardown(() => {
    if (peer.logged.length > 0) t.fail('the app logged an error', { found: peer.logged })
  })
  return { peer, app }
}

/** Lets the app listen on a free port of loopback. */
export async function listen(app: FastifyInstance): Promise<{ port: number; url: string }> {
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  return { port, url: `http://127.0.0.1:${port}` }
}

/** A plain connection with what came over it so far. */
export class RawClient {
  readonly socket: Socket
  text = ''
  readonly #closed: Promise<unknown>

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1')
    this.socket.setEncoding('latin1')
    this.socket.on('data', chunk => {
      this.text += chunk
    })
    this.socket.on('error', () => {})
    this.#closed = new Promise(resolve => this.socket.once('close', resolve))
  }

  send(bytes: string | Uint8Array): this {
    this.socket.write(bytes)
    return this
  }

  /** Resolves with everything received once the server has closed the connection. */
  async closed(): Promise<string> {
    await this.#closed
    return this.text
  }

  /** Resolves once what was received holds `part`; rejects when the connection ends before. */
  async until(part: string): Promise<string> {
    while (!this.text.includes(part)) {
      if (this.socket.closed) throw new Error(`closed before "${part}" came: ${this.text}`)
      await Promise.race([new Promise(resolve => this.socket.once('data', resolve)), this.#closed])
    }
    return this.text
  }
}
