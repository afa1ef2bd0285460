import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { parseSub, type SubOptions } from '../../services/peer/commands/stream-options.ts'
import { runSub, type SubTools } from '../../services/peer/commands/sub.ts'
import { ConfigError } from '../../services/peer/config.ts'
import { buildApp } from '../../services/peer/http/app.ts'
import { cut, FakePeer, frame, goneUrl, json, problem, silent, stream } from '../clients/fake-peer.ts'
import { listen } from '../support/app.ts'
import { PAUSES, refusal, runProgram, Sink, server, startProgram, topicWorld } from '../support/commands.ts'

/** Subscribes to the topic `t`; `close` is the interrupt. */
function sub(urls: readonly string[], flags: object = {}, tools: Partial<SubTools> = {}) {
  const told: string[] = []
  const stdout = new Sink()
  const stopping = new AbortController()
  const options: SubOptions = parseSub(['t'], { url: urls, ...flags })
  const done = runSub(options, {
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

const position = (offset: number) => `id: ${offset}-1\n\n`
const ids = (peer: FakePeer) => peer.requests.map(({ headers }) => headers['last-event-id'])

t.test('payloads are printed as they were published, text, JSON and bytes', async t => {
  const { url, publish, peer } = await topicWorld(t)
  await publish('text \r\n of two lines')
  await publish('')
  await publish('{ "n": 1.0,\n "big": 12345678901234567890, "data": {"data":1} }', {
    'content-type': 'application/json',
  })
  await publish('"a string"', { 'content-type': 'application/json', 'ce-id': ',"data":', 'ce-x': '\\' })
  await publish('not JSON', { 'content-type': 'application/json' })
  await publish(new Uint8Array([0xff, 0]), { 'content-type': 'application/octet-stream', 'ce-type': 'raw' })
  const bytes: Buffer[] = []
  const stdout = new Writable({
    write(chunk, _encoding, done) {
      bytes.push(chunk)
      done()
    },
  })
  await sub([url], { from: 'earliest', count: '6' }, { stdout }).done
  t.same(
    Buffer.concat(bytes).toString('latin1').replace('\r', 'CR'),
    'text CR\n of two lines\n\n{ "n": 1.0,\n "big": 12345678901234567890, "data": {"data":1} }\n"a string"\nnot JSON\n\xff\0\n',
  )

  const lines = sub([url], { from: 'earliest', count: '6', json: true })
  await lines.done
  const read = lines.stdout.lines.map(line => JSON.parse(line))
  t.same(
    read.map(({ offset, cursor, data, data_base64 }) => [offset, cursor, data ?? data_base64]),
    [
      [1, '1-1', 'text \r\n of two lines'],
      [2, '2-1', ''],
      [3, '3-1', { n: 1, big: Number('12345678901234567890'), data: { data: 1 } }],
      [4, '4-1', 'a string'],
      [5, '5-1', Buffer.from('not JSON').toString('base64')],
      [6, '6-1', '/wA='],
    ],
  )
  t.match(
    lines.stdout.lines[2],
    '"data":{"n":1.0,"big":12345678901234567890,',
    'numbers stay as they were written',
  )
  t.match(read[3], { id: ',"data":', type: 'hypercast.event', contentType: 'application/json' })
  t.match(read[5], { type: 'raw', time: /^\d{4}-.*Z$/, id: '6-1' })
  while (peer.streams.stats().streams > 0) await turn()
  t.pass('no stream is left open')
})

t.test('it begins where it is told to, follows, and ends at a count or without following', async t => {
  const { url, publish } = await topicWorld(t)
  for (const data of ['a', 'b', 'c', 'd']) await publish(data)
  const read = async (flags: object) => {
    const { done, stdout } = sub([url], { follow: false, ...flags })
    await done
    return stdout.lines
  }
  t.same(await read({ from: 'earliest' }), ['a', 'b', 'c', 'd'])
  t.same(await read({ from: '3' }), ['c', 'd'])
  t.same(await read({ last: '1' }), ['d'])
  t.same(await read({ lastEventId: '1-1' }), ['b', 'c', 'd'])
  t.same(await read({ from: '2020-01-01T00:00:00Z', count: '1' }), ['a'])
  t.same(await read({}), [])

  const live = sub([url], { last: '1' })
  await live.stdout.until(1)
  await publish('live')
  await live.stdout.until(2)
  live.close()
  await live.done
  t.same(live.stdout.lines, ['d', 'live'])
  t.same(live.told, [])
})

t.test('a stream that breaks goes on behind the last whole event, at the next peer', async t => {
  const half = frame(3, 'three').slice(0, -10)
  const one = await fake(t, stream(position(0) + frame(1, 'one') + frame(2, 'two') + half, 'cut'), cut)
  const other = await fake(t, stream(position(2) + frame(3, 'three'), 'end'), cut)
  const third = await fake(t, stream(`: The topic has no primary now.\n\n`, 'end'), stream(frame(4, 'four')))
  const urls = [one.url, other.url, third.url]
  const { done, stdout, told } = sub(urls, { from: 'earliest', count: '4' })
  await stdout.until(2)
  await done
  t.same(stdout.lines, ['one', 'two', 'three', 'four'])
  t.equal(one.requests[0]!.url, '/v1/topics/t/events?format=cloudevents&from=earliest')
  t.equal(other.requests[0]!.url, '/v1/topics/t/events?format=cloudevents', 'the cursor says where to go on')
  t.same([ids(one)[0], ids(other)[0], ids(third)[0]], [undefined, '2-1', '3-1'])
  t.match(told, [
    new RegExp(`^${one.url} broke off .*; trying ${other.url}$`),
    `going on at ${other.url}`,
    `${other.url} ended the stream; trying ${third.url}`,
    /^going on at/,
  ])
})

t.test(
  'a stream that brought no event yet goes on from its position, not from what is the latest then',
  async t => {
    const peer = await fake(t, stream(`retry: 500\n\n${position(7)}`, 'cut'), stream(frame(8, 'missed')))
    const { done, stdout } = sub([peer.url], { count: '1' })
    await done
    t.same(stdout.lines, ['missed'])
    t.same(ids(peer), [undefined, '7-1'])
  },
)

t.test('a peer that is silent is left', async t => {
  const quiet = await fake(t, stream(position(7)))
  const other = await fake(t, stream(frame(8, 'next')))
  const { done, stdout } = sub([quiet.url, other.url], { count: '1' }, { silenceMs: 60 })
  await done
  t.same(stdout.lines, ['next'])
  t.same(ids(other), ['7-1'])
  const mute = await fake(t, silent)
  const never = sub([mute.url, other.url], { count: '1' }, { attemptMs: 60 })
  await never.done
  t.match(never.told, [/^no answer from .*; trying/, /^going on at/])
})

t.test('a real peer that is killed is left for another without a gap or a double', async t => {
  const { app, peer, url, publish } = await topicWorld(t)
  const second = await buildApp(peer)
  t.teardown(() => second.close())
  const { url: otherUrl } = await listen(second)
  const { done, stdout } = sub([url, otherUrl], { from: 'earliest', count: '400' })
  const sent: string[] = []
  const send = async (target: string) => {
    sent.push(`event ${sent.length}`)
    const body = sent.at(-1)!
    await fetch(`${target}/v1/topics/t/publish`, {
      method: 'POST',
      body,
      headers: { 'content-type': 'text/plain' },
    })
  }
  await publish('first')
  while (sent.length < 100) await send(url)
  await stdout.until(50)
  app.server.close()
  app.server.closeAllConnections()
  while (sent.length < 399) await send(otherUrl)
  await done
  t.same(stdout.lines, ['first', ...sent])
})

t.test('a gap is told on stderr, and in the output as JSON', async t => {
  const text = `${position(0)}event: gap\nid: 5-1\ndata: {"from":1,"to":5}\n\n${frame(6, 'six')}`
  const peer = await fake(t, stream(text))
  const plain = sub([peer.url], { from: 'earliest', count: '1' })
  await plain.done
  t.same(plain.stdout.lines, ['six'])
  t.same(plain.told, ['gap: the offsets 1 to 5 are no longer kept'])
  const lines = sub([peer.url], { from: 'earliest', count: '1', json: true })
  await lines.done
  t.equal(lines.stdout.lines[0], '{"gap":{"from":1,"to":5},"cursor":"5-1"}')
  t.equal(lines.stdout.lines.length, 2)
})

t.test('the end of a topic is the end; a topic that there never was is an error', async t => {
  const end = (reason: string) => `event: end\ndata: {"reason":"${reason}"}\n\n`
  const peer = await fake(t, stream(frame(1, 'one') + end('deleted') + frame(2, 'two')))
  const { done, stdout, told } = sub([peer.url])
  await done
  t.same(stdout.lines, ['one'])
  t.same(told, ['the topic "t" has ended: deleted'])
  const gone = await fake(t, response => response.writeHead(204).end())
  const resumed = sub([gone.url], { lastEventId: '3-1' })
  await resumed.done
  t.match(resumed.told, [/cursor belongs to has ended$/])
  for (const [reason, code] of [
    ['unknown', 'UNKNOWN_TOPIC'],
    ['future', 'CURSOR_FROM_FUTURE'],
  ] as const) {
    const late = await fake(t, stream(end(reason)))
    t.match(await refusal(t, sub([late.url]).done), new RegExp(`\\(${code}\\)$`))
  }
})

t.test('what is refused, and where nobody answers, is told in one line', async t => {
  const { url } = await topicWorld(t)
  const other = parseSub(['nobody'], { url: [url] })
  const tools = { stdout: new Sink(), tell: () => {}, signal: new AbortController().signal }
  t.match(await refusal(t, runSub(other, tools)), /\(UNKNOWN_TOPIC\)$/)
  t.match(await refusal(t, runSub({ ...other, follow: false }, tools)), /\(UNKNOWN_TOPIC\)$/)
  t.match(await refusal(t, sub([url], { lastEventId: '9-1' }).done), /\(CURSOR_FROM_FUTURE\)$/)
  const gone = await goneUrl()
  t.match(
    await refusal(t, sub([gone, gone]).done),
    /^no answer from .* \(ECONNREFUSED\): give the URL of a peer/,
  )
  const page = await fake(t, json(200, {}))
  t.match(await refusal(t, sub([page.url]).done), 'is no peer: it answers no event stream')
  t.match(await refusal(t, sub([page.url], { follow: false }).done), 'is no peer: it answers no topic')
  const odd = await fake(t, stream('id: 1-1\ndata: text\n\n'))
  t.match(await refusal(t, sub([odd.url]).done), 'holds a frame that is no JSON object')
  const busy = await fake(t, problem(503, 'OVERLOADED', { 'retry-after': '0' }), stream(frame(1, 'x')))
  await sub([gone, busy.url, gone], { count: '1' }).done
  t.pass('one of the list is enough')
})

t.test('an output that cannot be written is an error, unless its reader is gone', async t => {
  const peer = await fake(t, stream(frame(1, 'x')))
  const failing = (code: string) =>
    new Writable({ write: (_chunk, _encoding, done) => done(Object.assign(new Error(code), { code })) })
  t.equal(
    await refusal(t, sub([peer.url], {}, { stdout: failing('ENOSPC') }).done),
    'stdout cannot be written (ENOSPC)',
  )
  await sub([peer.url], {}, { stdout: failing('EPIPE') }).done
})

t.test('a cursor file keeps where to go on, and beats --from', async t => {
  const { url, publish } = await topicWorld(t)
  const path = join(t.testdir({ bad: 'yesterday', folder: {} }), 'cursor')
  for (const data of ['a', 'b', 'c']) await publish(data)
  const flags = { from: 'earliest', cursorFile: path }
  const first = sub([url], { ...flags, count: '2' })
  await first.done
  t.same(first.stdout.lines, ['a', 'b'])
  t.equal(readFileSync(path, 'utf8'), '2-1\nt\n', 'of the last event that was printed, not that was received')
  const second = sub([url], { ...flags, follow: false })
  await second.done
  t.same(second.stdout.lines, ['c'])
  const third = sub([url], flags)
  await publish('d')
  await third.stdout.until(1)
  third.close()
  await third.done
  t.equal(readFileSync(path, 'utf8'), '4-1\nt\n', 'an interrupt keeps it, too')
  const odd = await fake(t, stream(frame(5, 'e') + frame(6, 'f'), 'cut'), stream('id: 7-1\ndata: text\n\n'))
  t.match(await refusal(t, sub([odd.url], flags).done), 'holds a frame that is no JSON object')
  t.same(ids(odd), ['4-1', '6-1'])
  t.equal(readFileSync(path, 'utf8'), '6-1\nt\n', 'so does an error')
  const folder = join(path, '..')
  const bad = sub([url], { cursorFile: join(folder, 'bad') })
  t.match(await refusal(t, bad.done), /bad holds no cursor: remove it, or name another with --cursor-file$/)
  const unreadable = sub([url], { cursorFile: join(folder, 'folder') })
  t.match(await refusal(t, unreadable.done), /cannot be read \(EISDIR\)$/)
  const unwritable = sub([url], { from: 'earliest', cursorFile: join(folder, 'none', 'cursor') })
  t.match(await refusal(t, unwritable.done), /cannot be written \(ENOENT\)$/)
})

t.test('a reader that is slow is waited for, and what it never takes is not passed over', async t => {
  let written = 0
  const url = await server(t, async (_request, response: ServerResponse) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const closed = once(response, 'close')
    for (let offset = 1; !response.destroyed; offset += 1) {
      written = offset
      if (!response.write(frame(offset, 'x'.repeat(100_000)))) {
        await Promise.race([once(response, 'drain'), closed])
      }
    }
  })
  const path = join(t.testdir({}), 'cursor')
  const stdout = new Writable({ write() {} })
  const { done, close } = sub([url], { from: 'earliest', cursorFile: path }, { stdout })
  let before = -1
  while (before !== written) {
    before = written
    for (let turns = 0; turns < 200; turns += 1) await turn()
  }
  t.ok(written > 0 && written < 500, `${written} events left the peer`)
  close()
  await done
  t.notOk(existsSync(path))
})

t.test('what sub is asked for is checked before anybody is asked', async t => {
  const url = ['http://127.0.0.1:5555']
  const options = parseSub(['t'], { url, from: '2026-01-31T12:00:00+02:00', follow: true })
  t.equal(options.start, '&from=2026-01-31T12%3A00%3A00%2B02%3A00')
  const bad: readonly [string, object, RegExp][] = [
    ['', {}, /"" cannot be a topic/],
    ['t', { from: 'yesterday' }, /^--from="yesterday" is not "earliest"/],
    ['t', { last: '0' }, /--last is "0": give a number from 1 on/],
    ['t', { count: '-1' }, /--count is "-1"/],
    ['t', { lastEventId: '7' }, /--last-event-id: "7" is not/],
    ['t', { lastEventId: '' }, /--last-event-id: /],
    ['t', { last: '1', from: 'latest' }, /--from and --last exclude each other/],
    ['t', { lastEventId: '1-1', cursorFile: 'f' }, /--cursor-file and --last-event-id exclude/],
  ]
  for (const [topic, flags, message] of bad) {
    t.throws(() => parseSub([topic], { url, ...flags }), message)
    t.throws(() => parseSub([topic], { url, ...flags }), ConfigError)
  }
})

t.test('the program ends quietly when nobody reads it any more, and when it is interrupted', async t => {
  const { url, publish } = await topicWorld(t)
  const path = join(t.testdir({}), 'cursor')
  writeFileSync(path, '0-1\n')
  await publish('one')
  const reading = startProgram(['sub', 't', '--url', url, '--from', 'earliest'])
  const interrupted = startProgram(['sub', 't', '--url', url, '--cursor-file', path])
  const counted = runProgram(['sub', 't', '--url', url, '--from', 'earliest', '--count', '1'])
  const [first] = await once(reading.child.stdout, 'data')
  t.equal(String(first), 'one\n')
  reading.child.stdout.destroy()
  await once(interrupted.child.stdout, 'data')
  interrupted.child.kill('SIGINT')
  t.same(await interrupted.exited, [0, null])
  t.equal(readFileSync(path, 'utf8'), '1-1\nt\n')
  await publish('two')
  t.same(await reading.exited, [0, null])
  t.equal(reading.errors() + interrupted.errors(), '')
  t.same(await counted, { code: 0, out: 'one\n', err: '' })
})
