import { PassThrough, Readable } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { type PubTools, runPub } from '../../services/peer/commands/pub.ts'
import { type PubOptions, parsePub } from '../../services/peer/commands/stream-options.ts'
import { ConfigError } from '../../services/peer/config.ts'
import { LIMITS } from '../../services/peer/limits.ts'
import { cut, FakePeer, goneUrl, json, problem, silent } from '../clients/fake-peer.ts'
import { PAUSES, refusal, runProgram, Sink, server, topicWorld } from '../support/commands.ts'

type Input = Readable | string | readonly (string | Buffer)[]

/** Publishes to the topic `t`; resolves with what was said. */
function pub(
  urls: readonly string[],
  stdin: Input,
  flags: Partial<PubOptions> = {},
  tools: Partial<PubTools> = {},
) {
  const told: string[] = []
  const stdout = new Sink()
  const input = stdin instanceof Readable ? stdin : Readable.from([stdin].flat(), { objectMode: false })
  const done = runPub(
    { ...parsePub('t', { url: urls }), ...flags },
    {
      stdin: input,
      stdout,
      tell: line => told.push(line),
      signal: new AbortController().signal,
      waitMs: 2,
      pauses: PAUSES,
      ...tools,
    },
  )
  return { done, told, stdout }
}

async function fake(t: Test, ...answers: Parameters<typeof FakePeer.start>) {
  const peer = await FakePeer.start(...answers)
  t.teardown(() => peer.stop())
  return peer
}

const took = (first: number, count: number) =>
  json(201, {
    topic: 't',
    first,
    last: first + count - 1,
    count,
    cursor: `${first + count - 1}-1`,
    time: 'now',
  })

t.test('each line is an event, as it is and in its order, over batches and chunks cut anywhere', async t => {
  const { url, events } = await topicWorld(t)
  const lines = ['one', '', ' blanks ', '{"a": 1}', 'ж🏉"\\', 'x'.repeat(200_000), 'with a \r within', 'last']
  const bytes = Buffer.from(lines.join('\n').replace('one\n', 'one\r\n'))
  const chunks = [
    bytes.subarray(0, 3),
    bytes.subarray(3, 25),
    bytes.subarray(25, 100_000),
    bytes.subarray(100_000),
  ]
  const { done, told, stdout } = pub([url], chunks, { batch: 3, json: true, type: 'line' })
  await done
  const kept = await events()
  t.same(
    kept.map(({ data }) => data),
    lines,
  )
  t.ok(kept.every(({ type }) => type === 'line'))
  t.same(told, ['published 8 events to "t", offsets 1 to 8'])
  const acknowledged = stdout.lines.map(line => JSON.parse(line))
  t.same(
    acknowledged.map(({ first, last, count, cursor }) => [first, last, count, cursor]),
    [
      [1, 3, 3, '3-1'],
      [4, 6, 3, '6-1'],
      [7, 8, 2, '8-1'],
    ],
  )
})

t.test(
  'an empty stdin publishes nothing and says so; --data publishes one event without reading it',
  async t => {
    const { url, events } = await topicWorld(t)
    const empty = pub([url], '')
    await empty.done
    t.same(empty.told, ['stdin is empty: nothing is published'])
    const stdin = new PassThrough()
    const one = pub([url], stdin, { data: '{"a": 1.0}', id: 'an-id', contentType: 'application/json' })
    await one.done
    t.same(one.told, ['published 1 event to "t", offset 1'])
    t.match(await events(), [{ data: { a: 1 }, id: 'an-id', contentType: 'application/json' }])
  },
)

t.test('what comes slowly is published before more comes', async t => {
  const { url } = await topicWorld(t)
  const stdin = new PassThrough()
  const { done, told, stdout } = pub([url], stdin, { json: true })
  stdin.write('first\nsec')
  await stdout.until(1)
  t.equal(JSON.parse(stdout.lines[0]!).count, 1, 'half a line is none yet')
  stdin.end('ond\n')
  await done
  t.same(told, ['published 2 events to "t", offsets 1 to 2'])
})

t.test('a batch is bounded in bytes, and nothing is read ahead of a peer that does not answer', async t => {
  const peer = await fake(t, silent)
  let given = 0
  const line = Buffer.from(`${'x'.repeat(299_999)}\n`)
  const stdin = Readable.from(
    (function* () {
      for (; ; given += 1) yield line
    })(),
    { objectMode: false, highWaterMark: 65_536 },
  )
  const stopping = new AbortController()
  const { done } = pub(
    [peer.url],
    stdin,
    {},
    {
      signal: stopping.signal,
      times: { attemptMs: 150, patienceMs: 1 },
    },
  )
  await peer.received(1)
  for (let turns = 0; turns < 100; turns += 1) await turn()
  t.ok(given < 10, `${given} lines were read`)
  const { body } = peer.requests[0]!
  t.equal(body.split('\n').length - 1, 3, 'three lines of 300 kB fit')
  t.ok(body.length <= LIMITS.PUB_BATCH_BYTES)
  t.match(
    await refusal(t, done),
    /^no answer from .* \(it takes too long\); whether lines 1 to 3 are published is not/,
  )
})

t.test(
  'lines of JSON are batch items, blank ones are passed over, and an error names the line of the input',
  async t => {
    const { url, events } = await topicWorld(t)
    const rows = [
      '{"data":{"n":1.0},"type":"goal","id":"g"}',
      '',
      '{"data":"text"}',
      '{"data":3}',
      '{"dta":4}',
      '{"data":5}',
    ]
    const { done, told } = pub([url], rows.join('\n'), { ndjson: true, batch: 2 })
    t.equal(
      await refusal(t, done),
      'line 5: it has the member "dta"; there are data, data_base64, type, id, contentType. The detail says what is wrong; ' +
        'types "open", "error", "message", "gap", "end" and "cloudevent" are reserved. (INVALID_EVENT); lines 4 to 5 are not published',
    )
    t.same(told, ['published 2 events to "t", offsets 1 to 2'])
    t.match(await events(), [{ data: { n: 1 }, type: 'goal', id: 'g' }, { data: 'text' }])
  },
)

t.test('a line that is no text needs a content type; what stands before it is published', async t => {
  const { url, events } = await topicWorld(t)
  const bytes = [Buffer.from('good\n'), Buffer.from([0xff, 0xfe, 10])]
  const { done, told } = pub([url], bytes)
  t.match(await refusal(t, done), /^line 2 is not UTF-8 text: say what it is with --content-type/)
  t.same(told, ['published 1 event to "t", offset 1'])
  await pub([url], bytes, { contentType: 'application/octet-stream' }).done
  t.match((await events()).at(-1), { data_base64: '//4=', contentType: 'application/octet-stream' })
  t.match(await refusal(t, pub([url], bytes, { ndjson: true }).done), /line 1: it is not JSON/)
})

t.test('a retry through another peer after a lost answer makes no second event', async t => {
  const { url, events, topic } = await topicWorld(t)
  const lost: string[] = []
  // It carries the first request out, and cuts the connection in place of the answer.
  const lossy = await server(t, async (request, response) => {
    const body: Buffer[] = []
    for await (const chunk of request) body.push(chunk)
    const key = String(request.headers['idempotency-key'])
    lost.push(key)
    const headers = { 'content-type': 'application/x-ndjson', 'idempotency-key': key }
    await fetch(`${topic}/batch`, { method: 'POST', body: Buffer.concat(body), headers })
    response.destroy()
  })
  const { done, told } = pub([lossy, url], 'a\nb\nc\n', { batch: 2 })
  await done
  t.equal(lost.length, 1, 'it stays with the peer that answers')
  t.same(told, ['published 3 events to "t", offsets 1 to 3'])
  t.same(
    (await events()).map(({ data }) => data),
    ['a', 'b', 'c'],
  )
})

t.test(
  'what passes is tried again under the same key, at the same peer too; each batch has its own',
  async t => {
    const peer = await fake(
      t,
      problem(503, 'NO_PRIMARY', { 'retry-after': '0' }),
      cut,
      problem(409, 'IDEMPOTENCY_KEY_IN_FLIGHT'),
      problem(504, 'OUTCOME_UNKNOWN'),
      took(1, 1),
      took(5, 1),
    )
    const { done, told } = pub([peer.url], 'a\nb\n', { batch: 1 })
    await done
    t.same(told, ['published 2 events to "t", among offsets 1 to 5'])
    const keys = peer.requests.map(({ headers }) => headers['idempotency-key'])
    t.equal(new Set(keys.slice(0, 5)).size, 1)
    t.equal(new Set(keys).size, 2)
    t.same(new Set(peer.requests.map(({ url }) => url)), new Set(['/v1/topics/t/batch']))
    t.same(peer.requests[4]!.body, '{"data":"a"}\n')
  },
)

t.test('when patience is over it is said whether the events may be there', async t => {
  const times = { attemptMs: 1_000, patienceMs: 20 }
  const full = await fake(t, problem(503, 'NO_PRIMARY', { 'retry-after': '1' }))
  t.equal(
    await refusal(t, pub([full.url], 'a\nb\n', {}, { times }).done),
    'detail of NO_PRIMARY Do it right. (NO_PRIMARY); lines 1 to 2 are not published',
  )
  t.match(
    await refusal(t, pub([await goneUrl()], 'a', {}, { times }).done),
    /^no answer from .* \(ECONNREFUSED\); line 1 is not published$/,
  )
  const cutting = await fake(t, cut)
  t.match(
    await refusal(t, pub([cutting.url], 'a', {}, { times }).done),
    /whether line 1 is published is not known$/,
  )
  const late = await fake(t, cut, problem(404, 'UNKNOWN_TOPIC'))
  t.match(
    await refusal(t, pub([late.url], 'a').done),
    /UNKNOWN_TOPIC\); whether line 1 is published is not known$/,
  )
})

t.test('what is refused is refused at once, in one line', async t => {
  const unknown = await fake(t, problem(404, 'UNKNOWN_TOPIC'))
  const { done } = pub([unknown.url, unknown.url], '', { data: 'one' })
  t.equal(await refusal(t, done), 'detail of UNKNOWN_TOPIC Do it right. (UNKNOWN_TOPIC)')
  t.equal(unknown.requests.length, 1)
  const page = await fake(t, response => response.end('<html>'))
  t.match(await refusal(t, pub([page.url], 'x').done), 'is no peer: it does not say what it published')
  const broken = new Readable({
    read: () => void broken.destroy(Object.assign(new Error(), { code: 'EISDIR' })),
  })
  t.equal(await refusal(t, pub([page.url], broken).done), 'stdin cannot be read (EISDIR)')
})

t.test('an interrupt ends after the batch under way', async t => {
  const stopping = new AbortController()
  const peer = await fake(t, (response, request) => {
    stopping.abort()
    took(1, 2)(response, request)
  })
  const { done, told } = pub([peer.url], 'a\nb\nc\nd\n', { batch: 2 }, { signal: stopping.signal })
  t.equal(
    await refusal(t, done),
    'stopped before the end of stdin: published 2 events to "t", offsets 1 to 2',
  )
  t.equal(peer.requests.length, 1)
  t.same(told, [])

  const idle = new AbortController()
  const waiting = await fake(t, took(1, 1))
  const stdin = new PassThrough()
  const gathered = pub([waiting.url], stdin, { json: true }, { signal: idle.signal, waitMs: 60_000 })
  stdin.write('gathered\n')
  for (let turns = 0; turns < 10; turns += 1) await turn()
  idle.abort()
  t.match(await refusal(t, gathered.done), /published 1 event/)
  t.equal(waiting.requests[0]?.body, '{"data":"gathered"}\n')
})

t.test('what pub is asked for is checked before anybody is asked', async t => {
  const url = ['http://127.0.0.1:5555']
  t.same(parsePub('t', { url: ['http://localhost:80/', 'http://b:1'] }).urls, [
    'http://localhost',
    'http://b:1',
  ])
  const bad: readonly [string, object, RegExp][] = [
    ['a*', {}, /"a\*" cannot be a topic/],
    ['t', { url: ['x'] }, /--url has the URL "x"/],
    ['t', { batch: '0' }, /--batch is "0": give a number from 1 to 10000/],
    ['t', { batch: '10001' }, /--batch is/],
    ['t', { id: 'x' }, /--id names one event/],
    ['t', { ndjson: true, contentType: 'a/b' }, /--ndjson and --content-type exclude each other/],
  ]
  for (const [topic, flags, message] of bad) {
    t.throws(() => parsePub(topic, { url, ...flags }), message)
    t.throws(() => parsePub(topic, { url, ...flags }), ConfigError)
  }
})

t.test('the program publishes what a pipe gives it', async t => {
  const { url, events } = await topicWorld(t)
  const [good, unknown, wrong] = await Promise.all([
    runProgram(['pub', 't', '--url', url, '--url', await goneUrl(), '--json'], 'one\ntwo\n'),
    runProgram(['pub', 'nobody', '--url', url, '--data', 'x']),
    runProgram(['pub', 't', '--url', url, '--batch', 'many']),
  ])
  t.match(good, { code: 0, out: /^\{"topic":"t","first":1,"last":2,"count":2,.*\}\n$/ })
  t.equal(good.err, 'published 2 events to "t", offsets 1 to 2\n')
  t.match(unknown, { code: 1, out: '', err: /^hypercast: [^\n]*\(UNKNOWN_TOPIC\)\n$/ })
  t.match(wrong, { code: 2, out: '', err: /^--batch is "many"[^\n]*\n$/ })
  t.equal((await events()).length, 2)
})
