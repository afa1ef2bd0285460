import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { freePorts } from '../../../ports.ts'
import type { SubscribeWire } from '../../load/wire.ts'
import { closed, started } from '../../servers/running.ts'
import { Missing } from '../../servers/server.ts'
import { CONNECT } from '../load/nats-lanes.ts'
import { Child, firstAnswer } from './child.ts'
import { NatsClient } from './nats-client.ts'
import type { PublishServer, Topics } from './server.ts'

const SERVERS = 3
const READY_TIMEOUT_MS = 60_000
const POLL_MS = 50

/** What STREAM.INFO says; the parts that are read. */
interface StreamInfo {
  readonly state: { readonly messages: number }
  readonly cluster?: {
    readonly leader?: string
    readonly replicas?: readonly { readonly current: boolean }[]
  }
}

/** Three servers of NATS with JetStream: streams in files, three replicas each. */
export class JetStream implements PublishServer {
  readonly name: 'jetstream' | 'jetstream-fsync'
  readonly title: string
  readonly guarantees: string
  readonly #program: string
  readonly #folder: string
  readonly #ports: readonly number[]
  readonly #children = new Map<number, Child>()
  readonly #clients = new Map<number, NatsClient>()

  #consumers = 0

  private constructor(
    program: string,
    version: string,
    folder: string,
    ports: readonly number[],
    isSynced: boolean,
  ) {
    this.#program = program
    this.#folder = folder
    this.#ports = ports
    this.name = isSynced ? 'jetstream-fsync' : 'jetstream'
    const synced = isSynced ? ', every write to its files synchronous (chattr +S)' : ''
    this.title = `NATS JetStream ${version}, ${SERVERS} servers, file storage, ${SERVERS} replicas, published through the stream’s leader${synced}`
    this.guarantees = isSynced
      ? 'on disk at 2 of 3 replicas; one order; another server takes over'
      : 'written to files at 2 of 3 replicas, without fsync (every 2 minutes); one order; another server takes over; a power loss may lose it'
  }

  /**
   * `isSynced`: every write to its files is synchronous, since this version of NATS cannot be told to fsync before it
   * acknowledges. Throws Missing where nats-server is not installed, or the file system does not know such folders.
   */
  static async start(isSynced = false): Promise<JetStream> {
    const found = firstAnswer(['nats-server', '/usr/sbin/nats-server'], ['--version'])
    if (found === undefined) throw new Missing('nats-server is not installed: apt-get install nats-server')
    const version = /v([\d.]+)/.exec(found.said)?.[1] ?? 'of unknown version'
    const folder = mkdtempSync(join(tmpdir(), 'hypercast-jetstream-'))
    if (isSynced && firstAnswer(['chattr'], ['+S', folder]) === undefined) {
      rmSync(folder, { recursive: true, force: true })
      throw new Missing('JetStream with fsync needs a temporary folder on a file system with chattr +S')
    }
    const ports = await freePorts(2 * SERVERS)
    const server = new JetStream(found.program, version, folder, ports, isSynced)
    started(server)
    try {
      for (let at = 0; at < SERVERS; at += 1) server.startServer(at)
      await server.#ready()
    } catch (error) {
      await server.close()
      throw error
    }
    return server
  }

  get pids(): number[] {
    return [...this.#children.values()].map(({ pid }) => pid)
  }

  port(at: number): number {
    return this.#ports[at]!
  }

  /** The topics are subjects of one stream. */
  async topics(name: string, count: number): Promise<Topics> {
    await this.#createStream(name)
    const leader = await this.leader(name)
    const topics = Array.from({ length: count }, (_, at) => `${name}.${at}`)
    return {
      wire: { kind: 'nats', port: this.port(leader), topics },
      stored: async () => (await this.#info(name)).state.messages,
      subscribe: () => this.#subscribe(name, leader),
      remove: async () => {
        await this.#ask(`$JS.API.STREAM.DELETE.${name}`)
      },
    }
  }

  /** Number of the server that leads a stream; waits until all replicas are level. */
  async leader(stream: string): Promise<number> {
    const info = await this.#until(
      () => this.#info(stream),
      ({ cluster }) =>
        cluster?.leader !== undefined &&
        cluster.replicas?.length === SERVERS - 1 &&
        cluster.replicas.every(({ current }) => current),
    )
    return Number(info.cluster!.leader!.slice(1))
  }

  startServer(at: number): void {
    const file = join(this.#folder, `${at}.conf`)
    const port = this.port(at)
    const routes = Array.from({ length: SERVERS }, (_, to) => `nats://127.0.0.1:${this.#ports[SERVERS + to]}`)
    writeFileSync(file, configuration(at, port, join(this.#folder, String(at)), routes))
    this.#children.set(at, new Child(this.#program, ['-c', file]))
  }

  /** kill -9, and waits until the process is gone. */
  async kill(at: number): Promise<void> {
    this.#clients.get(at)?.close()
    this.#clients.delete(at)
    await this.#children.get(at)!.kill()
  }

  lost(): string | undefined {
    return [...this.#children.values()].find(({ lost }) => lost)?.lost
  }

  async close(): Promise<void> {
    for (const client of this.#clients.values()) client.close()
    await Promise.all([...this.#children.values()].map(child => child.stop()))
    rmSync(this.#folder, { recursive: true, force: true })
    closed(this)
  }

  /** Ready when a stream with all replicas can be created. */
  async #ready(): Promise<void> {
    await this.#createStream('ready')
    await this.leader('ready')
    await this.#ask('$JS.API.STREAM.DELETE.ready')
  }

  async #createStream(name: string): Promise<void> {
    const stream = {
      name,
      subjects: [`${name}.*`],
      storage: 'file',
      num_replicas: SERVERS,
      retention: 'limits',
      discard: 'old',
    }
    await this.#until(
      () => this.#ask<object>(`$JS.API.STREAM.CREATE.${name}`, stream),
      () => true,
    )
  }

  /** A durable consumer that pushes all of a stream to a subject, as soon as somebody listens there. */
  async #subscribe(stream: string, at: number): Promise<SubscribeWire> {
    this.#consumers += 1
    const durable_name = `c${this.#consumers}`
    const deliver_subject = `deliver.${stream}.${durable_name}`
    const config = {
      ...{ durable_name, deliver_subject, deliver_policy: 'all', ack_policy: 'none' },
      ...{ replay_policy: 'instant', num_replicas: 1, mem_storage: true },
    }
    const body = { stream_name: stream, config }
    await this.#ask(`$JS.API.CONSUMER.DURABLE.CREATE.${stream}.${durable_name}`, body)
    return { port: this.port(at), head: `${CONNECT}SUB ${deliver_subject} 1\r\nPING`, greeting: 'PONG' }
  }

  #info(stream: string): Promise<StreamInfo> {
    return this.#ask(`$JS.API.STREAM.INFO.${stream}`)
  }

  async #until<T>(asked: () => Promise<T>, done: (value: T) => boolean): Promise<T> {
    const untilMs = performance.now() + READY_TIMEOUT_MS
    let last = 'nothing'
    while (performance.now() < untilMs && this.lost() === undefined) {
      try {
        const value = await asked()
        if (done(value)) return value
        last = JSON.stringify(value)
      } catch (error) {
        last = (error as Error).message
      }
      await delay(POLL_MS)
    }
    throw new Error(this.lost() ?? `JetStream did not come to the awaited state; last: ${last}`)
  }

  /** At any server that runs. */
  async #ask<T>(subject: string, body: unknown = ''): Promise<T> {
    for (const [at, child] of this.#children) {
      if (child.isEnding) continue
      const client = this.#clients.get(at) ?? (await NatsClient.connect(this.port(at)).catch(() => undefined))
      if (client === undefined) continue
      this.#clients.set(at, client)
      return client.ask<T>(subject, body)
    }
    throw new Error('no server of NATS takes a connection')
  }
}

function configuration(at: number, port: number, store: string, routes: readonly string[]): string {
  return `server_name: n${at}
listen: 127.0.0.1:${port}
max_payload: 8MB
jetstream { store_dir: "${store}", max_memory_store: 64MB, max_file_store: 64GB }
cluster { name: bench, listen: "${routes[at]!.slice('nats://'.length)}", routes: [${routes.map(one => `"${one}"`).join(', ')}] }
`
}
