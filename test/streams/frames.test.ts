import fc from 'fast-check'
import t from 'tap'
import { payloadKind, toCloudEvent } from '../../services/peer/streams/cloudevents.ts'
import { sseEncoding } from '../../services/peer/streams/frames.ts'
import type { StoredEvent } from '../../services/peer/topics/types.ts'
import { EventStream } from './sse.ts'

const plain = sseEncoding('sports', { named: false, format: 'plain', retryMs: 500 })
const named = sseEncoding('sports', { named: true, format: 'plain', retryMs: 500 })
const cloud = sseEncoding('sports', { named: false, format: 'cloudevents', retryMs: 500 })

function event(data: string | Uint8Array, more: Partial<StoredEvent> = {}): StoredEvent {
  const bytes = typeof data === 'string' ? Buffer.from(data) : data
  return { offset: 42, incarnation: 1, sequence: 99, timeMs: 1_700_000_000_123, data: bytes, ...more }
}

function read(bytes: Uint8Array): EventStream {
  const stream = new EventStream()
  stream.push(bytes)
  return stream
}

t.test('one line of text is an id and a data line', async t => {
  t.equal(plain.event(event('Match Update 1')).toString(), 'id: 42-1\ndata: Match Update 1\n\n')
})

t.test('payloads are split on CR, LF and CRLF', async t => {
  t.equal(
    plain.event(event('a\rb\nc\r\nd\n')).toString(),
    'id: 42-1\ndata: a\ndata: b\ndata: c\ndata: d\ndata: \n\n',
  )
})

t.test('an empty payload is an event with empty data', async t => {
  t.equal(plain.event(event('')).toString(), 'id: 42-1\ndata: \n\n')
  t.same(read(plain.event(event(''))).messages, [{ type: 'message', data: '', lastEventId: '42-1' }])
})

t.test('a leading blank, a BOM and a NUL of the payload arrive', async t => {
  for (const text of [' x', '\uFEFFx', 'a\0b', ':', 'data: x', 'тема 🏈']) {
    t.equal(read(plain.event(event(text))).messages[0]?.data, text)
  }
})

t.test('JSON stays the text it is', async t => {
  const json = event('{"a": 12345678901234567890}', { contentType: 'application/json' })
  t.equal(plain.event(json).toString(), 'id: 42-1\ndata: {"a": 12345678901234567890}\n\n')
})

t.test('named=true makes the publisher’s type the name of the event', async t => {
  t.equal(named.event(event('x', { type: 'goal' })).toString(), 'event: goal\nid: 42-1\ndata: x\n\n')
  t.equal(named.event(event('x')).toString(), 'id: 42-1\ndata: x\n\n')
  t.equal(plain.event(event('x', { type: 'goal' })).toString(), 'id: 42-1\ndata: x\n\n')
})

t.test('a type cannot forge lines or names of the wire', async t => {
  for (const type of [
    'a\nid: 1-1',
    'a\rb',
    'a\0',
    'end',
    'gap',
    'open',
    'error',
    'message',
    'cloudevent',
    '',
  ]) {
    t.equal(named.event(event('x', { type })).toString(), 'id: 42-1\ndata: x\n\n')
  }
})

t.test('a payload that is not text comes as a cloudevent', async t => {
  const bytes = event(Uint8Array.of(0xff, 0, 1), { contentType: 'application/octet-stream', type: 'goal' })
  for (const encoding of [plain, named]) {
    const [message] = read(encoding.event(bytes)).messages
    t.equal(message?.type, 'cloudevent')
    t.same(JSON.parse(message!.data), {
      specversion: '1.0',
      id: '42-1',
      source: '/v1/topics/sports',
      type: 'goal',
      time: '2023-11-14T22:13:20.123Z',
      datacontenttype: 'application/octet-stream',
      topic: 'sports',
      offset: 42,
      incarnation: 1,
      data_base64: '/wAB',
    })
  }
})

t.test('what counts as text is decided by media type and bytes', async t => {
  const kinds: [string | undefined, string | Uint8Array, string][] = [
    [undefined, 'x', 'text'],
    [undefined, Uint8Array.of(0xff), 'binary'],
    ['text/html; charset=UTF-8', 'x', 'text'],
    ['text/plain; charset="utf-8"', 'x', 'text'],
    ['text/plain; charset=iso-8859-1', 'é', 'binary'],
    ['text/plain; charset=utf-16', 'x', 'binary'],
    ['application/json', '{}', 'json'],
    ['application/json', Uint8Array.of(0xc3), 'binary'],
    ['application/vnd.api+json', '{}', 'json'],
    ['APPLICATION/XML', '<a/>', 'text'],
    ['image/svg+xml', '<svg/>', 'text'],
    ['application/x-www-form-urlencoded', 'a=b', 'text'],
    ['application/octet-stream', 'x', 'binary'],
    ['image/png', 'x', 'binary'],
    ['nonsense', 'x', 'binary'],
  ]
  for (const [contentType, data, kind] of kinds) {
    const subject = event(data, contentType === undefined ? {} : { contentType })
    t.equal(payloadKind(subject), kind, `${contentType} ${String(data)}`)
  }
})

t.test('format=cloudevents makes every event a CloudEvents object', async t => {
  const text = cloud.event(event('a\nb', { id: 'm-1', type: 'goal' }))
  t.equal(
    text.toString(),
    'id: 42-1\ndata: {"specversion":"1.0","id":"m-1","source":"/v1/topics/sports","type":"goal",' +
      '"time":"2023-11-14T22:13:20.123Z","datacontenttype":"text/plain; charset=utf-8","topic":"sports",' +
      '"offset":42,"incarnation":1,"data":"a\\nb"}\n\n',
  )
  const json = event('{"n":\n12345678901234567890}', { contentType: 'application/json' })
  const [message] = read(cloud.event(json)).messages
  t.match(message?.data, /"data":\{"n":\n12345678901234567890\}\}$/, 'a JSON payload stands there as it is')
  t.ok(JSON.parse(message!.data))
})

t.test('JSON that is none travels as bytes', async t => {
  const broken = toCloudEvent('sports', event('{"a":', { contentType: 'application/json' }))
  t.equal(JSON.parse(broken).data_base64, Buffer.from('{"a":').toString('base64'))
})

t.test('the publisher’s attributes are kept, but cannot displace ours', async t => {
  const attributes = {
    source: '/press',
    subject: 'final',
    time: '2020-01-01T00:00:00Z',
    traceparent: '00-1',
    offset: '7',
    topic: 'other',
    specversion: '0.3',
    data: 'forged',
  }
  const object = JSON.parse(toCloudEvent('тема/1', event('x', { attributes })))
  t.match(object, { source: '/press', subject: 'final', time: '2020-01-01T00:00:00Z', traceparent: '00-1' })
  t.match(object, { offset: 42, topic: 'тема/1', specversion: '1.0', data: 'x' })
  const without = JSON.parse(toCloudEvent('тема/1', event('x', { attributes: { time: 'noon' } })))
  t.equal(without.source, '/v1/topics/%D1%82%D0%B5%D0%BC%D0%B0%2F1')
  t.equal(without.time, '2023-11-14T22:13:20.123Z')
})

t.test('the frames that are not events', async t => {
  const view = { incarnation: 3, earliest: 1, latest: 9, led: true }
  t.equal(plain.position(view, 9).toString(), 'id: 9-3\n\n')
  t.equal(plain.opening().toString(), 'retry: 500\n\n')
  t.equal(plain.gap(3, 5, 8).toString(), 'event: gap\nid: 8-3\ndata: {"from":5,"to":8}\n\n')
  t.equal(plain.heartbeat(view).toString(), ':\n\n')
  t.equal(plain.end('deleted', 3, 9).toString(), 'event: end\nid: 9-3\ndata: {"reason":"deleted"}\n\n')
  t.equal(plain.end('unknown', 0, undefined).toString(), 'event: end\ndata: {"reason":"unknown"}\n\n')
  const stream = new EventStream()
  for (const frame of [plain.position(view, 9), plain.opening(), plain.heartbeat(view)]) stream.push(frame)
  t.same(stream.messages, [], 'none of them fires an event')
  t.equal(stream.lastEventId, '9-3')
  t.equal(stream.retryMs, 500)
})

t.test('any text arrives as it was, with line breaks as LF, however the bytes are cut', async t => {
  const seed = Date.now() & 0x7fffffff
  t.comment(`seed ${seed}`)
  const text = fc.string({
    unit: fc.constantFrom('\r', '\n', ' ', ':', '\0', '\uFEFF', 'a', 'é', '🏈', 'data'),
  })
  fc.assert(
    fc.property(fc.array(text, { maxLength: 5 }), fc.integer({ min: 1, max: 7 }), (texts, piece) => {
      const stream = new EventStream()
      const bytes = Buffer.concat(texts.map(one => plain.event(event(one))))
      for (let at = 0; at < bytes.length; at += piece) stream.push(bytes.subarray(at, at + piece))
      const arrived = stream.messages.map(message => message.data)
      const sent = texts.map(one => one.replace(/\r\n?|\n/g, '\n'))
      return arrived.length === sent.length && arrived.every((one, at) => one === sent[at])
    }),
    { seed },
  )
})
