import t from 'tap'
import { negotiate } from '../../services/peer/http/accept.ts'
import { readStart } from '../../services/peer/http/start.ts'
import { makeApp } from '../support/app.ts'

async function makeTopic(t: Parameters<typeof makeApp>[0], count = 5) {
  const made = await makeApp(t)
  await made.app.inject({ method: 'PUT', url: '/v1/topics/sports' })
  for (let at = 1; at <= count; at++) {
    await made.app.inject({ method: 'POST', url: '/v1/topics/sports/publish', payload: `update ${at}` })
  }
  const read = (query: string, accept: string, headers = {}) =>
    made.app.inject({ url: `/v1/topics/sports/events${query}`, headers: { accept, ...headers } })
  return { ...made, read }
}

t.test('Accept chooses between a stream, a page and a history', async t => {
  for (const [accept, type] of [
    [undefined, 'text/event-stream'],
    ['', 'text/event-stream'],
    ['*/*', 'text/event-stream'],
    ['text/*', 'text/event-stream'],
    ['text/event-stream', 'text/event-stream'],
    ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 'text/event-stream'],
    ['application/json', 'application/json'],
    ['APPLICATION/JSON; charset=utf-8', 'application/json'],
    ['application/*', 'application/json'],
    ['application/x-ndjson', 'application/x-ndjson'],
    ['application/json;q=0.5, application/x-ndjson', 'application/x-ndjson'],
    ['text/event-stream;q=0, */*', 'application/json'],
    ['*/*;q=0.1, application/json', 'application/json'],
    ['text/html', undefined],
    ['*/*;q=0', undefined],
    [', ;;q=', undefined],
  ] as const) {
    t.equal(negotiate(accept), type, String(accept))
  }
})

t.test('Last-Event-ID beats lastEventId, which beats from; the rest is checked', async t => {
  const latest = { kind: 'latest' } as const
  t.same(readStart({}, latest), latest)
  t.same(readStart({ lastEventIdHeader: '3-1', lastEventId: '2-1', from: '1' }, latest), {
    kind: 'cursor',
    offset: 3,
    incarnation: 1,
  })
  t.match(readStart({ lastEventIdHeader: '', lastEventId: '2-1', from: '1' }, latest), { offset: 2 })
  t.same(readStart({ from: '7' }, latest), { kind: 'offset', offset: 7 })
  t.same(readStart({ from: 'earliest' }, latest), { kind: 'earliest' })
  t.same(readStart({ last: 3 }, latest), { kind: 'last', count: 3 })
  const timeMs = Date.UTC(2025, 0, 31, 12)
  for (const time of ['2025-01-31T12:00:00Z', '2025-01-31T14:00+02:00', '2025-01-31T14:00 02:00']) {
    t.same(readStart({ from: time }, latest), { kind: 'time', timeMs }, time)
  }
  t.same(readStart({ from: '2025-01-31' }, latest), { kind: 'time', timeMs: Date.UTC(2025, 0, 31) })
  for (const from of [
    '',
    '0',
    '-1',
    '01',
    '1.5',
    'now',
    '1-1',
    '99999999999999999',
    '2025-13-01',
    '2025-01-31T12:00',
  ]) {
    t.throws(() => readStart({ from }, latest), { code: 'INVALID_REQUEST' }, from)
  }
  t.throws(() => readStart({ from: '1', last: 1 }, latest), { code: 'INVALID_REQUEST' })
  for (const id of ['x', '1', '1-', '-1-1', '01-1', '1-0', '1-1 ', 'x'.repeat(10_000)]) {
    t.throws(() => readStart({ lastEventId: id }, latest), { code: 'INVALID_CURSOR' }, id.slice(0, 20))
  }
})

t.test('a page begins at the earliest event and its next leads through all', async t => {
  const { read } = await makeTopic(t)
  const first = await read('?limit=2', 'application/json')
  t.equal(first.statusCode, 200)
  t.equal(first.headers.vary, 'Accept')
  t.equal(first.headers['access-control-allow-origin'], '*')
  t.match(first.json(), { topic: 'sports', earliest: 1, latest: 5, next: '2-1' })
  t.match(first.json().events, [
    { offset: 1, cursor: '1-1', id: '1-1', data: 'update 1' },
    { offset: 2, data: 'update 2' },
  ])
  const second = await read(`?limit=2&lastEventId=${first.json().next}`, 'application/json')
  t.match(second.json().events, [{ offset: 3 }, { offset: 4 }])
  const third = await read('?limit=2', 'application/json', { 'last-event-id': second.json().next })
  t.match(third.json(), { next: '5-1', events: [{ offset: 5 }] })
  t.match((await read('?last=2', 'application/json')).json().events, [{ offset: 4 }, { offset: 5 }])
  t.match((await read('?from=latest', 'application/json')).json(), { next: '5-1', events: [] })
})

t.test('a history is one event a line up to the last there is', async t => {
  const { read } = await makeTopic(t)
  const answer = await read('?from=3', 'application/x-ndjson')
  t.equal(answer.headers['content-type'], 'application/x-ndjson')
  const lines = answer.body
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line))
  t.match(lines, [{ offset: 3 }, { offset: 4 }, { offset: 5, data: 'update 5' }])
  t.equal(lines.length, 3)
})

t.test('what is wrong for good is a 4xx in every form', async t => {
  const { app, read } = await makeTopic(t)
  for (const accept of ['text/event-stream', 'application/json', 'application/x-ndjson']) {
    const unknown = await app.inject({ url: '/v1/topics/none/events', headers: { accept } })
    t.match(unknown.json(), { code: 'UNKNOWN_TOPIC', status: 404 }, accept)
    t.match((await read('?lastEventId=9-9', accept)).json(), { code: 'CURSOR_FROM_FUTURE' }, accept)
    t.match((await read('?lastEventId=x', accept)).json(), { code: 'INVALID_CURSOR' }, accept)
    t.match((await read('?from=x', accept)).json(), { code: 'INVALID_REQUEST' }, accept)
    t.match((await read('?form=1', accept)).json(), { code: 'UNKNOWN_PARAMETER' }, accept)
    t.match((await read('?from=1&from=2', accept)).json(), { code: 'INVALID_REQUEST' }, accept)
    for (const bad of ['last=x', 'last=-1', 'limit=0', 'limit=1001', 'named=yes', 'format=xml']) {
      t.match((await read(`?${bad}`, accept)).json(), { code: 'INVALID_REQUEST', status: 400 }, bad)
    }
  }
  t.match((await read('', 'text/html')).json(), { code: 'NOT_ACCEPTABLE', status: 406 })
})

t.test('HEAD answers at once in every form', async t => {
  const { app } = await makeTopic(t)
  for (const accept of ['text/event-stream', 'application/json', 'application/x-ndjson']) {
    const answer = await app.inject({ method: 'HEAD', url: '/v1/topics/sports/events', headers: { accept } })
    t.equal(answer.statusCode, 200)
    t.match(answer.headers['content-type'], accept)
    t.equal(answer.headers.vary, 'Accept')
    t.equal(answer.body, '')
  }
})

t.test('HEAD does not claim that the stream or page is empty', async t => {
  const { app } = await makeTopic(t)
  for (const accept of ['*/*', 'application/json', 'application/x-ndjson']) {
    const answer = await app.inject({ method: 'HEAD', url: '/v1/topics/sports/events', headers: { accept } })
    t.equal(answer.statusCode, 200)
    t.equal(answer.headers['content-length'], undefined, accept)
  }
})

t.test('a parameter with a few possible values says which', async t => {
  const { read } = await makeTopic(t)
  const answer = await read('?format=xml', 'application/json')
  t.match(answer.json(), { detail: 'The parameter "format" must be "plain" or "cloudevents".' })
})

t.test('a page from a topic that lost events to retention says which', async t => {
  const { app, peer, read } = await makeTopic(t)
  await peer.slots.append(30, { kind: 'trim', topic: 'sports', incarnation: 1, before: 4, bytes: 24 })
  t.match((await read('?from=2', 'application/json')).json(), {
    gap: { from: 2, to: 3 },
    events: [{ offset: 4 }, { offset: 5 }],
  })
  t.equal((await app.inject('/v1/topics/sports')).json().earliest, 4)
})
