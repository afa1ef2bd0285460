import { type ChildProcessByStdio, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { CommandError } from '../../services/peer/commands/ask.ts'
import type { Pauses } from '../../services/peer/commands/peer-list.ts'
import { listen, makeApp } from './app.ts'

export const PROGRAM = fileURLToPath(new URL('../../services/peer/bin/hypercast.js', import.meta.url))

/** So short that a test does not notice. */
export const PAUSES: Pauses = { nextPeerMs: 1, minMs: 1, maxMs: 4 }

/** A peer with the topic `t` that is asked over the network. */
export async function topicWorld(t: Test) {
  const { app, peer } = await makeApp(t)
  const { url } = await listen(app)
  const topic = `${url}/v1/topics/t`
  await fetch(topic, { method: 'PUT' })
  const events = async () => {
    const page = await fetch(`${topic}/events?from=earliest&limit=1000`, {
      headers: { accept: 'application/json' },
    })
    const body = (await page.json()) as { events: Record<string, unknown>[] }
    return body.events
  }
  const publish = (data: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) =>
    fetch(`${topic}/publish`, {
      method: 'POST',
      body: data,
      headers: { 'content-type': 'text/plain', ...headers },
    })
  return { app, peer, url, topic, events, publish }
}

/** Where a command writes to; tells when something came. */
export class Sink extends Writable {
  text = ''
  #wake = () => {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString()
    this.#wake()
    done()
  }

  get lines(): string[] {
    return this.text.split('\n').slice(0, -1)
  }

  /** Resolves when so many lines have come. */
  async until(lines: number): Promise<void> {
    while (this.lines.length < lines) {
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
  }
}

/** A server of its own that is gone after the test. */
export async function server(
  t: Test,
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  const listening = createServer(answer).listen(0, '127.0.0.1')
  await once(listening, 'listening')
  t.teardown(() => {
    listening.closeAllConnections()
    listening.close()
  })
  return `http://127.0.0.1:${(listening.address() as AddressInfo).port}`
}

/** What a command is refused with: one line. */
export async function refusal(t: Test, work: Promise<void>): Promise<string> {
  try {
    await work
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
    t.notMatch(error.message, /\n/, 'it is one line')
    return error.message
  }
  return ''
}

/** Runs the program to its end. */
export function runProgram(
  argv: readonly string[],
  stdin = '',
): Promise<{ code: number; out: string; err: string }> {
  return new Promise(resolve => {
    const child = execFile(process.execPath, [PROGRAM, ...argv], (error, out, err) =>
      resolve({ code: error ? Number(error.code) : 0, out, err }),
    )
    child.stdin!.end(stdin)
  })
}

/** Runs the program; its stdout is read by nobody but the test, which may also be its stdin. */
export function startProgram(argv: readonly string[], stdin: 'ignore' | 'pipe' = 'ignore') {
  const child = spawn(process.execPath, [PROGRAM, ...argv], {
    stdio: [stdin, 'pipe', 'pipe'],
  }) as ChildProcessByStdio<Writable | null, Readable, Readable>
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  return {
    child,
    errors: () => errors,
    exited: once(child, 'exit') as Promise<[number | null, string | null]>,
  }
}
