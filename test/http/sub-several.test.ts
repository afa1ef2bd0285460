import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { parseSub } from '../../services/peer/commands/stream-options.ts'
import { runSub, type SubTools } from '../../services/peer/commands/sub.ts'
import { ConfigError } from '../../services/peer/config.ts'
import { FakePeer, frame, problem, stream } from '../clients/fake-peer.ts'
import { PAUSES, refusal, runProgram, Sink } from '../support/commands.ts'
import { numbers, severalFrame, severalPeer, slotLogs } from '../support/several-topics.ts'

/** Subscribes to these topics and patterns; `close` is the interrupt. */
function sub(
  urls: readonly string[],
  topics: readonly string[],
  flags: object = {},
  tools: Partial<SubTools> = {},
) {
  const told: string[] = []
  const stdout = new Sink()
  const stopping = new AbortController()
  const done = runSub(parseSub(topics, { url: urls, ...flags }), {
    stdout,
    tell: line => told.push(line),
    signal: stopping.signal,
    pauses: PAUSES,
    ...tools,
  })
  return { done, told, stdout, close: () => stopping.abort() }
}

async function fake(t: Test, ...answers: Parameters<typeof FakePeer.start>) {
  const peer = await FakePeer.start(...answers)
  t.teardown(() => peer.stop())
  return peer
}

const event = (cursor: string, topic: string, offset: number, data?: string) =>
  severalFrame(cursor, { topic, offset }, data)
const ids = (peer: FakePeer) => peer.requests.map(({ headers }) => headers['last-event-id'])

t.test('each line says of which topic it is; as JSON with topic, offset and cursor', async t => {
  const text = `id: 1.0.0\n\n${event('1.1.5', 'sports/a', 1, 'two\nlines')}${event('1.2.5', 'weather', 7)}`
  const peer = await fake(t, stream(text))
  const wants = ['weather', 'sports/*', 'weather']
  const plain = sub([peer.url], wants, { count: '2', from: '2026-01-31T12:00:00Z' })
  await plain.done
  t.same(plain.stdout.lines, ['sports/a\ttwo', 'lines', 'weather\tweather 7'])
  t.equal(
    peer.requests[0]!.url,
    '/v1/events?topic=weather&topic=sports%2F*&from=2026-01-31T12%3A00%3A00Z',
    'each topic once',
  )
  const lines = sub([peer.url], wants, { count: '2', json: true, last: '2' })
  await lines.done
  t.match(peer.requests[1]!.url, /&last=2$/)
  t.equal(
    lines.stdout.lines[1],
    '{"topic":"weather","offset":7,"time":"2025-01-31T12:00:00.000Z","type":"hypercast.event","id":"7-1",' +
      '"contentType":"text/plain; charset=utf-8","cursor":"1.2.5","data":"weather 7"}',
  )
})

t.test('one pattern is a stream of several topics, one name given twice is not', async t => {
  const several = await fake(t, stream(event('1.1.5', 'a', 1, 'x')))
  const pattern = sub([several.url], ['**'], { count: '1' })
  await pattern.done
  t.same(pattern.stdout.lines, ['a\tx'])
  t.equal(several.requests[0]!.url, '/v1/events?topic=**')
  const one = await fake(t, stream(frame(1, 'x')))
  const name = sub([one.url], ['a', 'a'], { count: '1' })
  await name.done
  t.same(name.stdout.lines, ['x'])
  t.equal(one.requests[0]!.url, '/v1/topics/a/events?format=cloudevents')
})

t.test('over peers that break off anywhere no event is lost or printed twice', async t => {
  const topics = { 'sports/a': 3, 'sports/b': 3, news: 11, weather: 60 }
  for (const seed of [1, 2, 3]) {
    const logs = slotLogs(topics, 50, seed)
    const chance = numbers(seed)
    // Some cuts fall into the opening, some into a frame, some behind several frames.
    const cutAfter = () => [chance(60), chance(900), chance(9_000)][chance(3)]!
    const peers = [await severalPeer(t, logs, seed, cutAfter), await severalPeer(t, logs, seed + 1, cutAfter)]
    const path = join(t.testdir({}), 'cursor')
    const urls = peers.map(({ url }) => url)
    const wants = ['news', 'weather', 'sports/*']
    const printed: string[] = []
    // Two runs, and a third one that finds the rest: the file says where each goes on.
    for (const count of ['60', '77', '63']) {
      const run = sub(urls, wants, { json: true, from: 'earliest', cursorFile: path, count })
      await run.done
      printed.push(...run.stdout.lines)
      t.equal(readFileSync(path, 'utf8').split('\n')[0], JSON.parse(run.stdout.lines.at(-1)!).cursor)
    }
    const read = printed.map(line => JSON.parse(line))
    const all = Array.from({ length: 50 }, (_, at) => at + 1)
    for (const topic of Object.keys(topics)) {
      const offsets = read.filter(line => line.topic === topic).map(({ offset }) => offset)
      t.same(offsets, all, `${topic}: each once and in order, seed ${seed}`)
    }
    t.equal(read.length, 200)
    t.ok(
      peers.every(({ asked }) => asked.length > 2),
      'both peers served, several times',
    )
  }
})

t.test('a mark of the position is where to go on, also for the cursor file', async t => {
  const path = join(t.testdir({}), 'cursor')
  const marks = await fake(
    t,
    stream('id: 1.0.0\n\n:\n\nid: 1.4.9~2.tlx3k9a2\n\n', 'cut'),
    stream('id: 1.5.9~2.0.0\n\n', 'cut'),
    stream(''),
  )
  const { done, stdout, close } = sub([marks.url], ['a', 'b'], { cursorFile: path })
  await marks.received(3)
  close()
  await done
  t.same(ids(marks), [undefined, '1.4.9~2.tlx3k9a2', '1.5.9~2.0.0'])
  t.equal(readFileSync(path, 'utf8'), '1.5.9~2.0.0\na\nb\n')
  t.same(stdout.lines, [])
  const next = await fake(t, stream(event('1.6.9~2.0.0', 'a', 3)))
  await sub([next.url], ['b', 'a'], { cursorFile: path, from: 'earliest', count: '1' }).done
  t.equal(next.requests[0]!.url, '/v1/events?topic=b&topic=a', 'the file beats --from')
  t.same(ids(next), ['1.5.9~2.0.0'])
})

t.test('a cursor file is of its topics', async t => {
  const folder = t.testdir({
    one: '42-1\n',
    several: '1.2s.4f~30.0.0~31.tlx3k9a2\n',
    named: '42-1\nsports\n',
    many: '1.2s.4f\na\nb\nc/**\nd\ne\n',
    bad: '1.2s.4f 2.0.0\n',
  })
  const peer = await fake(t, stream(''))
  const refused = async (file: string, topics: readonly string[]) => {
    const text = await refusal(t, sub([peer.url], topics, { cursorFile: join(folder, file) }).done)
    return text.replace(`${folder}/`, '')
  }
  const otherwise = 'remove it, or name another with --cursor-file'
  t.equal(
    await refused('one', ['a', 'b']),
    `one holds the cursor of one topic, not of "a" and "b": ${otherwise}`,
  )
  t.equal(
    await refused('several', ['a']),
    `several holds the cursor of several topics, not of "a": ${otherwise}`,
  )
  t.equal(await refused('named', ['news']), `named holds the cursor of "sports", not of "news": ${otherwise}`)
  t.equal(
    await refused('many', ['a', 'b']),
    `many holds the cursor of "a", "b", "c/**" and 2 more, not of "a" and "b": ${otherwise}`,
  )
  t.equal(await refused('bad', ['a', 'b']), `bad holds no cursor: ${otherwise}`)
  t.equal(peer.requests.length, 0)
  // Files that say nothing of topics are taken by their form.
  const lone = await fake(t, stream(frame(43, 'x')))
  await sub([lone.url], ['t'], { cursorFile: join(folder, 'one'), count: '1' }).done
  t.same(ids(lone), ['42-1'])
  t.equal(readFileSync(join(folder, 'one'), 'utf8'), '43-1\nt\n')
})

t.test('gaps and ends are of one topic, and the stream goes on', async t => {
  const text =
    `event: gap\nid: 1.5.5\ndata: {"topic":"a","from":1,"to":5}\n\n${event('1.6.5', 'a', 6)}` +
    `event: end\nid: 1.6.8\ndata: {"topic":"a","reason":"deleted"}\n\nevent: later\nid: 1.6.9\ndata: {}\n\n` +
    `${event('1.7.9', 'a', 1, 'new life')}`
  const peer = await fake(t, stream(text))
  const plain = sub([peer.url], ['a', 'b'], { count: '2' })
  await plain.done
  t.same(plain.stdout.lines, ['a\ta 6', 'a\tnew life'])
  t.same(plain.told, [
    'gap in "a": the offsets 1 to 5 are no longer kept',
    'the topic "a" has ended: deleted',
  ])
  const lines = sub([peer.url], ['a', 'b'], { count: '2', json: true })
  await lines.done
  t.equal(lines.stdout.lines[0], '{"gap":{"topic":"a","from":1,"to":5},"cursor":"1.5.5"}')
  t.equal(lines.stdout.lines[2], '{"end":{"topic":"a","reason":"deleted"},"cursor":"1.6.8"}')
  t.equal(lines.stdout.lines.length, 4)

  const over = await fake(t, stream('event: end\ndata: {"reason":"stopped"}\n\n'))
  const ended = sub([over.url], ['a', 'b', 'c'])
  await ended.done
  t.same(ended.told, ['the topics "a", "b" and "c" have ended: stopped'])
  const gone = await fake(t, response => response.writeHead(204).end())
  const resumed = sub([gone.url], ['a', 'b'], { lastEventId: '1.2s.4f' })
  await resumed.done
  t.same(resumed.told, ['the topics "a" and "b" that the cursor belongs to have ended'])
  const future = await fake(t, stream('event: end\ndata: {"reason":"future"}\n\n'))
  t.match(await refusal(t, sub([future.url], ['a', 'b']).done), /\(CURSOR_FROM_FUTURE\)$/)
  const unnamed = await fake(t, stream('id: 1.0.0\ndata: {"data":"x"}\n\n'))
  t.match(await refusal(t, sub([unnamed.url], ['a', 'b']).done), /holds a frame that names none/)
  const old = await fake(t, problem(404, 'UNKNOWN_PATH'))
  t.match(await refusal(t, sub([old.url], ['a', 'b']).done), /\(UNKNOWN_PATH\)$/)
})

t.test('what is asked for of several topics is checked before anybody is asked', async t => {
  const url = ['http://127.0.0.1:5555']
  t.same(parseSub(['a', '**', 'b/*/c', 'a'], { url, from: '2026-01-31' }).selection, {
    wants: ['a', '**', 'b/*/c'],
    several: true,
  })
  t.equal(parseSub(['a', 'b'], { url, lastEventId: '1.2s.4f~30.0.0~31.tlx3k9a2' }).cursor?.length, 26)
  const bad: readonly [readonly string[], object, RegExp][] = [
    [['a', 'b*'], {}, /"b\*" cannot be a topic: the pattern holds "\*" beside other characters of a segment/],
    [['a/***'], {}, /"a\/\*\*\*" cannot be a topic: the pattern holds "\*" beside other characters/],
    [['a', ''], {}, /"" cannot be a topic: the name is empty/],
    [[`${'x'.repeat(254)}/*`], {}, /the pattern is longer than 255 bytes/],
    [['a', 'b'], { from: '7' }, /--from=7 is an offset, which is of one topic/],
    [['a', 'b'], { lastEventId: '42-1' }, /"42-1" is no cursor of several topics/],
    [['a'], { lastEventId: '1.2s.4f' }, /--last-event-id: "1.2s.4f" is not <offset>-<incarnation>/],
    [['a/*'], { follow: false }, /--no-follow needs one topic by its name/],
  ]
  for (const [topics, flags, message] of bad) {
    t.throws(() => parseSub(topics, { url, ...flags }), message)
    t.throws(() => parseSub(topics, { url, ...flags }), ConfigError)
  }
})

t.test('the program takes several topics', async t => {
  const peer = await fake(t, stream(event('1.1.5', 'a', 1) + event('1.2.5', 'b', 1)))
  const [good, wrong] = await Promise.all([
    runProgram(['sub', 'a', 'b/*', '--url', peer.url, '--count', '2']),
    runProgram(['sub', 'a', 'b*', '--url', peer.url]),
  ])
  t.same(good, { code: 0, out: 'a\ta 1\nb\tb 1\n', err: '' })
  t.match(wrong, { code: 2, out: '', err: /^"b\*" cannot be a topic/ })
})
