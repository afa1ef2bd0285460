import { once } from 'node:events'
import http from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { makeOpenFollow } from '../../services/peer/links/follow.ts'
import { encodeFollowFrame, type FollowFrame } from '../../services/peer/links/follow-wire.ts'

// The peer's own undici: the one that the checkout's root has may be another version.
const { Pool } = createRequire(new URL('../../services/peer/package.json', import.meta.url))('undici')

const WANTED = { slot: 7, topic: 'тема', from: 5, incarnation: 2 }
const STATE = encodeFollowFrame({ kind: 'state', incarnation: 2, earliest: 1, latest: 4 })
const MARK = encodeFollowFrame({ kind: 'mark', earliest: 1, latest: 4, led: true })

/** A peer that answers a follow request as told, and a way to follow it. */
async function setUp(t: Test, answer: http.RequestListener, silenceMs?: number) {
  const server = http.createServer(answer)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const pool = new Pool(url)
  t.teardown(async () => {
    await pool.destroy()
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  })
  const open = makeOpenFollow({
    connections: peer => {
      if (peer !== '000') throw new Error(`no address of ${peer}`)
      return pool
    },
    headers: () => ({ 'hypercast-from': '010' }),
    ...(silenceMs === undefined ? {} : { silenceMs }),
  })
  return { open, server }
}

async function collect(frames: AsyncIterable<readonly FollowFrame[]>): Promise<string[]> {
  const kinds: string[] = []
  for await (const some of frames) kinds.push(...some.map(frame => frame.kind))
  return kinds
}

t.test('it asks for the topic, with the headers between peers, and yields frames until the end', async t => {
  const seen: http.IncomingMessage[] = []
  const { open } = await setUp(t, (request, response) => {
    seen.push(request)
    response.write(STATE.subarray(0, 3))
    setImmediate(() => response.end(Buffer.concat([STATE.subarray(3), MARK])))
  })
  t.same(await collect(open('000', WANTED, new AbortController().signal)), ['state', 'mark'])
  const { pathname, searchParams } = new URL(seen[0]!.url!, 'http://x')
  t.equal(pathname, '/v1/relay/follow')
  t.same(Object.fromEntries(searchParams), { slot: '7', topic: 'тема', from: '5', incarnation: '2' })
  t.equal(seen[0]!.headers['hypercast-from'], '010')
})

t.test('a refusal, an unknown peer and a closed port throw', async t => {
  const { open, server } = await setUp(t, (_request, response) => {
    response.statusCode = 503
    response.end('{}')
  })
  const { signal } = new AbortController()
  await t.rejects(collect(open('000', WANTED, signal)), /answers 503/)
  await t.rejects(collect(open('111', WANTED, signal)), /no address/)
  server.closeAllConnections()
  await new Promise(resolve => server.close(resolve))
  await t.rejects(collect(open('000', WANTED, signal)), { code: 'ECONNREFUSED' })
})

t.test('a stream that breaks, falls silent or sends garbage throws', async t => {
  const answers: http.RequestListener[] = [
    (_request, response) => response.write(STATE, () => response.destroy()),
    (_request, response) => response.write(STATE),
    () => undefined,
    (_request, response) => response.write(Buffer.from([0, 0, 0, 1, 0xc1])),
  ]
  for (const answer of answers) {
    const { open } = await setUp(t, answer, 200)
    await t.rejects(collect(open('000', WANTED, new AbortController().signal)))
  }
})

t.test('to leave a stream closes its connection', async t => {
  const left: Promise<unknown>[] = []
  const { open } = await setUp(t, (_request, response) => {
    left.push(once(response, 'close'))
    response.write(STATE)
  })
  for await (const frames of open('000', WANTED, new AbortController().signal)) {
    t.equal(frames[0]?.kind, 'state')
    break
  }
  const abort = new AbortController()
  const reading = collect(open('000', WANTED, abort.signal))
  reading.catch(() => undefined)
  while (left.length < 2) await new Promise(setImmediate)
  abort.abort()
  await t.rejects(reading)
  await Promise.all(left)
})
