import { readFileSync } from 'node:fs'
import { createServer, connect as dial, type Socket } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { parseSub } from '../../services/peer/commands/stream-options.ts'
import { runSub } from '../../services/peer/commands/sub.ts'
import { listen, makeApp } from '../support/app.ts'
import { PAUSES, refusal, Sink } from '../support/commands.ts'

/** A peer as it is, over the network. */
async function world(t: Test) {
  const { app, peer } = await makeApp(t)
  const { url, port } = await listen(app)
  const path = (topic: string) => `${url}/v1/topics/${encodeURIComponent(topic)}`
  const create = (topic: string) => fetch(path(topic), { method: 'PUT' })
  const remove = (topic: string) => fetch(path(topic), { method: 'DELETE' })
  const publish = async (topic: string, body: string | Uint8Array<ArrayBuffer>, type = 'text/plain') => {
    const answer = await fetch(`${path(topic)}/publish`, {
      method: 'POST',
      body,
      headers: { 'content-type': type },
    })
    t.equal(answer.status, 201)
  }
  return { peer, url, port, create, remove, publish }
}

function sub(urls: readonly string[], topics: readonly string[], flags: object = {}) {
  const told: string[] = []
  const stdout = new Sink()
  const stopping = new AbortController()
  const done = runSub(parseSub(topics, { url: urls, ...flags }), {
    ...{ stdout, tell: (line: string) => told.push(line), signal: stopping.signal, pauses: PAUSES },
  })
  return { done, told, stdout, close: () => stopping.abort() }
}

/** A way to a port that can be cut. */
async function way(t: Test, port: number) {
  const sockets = new Set<Socket>()
  const server = createServer(near => {
    const far = dial(port, '127.0.0.1')
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    }
    near.pipe(far).pipe(near)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }
  t.teardown(() => {
    cut()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as { port: number }).port}`, cut }
}

t.test('payloads of several topics are printed as they were published, each behind its topic', async t => {
  const { url, create, publish } = await world(t)
  for (const topic of ['a/text', 'a/json', 'bytes', 'not this']) await create(topic)
  await publish('not this', 'unseen')
  await publish('a/text', 'two\nlines')
  await publish('a/json', '{ "n": 1.0, "data": {"data":12345678901234567890} }', 'application/json')
  await publish('bytes', new Uint8Array([0xc3, 0xa4]), 'application/octet-stream')
  const wants = ['a/*', 'bytes']
  const plain = sub([url], wants, { from: 'earliest', count: '3' })
  await plain.done
  t.same(
    new Set(plain.stdout.text.replace('two\n', 'two ').split('\n').slice(0, -1)),
    new Set(['a/text\ttwo lines', 'a/json\t{ "n": 1.0, "data": {"data":12345678901234567890} }', 'bytes\tä']),
  )
  const json = sub([url], wants, { from: 'earliest', count: '3', json: true })
  await json.done
  const lines = new Map(json.stdout.lines.map(line => [JSON.parse(line).topic as string, line]))
  t.match(lines.get('a/json'), '"data":{ "n": 1.0, "data": {"data":12345678901234567890} }}')
  t.match(JSON.parse(lines.get('bytes')!), { offset: 1, data_base64: 'w6Q=' })
  t.match(JSON.parse(lines.get('a/text')!), { topic: 'a/text', offset: 1, data: 'two\nlines' })
  t.ok([...lines.values()].every(line => /^{"topic":"[^"]+","offset":1,/.test(line)))
})

t.test(
  'a connection that is cut again and again loses and doubles nothing, nor does another run',
  async t => {
    const { port, create, publish } = await world(t)
    const topics = ['a', 'b/1', 'b/2']
    for (const topic of topics) await create(topic)
    const { url, cut } = await way(t, port)
    const path = join(t.testdir({}), 'cursor')
    const flags = { json: true, from: 'earliest', cursorFile: path }
    const printed: string[] = []
    for (let run = 0; run < 2; run += 1) {
      const running = sub([url], ['a', 'b/**'], { ...flags, count: '60' })
      for (let at = 1; at <= 20; at += 1) {
        for (const topic of topics) await publish(topic, `${run * 20 + at}`)
        if (at % 5 !== 0) continue
        await running.stdout.until(at * 3 - 1)
        cut()
      }
      await running.done
      printed.push(...running.stdout.lines)
      t.equal(readFileSync(path, 'utf8'), `${JSON.parse(printed.at(-1)!).cursor}\na\nb/**\n`)
      t.match(running.told[0], /broke off|no answer/)
    }
    const events = printed.map(line => JSON.parse(line))
    for (const topic of topics) {
      const own = events.filter(event => event.topic === topic)
      t.same(
        own.map(({ offset, data }) => [offset, data]),
        Array.from({ length: 40 }, (_, at) => [at + 1, `${at + 1}`]),
        topic,
      )
    }
    t.equal(events.length, 120)
  },
)

t.test('topics come and go while it prints', async t => {
  const { peer, url, create, remove, publish } = await world(t)
  await create('old')
  await publish('old', 'before')
  const running = sub([url], ['old', 'new/*'], { last: '1', json: true })
  await running.stdout.until(1)
  await create('new/one')
  await publish('new/one', 'joins')
  await running.stdout.until(2)
  await remove('old')
  await running.stdout.until(3)
  await create('old')
  await publish('old', 'again')
  await running.stdout.until(4)
  running.close()
  await running.done
  const [before, joins, end, again] = running.stdout.lines.map(line => JSON.parse(line))
  t.match(before, { topic: 'old', offset: 1, data: 'before' })
  t.match(joins, { topic: 'new/one', offset: 1, data: 'joins' })
  t.match(end, { end: { topic: 'old', reason: 'deleted' }, cursor: /^\w+\.\w+\.\w+~/ })
  t.match(again, { topic: 'old', offset: 1, data: 'again' })
  t.same(running.told, ['the topic "old" has ended: deleted'])
  while (peer.streams.stats().streams > 0) await new Promise(setImmediate)
  t.pass('no stream is left open')
})

t.test('what a peer refuses is told in one line', async t => {
  const { url } = await world(t)
  const many = Array.from({ length: 1_001 }, (_, at) => `t${at}`)
  t.match(await refusal(t, sub([url], many).done), /1000.*\(INVALID_REQUEST\)$/)
  const long = Array.from({ length: 600 }, (_, at) => `${at}`.padStart(250, 'x'))
  t.match(await refusal(t, sub([url], long).done), /\(HEADERS_TOO_LARGE\)$/)
})
