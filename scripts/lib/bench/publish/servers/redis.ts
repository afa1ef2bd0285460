import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { freePorts } from '../../../ports.ts'
import { closed, started } from '../../servers/running.ts'
import { Missing } from '../../servers/server.ts'
import { Child, firstAnswer } from './child.ts'
import { RedisClient } from './redis-client.ts'
import type { PublishServer, Topics } from './server.ts'

const READY_TIMEOUT_MS = 20_000
const POLL_MS = 50
const REPLICAS = 1

/** A Redis with one replica: streams, each write fsynced, each publish waited for until the replica has it. */
export class Redis implements PublishServer {
  readonly name = 'redis'
  readonly title: string
  readonly guarantees =
    'on disk (fsync) at the primary, in the memory of 1 of 1 replicas; one order; no failover by itself'
  readonly #folder: string
  readonly #ports: readonly number[]
  readonly #children: Child[] = []
  #client: RedisClient | undefined

  private constructor(version: string, folder: string, ports: readonly number[]) {
    this.#folder = folder
    this.#ports = ports
    this.title = `Redis ${version} streams, appendfsync always, WAIT ${REPLICAS} for its replica`
  }

  /** Throws Missing where redis-server is not installed. */
  static async start(): Promise<Redis> {
    const found = firstAnswer(['redis-server', '/usr/bin/redis-server'], ['--version'])
    if (found === undefined) throw new Missing('redis-server is not installed: apt-get install redis-server')
    const version = /v=(\S+)/.exec(found.said)?.[1] ?? 'of unknown version'
    const folder = mkdtempSync(join(tmpdir(), 'hypercast-redis-'))
    const ports = await freePorts(1 + REPLICAS)
    const server = new Redis(version, folder, ports)
    started(server)
    try {
      for (const port of ports) server.#start(found.program, port)
      await server.#ready()
    } catch (error) {
      await server.close()
      throw error
    }
    return server
  }

  get pids(): number[] {
    return this.#children.map(({ pid }) => pid)
  }

  /** The topics are streams. */
  async topics(name: string, count: number): Promise<Topics> {
    const client = this.#client!
    const topics = Array.from({ length: count }, (_, at) => `${name}.${at}`)
    return {
      wire: { kind: 'redis', port: this.#ports[0]!, topics, replicas: REPLICAS },
      stored: async () => {
        const lengths = await Promise.all(topics.map(topic => client.ask('XLEN', topic)))
        return lengths.reduce<number>((sum, length) => sum + Number(length), 0)
      },
      remove: async () => {
        await Promise.all(topics.map(topic => client.ask('UNLINK', topic)))
      },
    }
  }

  lost(): string | undefined {
    return this.#children.find(({ lost }) => lost)?.lost
  }

  async close(): Promise<void> {
    this.#client?.close()
    await Promise.all(this.#children.map(child => child.stop()))
    rmSync(this.#folder, { recursive: true, force: true })
    closed(this)
  }

  /** No snapshots and no rewriting of its file meanwhile, in its favour. */
  #start(program: string, port: number): void {
    const folder = join(this.#folder, String(port))
    mkdirSync(folder)
    const isReplica = port !== this.#ports[0]
    const settings = [
      ...['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', ''],
      ...['--appendonly', 'yes', '--appendfsync', 'always', '--auto-aof-rewrite-percentage', '0'],
      ...['--repl-diskless-sync-delay', '0', '--maxclients', '4000'],
      ...['--client-output-buffer-limit', 'replica 1gb 1gb 60'],
      ...(isReplica ? ['--replicaof', `127.0.0.1 ${this.#ports[0]}`] : []),
    ]
    this.#children.push(new Child(program, settings))
  }

  async #ready(): Promise<void> {
    const untilMs = performance.now() + READY_TIMEOUT_MS
    while (performance.now() < untilMs && this.lost() === undefined) {
      this.#client ??= await RedisClient.connect(this.#ports[0]!).catch(() => undefined)
      const about = await this.#client?.ask('INFO', 'replication')
      if (String(about).split(/state=online/).length > REPLICAS) return
      await delay(POLL_MS)
    }
    throw new Error(this.lost() ?? 'the replica of Redis does not come up')
  }
}
