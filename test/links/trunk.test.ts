import { once } from 'node:events'
import http from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { systemClock } from '../../services/peer/engine/clock.ts'
import { makeTrunkLinks } from '../../services/peer/links/trunk.ts'
import { decodeWants } from '../../services/peer/links/trunk-wants.ts'
import { encodeTrunkFrame, type TrunkFrame } from '../../services/peer/links/trunk-wire.ts'

// The peer's own undici: the one that the checkout's root has may be another version.
const { Pool } = createRequire(new URL('../../services/peer/package.json', import.meta.url))('undici')

const NAME = 't1'
const BROKEN = encodeTrunkFrame({ kind: 'interrupted', slot: 7 })
const MARKS = encodeTrunkFrame({ kind: 'marks', marks: [] })
const UPDATE = {
  trunk: NAME,
  turn: 1,
  slots: [{ slot: 7, add: ['тема', 'b/**'], remove: ['a'], below: ['010'] }],
}

/** A peer that answers as told, and the way to it. */
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
  const poolOf = (peer: string) => {
    if (peer !== '000') throw new Error(`no address of ${peer}`)
    return pool
  }
  const links = makeTrunkLinks({
    ...{ streams: poolOf, requests: poolOf, clock: systemClock },
    headers: () => ({ 'hypercast-from': '010' }),
    ...(silenceMs === undefined ? {} : { silenceMs }),
  })
  return { links, server }
}

async function collect(frames: AsyncIterable<readonly TrunkFrame[]>): Promise<string[]> {
  const kinds: string[] = []
  for await (const some of frames) kinds.push(...some.map(frame => frame.kind))
  return kinds
}

t.test(
  'it asks for the trunk by its name, with the headers between peers, and yields frames until the end',
  async t => {
    const seen: http.IncomingMessage[] = []
    const { links } = await setUp(t, (request, response) => {
      seen.push(request)
      response.write(BROKEN.subarray(0, 3))
      setImmediate(() => response.end(Buffer.concat([BROKEN.subarray(3), MARKS])))
    })
    t.same(await collect(links.open('000', NAME, new AbortController().signal)), ['interrupted', 'marks'])
    const { pathname, searchParams } = new URL(seen[0]!.url!, 'http://x')
    t.equal(pathname, '/v1/relay/trunk')
    t.same(Object.fromEntries(searchParams), { trunk: NAME })
    t.equal(seen[0]!.headers['hypercast-from'], '010')
  },
)

t.test('a refusal, an unknown peer and a closed port throw', async t => {
  const { links, server } = await setUp(t, (_request, response) => {
    response.statusCode = 503
    response.end('{}')
  })
  const { signal } = new AbortController()
  await t.rejects(collect(links.open('000', NAME, signal)), /answers 503/)
  await t.rejects(collect(links.open('111', NAME, signal)), /no address/)
  server.closeAllConnections()
  await new Promise(resolve => server.close(resolve))
  await t.rejects(collect(links.open('000', NAME, signal)), { code: 'ECONNREFUSED' })
})

t.test('a stream that breaks, falls silent or sends garbage throws', async t => {
  const answers: http.RequestListener[] = [
    (_request, response) => response.write(BROKEN, () => response.destroy()),
    (_request, response) => response.write(BROKEN),
    () => undefined,
    (_request, response) => response.write(Buffer.from([0, 0, 0, 1, 0xc1])),
  ]
  for (const answer of answers) {
    const { links } = await setUp(t, answer, 200)
    await t.rejects(collect(links.open('000', NAME, new AbortController().signal)))
  }
})

t.test('to leave a stream closes its connection', async t => {
  const left: Promise<unknown>[] = []
  const { links } = await setUp(t, (_request, response) => {
    left.push(once(response, 'close'))
    response.write(BROKEN)
  })
  for await (const frames of links.open('000', NAME, new AbortController().signal)) {
    t.equal(frames[0]?.kind, 'interrupted')
    break
  }
  const abort = new AbortController()
  const reading = collect(links.open('000', NAME, abort.signal))
  reading.catch(() => undefined)
  while (left.length < 2) await new Promise(setImmediate)
  abort.abort()
  await t.rejects(reading)
  await Promise.all(left)
})

t.test('what is wanted is posted, and a refusal, a break or silence is not taken for an answer', async t => {
  const seen: { url: string | undefined; type: string | undefined; body: Buffer }[] = []
  let status = 200
  const { links, server } = await setUp(t, async (request, response) => {
    const body: Buffer[] = []
    for await (const chunk of request) body.push(chunk)
    seen.push({ url: request.url, type: request.headers['content-type'], body: Buffer.concat(body) })
    response.statusCode = status
    response.end(status === 200 ? '' : '{"code":"INVALID_REQUEST"}')
  })
  await links.say('000', UPDATE)
  t.match(seen, [{ url: '/v1/relay/wants', type: 'application/vnd.msgpack' }])
  t.same(decodeWants(seen[0]!.body), UPDATE)
  status = 400
  await t.rejects(links.say('000', UPDATE))
  await t.rejects(links.say('111', UPDATE), /no address/)
  server.closeAllConnections()
  await new Promise(resolve => server.close(resolve))
  await t.rejects(links.say('000', UPDATE))
})
