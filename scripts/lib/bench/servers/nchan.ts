import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { ask } from '../../http.ts'
import { freePorts } from '../../ports.ts'
import { requestHead } from '../load/wire.ts'
import { closed, started } from './running.ts'
import { type BenchServer, type BenchTopic, Missing } from './server.ts'

const MODULES = [
  '/usr/lib/nginx/modules/ngx_nchan_module.so',
  '/usr/share/nginx/modules/ngx_nchan_module.so',
  '/usr/lib64/nginx/modules/ngx_nchan_module.so',
]
const START_TIMEOUT_MS = 10_000
const STOP_TIMEOUT_MS = 5_000
const POLL_MS = 50

/** nginx with nchan: one worker, a configuration, port and folder of its own. */
export class Nchan implements BenchServer {
  readonly name = 'nchan'
  readonly title: string
  readonly guarantees = 'in the memory of one process; gone with it; resumed from its message buffer'
  readonly #folder: string
  readonly port: number
  readonly #child: ChildProcess
  readonly #ended: Promise<void>
  #lost: string | undefined
  #isClosing = false

  private constructor(folder: string, port: number, title: string) {
    this.#folder = folder
    this.port = port
    this.title = title
    this.#child = spawn('nginx', ['-p', folder, '-c', join(folder, 'nginx.conf')], { stdio: 'ignore' })
    this.#ended = new Promise(resolve => {
      const ended = (how: string) => {
        if (!this.#isClosing) this.#lost = `nginx ended: ${how}${complaint(folder)}`
        resolve()
      }
      this.#child.once('exit', (code, signal) => ended(String(signal ?? code)))
      this.#child.once('error', error => ended(error.message))
    })
  }

  /** Throws Missing where nginx or its module is not installed. */
  static async start(): Promise<Nchan> {
    const module = MODULES.find(path => existsSync(path))
    const version = nginxVersion()
    if (version === undefined || module === undefined) {
      const missing = version === undefined ? 'nginx' : 'its module nchan'
      throw new Missing(`${missing} is not installed: apt-get install nginx libnginx-mod-nchan`)
    }
    const folder = mkdtempSync(join(tmpdir(), 'hypercast-nchan-'))
    mkdirSync(join(folder, 'bodies'))
    const [port] = (await freePorts(1)) as [number]
    writeFileSync(join(folder, 'nginx.conf'), configuration(module, port))
    const server = new Nchan(folder, port, `nginx ${version} with nchan${nchanVersion()}, one worker`)
    started(server)
    try {
      await server.#up()
    } catch (error) {
      await server.close()
      throw error
    }
    return server
  }

  /** Master and worker. */
  get pids(): number[] {
    return [this.#child.pid ?? 0, this.#worker()].filter(pid => pid > 0)
  }

  async topic(name: string): Promise<BenchTopic> {
    const port = this.port
    const head = requestHead('GET', `/subscribe/${name}`, port, { Accept: 'text/event-stream' })
    const headers = { 'Content-Type': 'text/plain', 'Content-Length': 100 }
    const single = `${requestHead('POST', `/publish/${name}`, port, headers)}\r\n`
    return {
      wire: {
        subscribe: [{ port, head, greeting: ': hi' }],
        publish: { port, single, batch: { kind: 'pipelined' } },
      },
      pid: this.#worker(),
    }
  }

  lost(): string | undefined {
    return this.#lost
  }

  async close(): Promise<void> {
    this.#isClosing = true
    this.#child.kill('SIGTERM')
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_TIMEOUT_MS)
    await this.#ended
    clearTimeout(timer)
    rmSync(this.#folder, { recursive: true, force: true })
    closed(this)
  }

  async #up(): Promise<void> {
    const untilMs = performance.now() + START_TIMEOUT_MS
    while (performance.now() < untilMs && this.#lost === undefined) {
      const answer = await ask(`http://127.0.0.1:${this.port}/`, { timeoutMs: 1_000 }).catch(() => undefined)
      if (answer !== undefined) return
      await delay(POLL_MS)
    }
    throw new Error(this.#lost ?? 'nginx does not answer')
  }

  /** The master's only child; 0 where there is no /proc. */
  #worker(): number {
    const { pid } = this.#child
    try {
      return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0])
    } catch {
      return 0
    }
  }
}

/** A buffer that holds every event of a cell, so that nothing is lost by its bound. */
function configuration(module: string, port: number): string {
  const user = process.getuid?.() === 0 ? 'user root;' : ''
  const bodies = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map(kind => `${kind}_temp_path bodies;`)
    .join(' ')
  return `load_module ${module};
daemon off; worker_processes 1; pid nginx.pid; error_log error.log warn; ${user}
worker_rlimit_nofile 20000;
events { worker_connections 19000; }
http {
  access_log off; ${bodies}
  keepalive_requests 1000000000; keepalive_timeout 1h;
  nchan_shared_memory_size 1024M;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location ~ ^/subscribe/(\\w+)$ {
      nchan_subscriber eventsource; nchan_channel_id $1; nchan_subscriber_first_message oldest;
    }
    location ~ ^/publish/(\\w+)$ {
      nchan_publisher; nchan_channel_id $1; nchan_message_buffer_length 500000; nchan_message_timeout 5m;
    }
  }
}
`
}

function nginxVersion(): string | undefined {
  try {
    // It says its version on stderr.
    const said = execFileSync('sh', ['-c', 'nginx -v 2>&1'], { encoding: 'utf8' })
    return /nginx\/(\S+)/.exec(said)?.[1]
  } catch {
    return undefined
  }
}

/** As Debian's package says it; empty elsewhere. */
function nchanVersion(): string {
  try {
    const said = execFileSync('dpkg-query', ['-s', 'libnginx-mod-nchan'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const version = /^Version: (?:\d+:)?(\S+)$/m.exec(said)?.[1]
    return version === undefined ? '' : ` ${version}`
  } catch {
    return ''
  }
}

function complaint(folder: string): string {
  const file = join(folder, 'error.log')
  const last = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').at(-1) : ''
  return last ? `: ${last}` : ''
}
