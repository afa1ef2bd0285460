import { once } from 'node:events'
import { Readable } from 'node:stream'
import t, { type Test } from 'tap'
import { historyText } from '../../services/peer/http/history.ts'
import { LIMITS } from '../../services/peer/limits.ts'
import type { HistoryItem } from '../../services/peer/streams/history.ts'
import { UNLIMITED } from '../../services/peer/topics/settings.ts'
import { listen, makeApp, RawClient } from '../support/app.ts'

const TOPIC = 'a/b c'
const PATH = `/v1/topics/${encodeURIComponent(TOPIC)}/events`

interface Page {
  readonly events: readonly { readonly offset: number; readonly data: string }[]
  readonly gap?: { readonly from: number; readonly to: number }
  readonly next: string
  readonly earliest: number
  readonly latest: number
}

/** A topic in whose log a test may do something before each read. */
async function setUp(t: Test, count: number) {
  const made = await makeApp(t)
  const { app, peer } = made
  const { slots } = peer
  const slot = (await app.inject({ method: 'PUT', url: PATH.replace('/events', '') })).json().slot as number
  const publish = (many: number) => {
    const events = Array.from({ length: many }, () => ({ data: Buffer.from('x') }))
    return slots.append(slot, { kind: 'publish', topic: TOPIC, events })
  }
  const trim = (before: number) =>
    slots.append(slot, { kind: 'trim', topic: TOPIC, incarnation: 1, before, bytes: 0 })
  await publish(count)
  const beforeRead: (() => unknown)[] = []
  const { read } = slots
  slots.read = (...args) => {
    const events = read.apply(slots, args)
    beforeRead.shift()?.()
    return events
  }
  const ask = (url: string, accept = 'application/json') => app.inject({ url, headers: { accept } })
  return { ...made, slot, slots, publish, trim, beforeRead, ask }
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => from + at)
const offsets = ({ events }: Page) => events.map(({ offset }) => offset)
const lines = (body: string) =>
  body
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line))

t.test('the link of a page leads to the next one as this was asked for, and the last has none', async t => {
  const { ask, publish } = await setUp(t, 5)
  const first = await ask(`${PATH}?from=2&limit=2`)
  t.equal(first.headers.link, `<${PATH}?lastEventId=3-1&limit=2>; rel="next"`)
  t.match(first.headers['access-control-expose-headers'], /\bLink\b/)
  const follow = (link: unknown) => ask(/^<([^>]+)>; rel="next"$/.exec(String(link))![1]!)
  const second = await follow(first.headers.link)
  t.same(offsets(second.json()), [4, 5])
  t.equal(second.headers.link, undefined)
  t.equal((await ask(`${PATH}?lastEventId=5-1`)).headers.link, undefined)
  t.equal((await ask(`${PATH}?last=3`)).headers.link, undefined)
  await publish(1)
  const third = await ask(`${PATH}?last=3&limit=1`)
  t.same(offsets(third.json()), [4])
  t.same(offsets((await follow(third.headers.link)).json()), [5])
  t.equal((await ask(PATH, 'application/x-ndjson')).headers.link, undefined)
})

t.test('paging to the end gives each offset once, as an event or in a gap, whatever goes on', async t => {
  const { ask, publish, trim, slots, slot } = await setUp(t, 30)
  const seen: number[] = []
  const lost: number[] = []
  let url = `${PATH}?from=1&limit=7`
  for (let pages = 1; ; pages++) {
    const answer = await ask(url)
    const page: Page = answer.json()
    if (page.gap) lost.push(...range(page.gap.from, page.gap.to))
    t.equal(page.events[0]?.offset, [...seen, ...lost].length + 1, 'a gap lies before the events')
    seen.push(...offsets(page))
    if (answer.headers.link === undefined) break
    if (pages < 10) await publish(5)
    if (pages % 3 === 0) await trim(seen.at(-1)! + 4)
    url = `${PATH}?lastEventId=${page.next}&limit=7`
  }
  t.same(
    [...seen, ...lost].sort((one, other) => one - other),
    range(1, slots.topic(slot, TOPIC)!.latest),
  )
  t.ok(lost.length > 0 && seen.length > lost.length)
})

t.test(
  'what retention takes while a page is read is no hole in it: the next page begins with it',
  async t => {
    const { ask, trim, beforeRead } = await setUp(t, 1_000)
    beforeRead.push(() => trim(801))
    const first = await ask(`${PATH}?from=1&limit=1000`)
    t.same(offsets(first.json()), range(1, LIMITS.REPLAY_EVENTS))
    t.match(first.json(), { next: `${LIMITS.REPLAY_EVENTS}-1`, gap: undefined })
    t.ok(first.headers.link)
    const second: Page = (await ask(`${PATH}?lastEventId=${first.json().next}&limit=1000`)).json()
    t.same(second.gap, { from: LIMITS.REPLAY_EVENTS + 1, to: 800 })
    t.same(offsets(second), range(801, 1_000))
  },
)

t.test('a page of which retention takes everything before it is read says so and leads on', async t => {
  const { ask, trim, slots } = await setUp(t, 5)
  const { read } = slots
  slots.read = (...args) => {
    slots.read = read
    void trim(6)
    return read.apply(slots, args)
  }
  // The first read finds nothing and the old earliest; the one after it sees what was trimmed.
  const page: Page = (await ask(`${PATH}?from=2`)).json()
  t.match(page, { events: [], gap: { from: 2, to: 5 }, next: '5-1', earliest: 6, latest: 5 })
})

t.test('a history says in its place what retention took, before it began and meanwhile', async t => {
  const { ask, trim, beforeRead } = await setUp(t, 1_000)
  await trim(11)
  beforeRead.push(() => trim(801))
  const found = lines((await ask(`${PATH}?from=3`, 'application/x-ndjson')).body)
  t.same(found[0], { gap: { from: 3, to: 10 } })
  const middle = 10 + LIMITS.REPLAY_EVENTS
  t.same(found[1 + LIMITS.REPLAY_EVENTS], { gap: { from: middle + 1, to: 800 } })
  t.same(
    found.flatMap(({ offset }) => offset ?? []),
    [...range(11, middle), ...range(801, 1_000)],
  )
  t.same(
    lines((await ask(PATH, 'application/x-ndjson')).body).filter(({ gap }) => gap),
    [],
    'who asks for the earliest there is misses nothing',
  )
})

t.test('a history ends with the last event there was when it began', async t => {
  const { ask, publish, beforeRead } = await setUp(t, 600)
  beforeRead.push(() => publish(10))
  t.equal(lines((await ask(PATH, 'application/x-ndjson')).body).at(-1).offset, 600)
})

t.test(
  'a topic that ends between two pages, or within one, is told; a new one of its name is no part',
  async t => {
    const { app, ask, slots, slot, beforeRead, publish } = await setUp(t, 600)
    const restart = () => {
      void slots.append(slot, { kind: 'delete', topic: TOPIC })
      void slots.append(slot, { kind: 'create', topic: TOPIC, settings: UNLIMITED })
    }
    beforeRead.push(restart)
    const startedMs = performance.now()
    const within = await ask(`${PATH}?limit=1000`)
    t.match(within.json(), { status: 404, code: 'UNKNOWN_TOPIC', detail: /was deleted/ })
    t.ok(performance.now() - startedMs < LIMITS.STREAM_PATIENCE_MS, 'at once')
    await publish(600)
    const between = await ask(`${PATH}?lastEventId=100-1`)
    t.match(between.json(), { status: 404, code: 'UNKNOWN_TOPIC', detail: /is another topic/ })
    t.match((await ask(`${PATH}?limit=1`)).json(), { events: [{ offset: 1, cursor: '1-2' }], next: '1-2' })

    const { port } = await listen(app)
    beforeRead.push(restart)
    const client = new RawClient(port)
    client.send(`GET ${PATH} HTTP/1.1\r\nhost: x\r\naccept: application/x-ndjson\r\n\r\n`)
    const text = await client.closed()
    t.match(text, /^HTTP\/1\.1 200 /)
    t.notMatch(text, /0\r\n\r\n$/, 'a history that breaks does not look complete')
  },
)

t.test('HEAD of a page or history reads nothing', async t => {
  const { app, slots } = await setUp(t, 5)
  slots.read = () => {
    throw new Error('it was read')
  }
  for (const accept of ['application/json', 'application/x-ndjson']) {
    const answer = await app.inject({ method: 'HEAD', url: PATH, headers: { accept } })
    t.equal(answer.statusCode, 200)
  }
})

/** Events without an end; counts what was taken, and tells when nobody wants more. */
function endless() {
  const source = { taken: 0, isOver: false }
  async function* items(): AsyncGenerator<HistoryItem> {
    const data = Buffer.alloc(10_000, 'x')
    try {
      for (let offset = 1; offset <= 100_000; offset++) {
        source.taken += 1
        yield { offset, incarnation: 1, sequence: offset, timeMs: 0, data }
      }
    } finally {
      source.isOver = true
    }
  }
  return { source, items }
}

t.test('no more is read than a slow client takes', async t => {
  const { source, items } = endless()
  const stream = Readable.from(await historyText(items()), { objectMode: false })
  const chunkEvents = Math.ceil(LIMITS.HISTORY_CHUNK_BYTES / 10_000)
  for (let chunks = 1; chunks <= 20; chunks++) {
    await once(stream, 'readable')
    stream.read()
    t.ok(source.taken <= (chunks + 3) * chunkEvents, `${source.taken} events for ${chunks} reads`)
  }
  stream.destroy()
  await once(stream, 'close')
  while (!source.isOver) await new Promise(setImmediate)
})

t.test('a client that stops reading holds a history back, and one that goes away ends it', async t => {
  const { app, peer } = await setUp(t, 1)
  const { source, items } = endless()
  peer.streams.history = items
  const { port } = await listen(app)
  const client = new RawClient(port)
  client.send(`GET ${PATH} HTTP/1.1\r\nhost: x\r\naccept: application/x-ndjson\r\n\r\n`)
  await client.until('"offset":1,')
  client.socket.pause()
  let [before, quietTurns] = [0, 0]
  while (quietTurns < 200) {
    quietTurns = source.taken === before ? quietTurns + 1 : 0
    before = source.taken
    await new Promise(setImmediate)
  }
  t.equal(source.isOver, false)
  // What the kernels of both ends buffer, at most about ten megabytes.
  t.ok(source.taken < 5_000, `${source.taken} of 100,000 events were read`)
  t.equal(app.halfOpen.size, 1)
  client.socket.destroy()
  while (!source.isOver) await new Promise(setImmediate)
})
