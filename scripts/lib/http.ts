import { Agent, type IncomingHttpHeaders, request } from 'node:http'

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export interface AskOptions {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  readonly timeoutMs?: number
  readonly agent?: Agent
}

/** One agent for a script: connections are kept and reused. */
export function keepAliveAgent(): Agent {
  return new Agent({ keepAlive: true, maxSockets: 256 })
}

/** One request and its whole answer. Rejects when the connection fails or `timeoutMs` pass; never retries. */
export function ask(url: string, options: AskOptions = {}): Promise<Answer> {
  const { method = 'GET', headers, body, timeoutMs = 30_000, agent } = options
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(timeoutMs)
    const asked = request(url, { method, headers, agent: agent ?? false, signal }, response => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (part: string) => {
        text += part
      })
      response.on('end', () =>
        resolve({ status: response.statusCode!, headers: response.headers, body: text }),
      )
      response.on('error', reject)
    })
    asked.on('error', reject)
    asked.end(body)
  })
}

/** The JSON of a 2xx answer; throws with the answer's own words otherwise. */
export async function askJson<T>(url: string, options: AskOptions = {}): Promise<T> {
  const answer = await ask(url, options)
  if (answer.status < 200 || answer.status > 299)
    throw new Error(`${url} answered ${answer.status}: ${answer.body}`)
  return JSON.parse(answer.body) as T
}

/** Asks again every `everyMs` until `done` says so of the answer; connection errors count as not yet. */
export async function askUntil<T>(
  url: string,
  done: (value: T) => boolean,
  { timeoutMs = 30_000, everyMs = 25 } = {},
): Promise<T> {
  const deadlineMs = performance.now() + timeoutMs
  let last: unknown
  while (performance.now() < deadlineMs) {
    try {
      const value = await askJson<T>(url, { timeoutMs: 2_000 })
      if (done(value)) return value
      last = value
    } catch (error) {
      last = (error as Error).message
    }
    await new Promise(wake => setTimeout(wake, everyMs))
  }
  throw new Error(
    `${url} did not come to the awaited state in ${timeoutMs} ms; last: ${JSON.stringify(last)}`,
  )
}
