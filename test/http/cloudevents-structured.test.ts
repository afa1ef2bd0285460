import t from 'tap'
import { cloudApp, required, strictly } from '../support/cloudevents.ts'

t.test('a structured event is kept with its attributes, and comes out as it went in', async t => {
  const { app, structured, out } = await cloudApp(t)
  const event = required({
    subject: 'final',
    time: '1990-12-31T15:59:60.25-08:00',
    dataschema: 'https://example.org/goal.json#/x',
    league: 'größe %41',
    empty: '',
    round: -2147483648,
    home: 2147483647,
    zero: 0,
    live: true,
    friendly: false,
    number: '42',
    missing: null,
    data: { score: [1, 0] },
  })
  const answer = await structured(event, { 'ce-id': 'ignored', 'ce-bad_name': 'ignored' })
  t.equal(answer.statusCode, 201, answer.body)
  t.match(answer.json(), { topic: 'sports', offset: 1, id: 'e1', cursor: '1-1' })
  const { missing: _, ...kept } = event
  const own = { topic: 'sports', offset: 1, incarnation: 1, datacontenttype: 'application/json' }
  t.same(JSON.parse(out()[0]!), { ...kept, ...own })

  const page = await app.inject({
    url: '/v1/topics/sports/events',
    headers: { accept: 'application/json' },
  })
  t.match(page.json().events[0], {
    ...{ id: 'e1', type: 'org.example.goal', contentType: 'application/json', data: { score: [1, 0] } },
    attributes: { source: '/stadium/1', subject: 'final', round: '-2147483648', live: 'true', number: '42' },
  })
})

t.test('data is kept as it was written', async t => {
  const { structured, out, peer } = await cloudApp(t)
  const json = '{"2":1.0,"1":[12345678901234567890,1e400], "a":"\\u00e9\\ud800","a":{}}'
  const envelope = JSON.stringify(required()).slice(0, -1)
  const cases: [members: string, data: string | undefined, type: string][] = [
    [`"data" :\n ${json} `, json, 'application/json'],
    [
      `"data":${json},"datacontenttype":"application/vnd.x+json; charset=UTF-8"`,
      json,
      'application/vnd.x+json; charset=UTF-8',
    ],
    ['"data":null', 'null', 'application/json'],
    ['"data":"<a/>"', '"<a/>"', 'application/json'],
    ['"data":"","datacontenttype":"text/json"', '""', 'text/json'],
    ['"datacontenttype":"application/xml","data":"<a>\\u00e9\\n</a>"', '"<a>é\\n</a>"', 'application/xml'],
    ['"datacontenttype":"text/plain","data":""', '""', 'text/plain'],
    ['"datacontenttype":null,"data":5', '5', 'application/json'],
    ['"data":5,"data_base64":null', '5', 'application/json'],
    ['"subject":"none"', undefined, 'application/json'],
    ['"datacontenttype":"application/json"', undefined, 'application/json'],
  ]
  for (const [at, [members, data, type]] of cases.entries()) {
    const answer = await structured(`${envelope.replace('e1', `e${at}`)},${members}}`)
    t.equal(answer.statusCode, 201, `${members} ${answer.body}`)
    const text = out().at(-1)!
    t.equal(JSON.parse(text).datacontenttype, type)
    t.equal(/,"data":(.*)\}$/s.exec(text)?.[1], data, members)
    t.notMatch(text, 'data_base64')
  }
  t.same(peer.logged, [])
})

t.test('data_base64 is bytes, of no type where none is given', async t => {
  const { structured, last } = await cloudApp(t)
  const data_base64 = Buffer.from([0, 255, 1]).toString('base64')
  for (const [more, type] of [
    [{}, 'application/octet-stream'],
    [{ datacontenttype: 'image/png' }, 'image/png'],
    [{ datacontenttype: 'text/plain; charset=utf-16' }, 'text/plain; charset=utf-16'],
  ] as const) {
    t.equal((await structured(required({ id: type, data_base64, ...more }))).statusCode, 201)
    t.match(last(), { data_base64, datacontenttype: type })
    t.notOk('data' in last())
  }
  await structured(required({ id: 'text', data_base64: 'YQ==', datacontenttype: 'text/plain' }))
  t.match(last(), { data: 'a', datacontenttype: 'text/plain' })
})

t.test('what is no event of CloudEvents 1.0 is refused with a reason', async t => {
  const { structured, out } = await cloudApp(t)
  const deep = `{"a":${'['.repeat(900)}`
  const bad: [body: string | object, detail: RegExp][] = [
    ['', /not JSON/],
    [deep, /not JSON/],
    ['['.repeat(1_001), /nested deeper than 1000/],
    ['[]', /JSON object/],
    ['null', /JSON object/],
    ['{}', /"specversion" is missing/],
    [required({ specversion: '0.3' }), /only 1\.0 is taken\. From 0\.3 rename/],
    [required({ specversion: 1 }), /"specversion" is not a string/],
    [required({ specversion: null }), /"specversion" is missing/],
    [required({ id: undefined }), /"id" is missing/],
    [required({ id: null }), /"id" is missing/],
    [required({ id: '' }), /id is empty/],
    [required({ id: 5 }), /"id" is not a string/],
    [required({ source: undefined }), /"source" is missing/],
    [required({ source: '' }), /"source" is empty/],
    [required({ source: 'a b' }), /"source" is no URI-reference/],
    [required({ type: undefined }), /"type" is missing/],
    [required({ type: '' }), /type is empty/],
    [required({ type: 'gap' }), /reserved/],
    [required({ subject: '' }), /"subject" is empty/],
    [required({ time: '2025-02-30T00:00:00Z' }), /"time" is not a time/],
    [required({ time: '' }), /"time" is not a time/],
    [required({ dataschema: '/goal.json' }), /"dataschema" is no URI/],
    [required({ dataschema: '' }), /"dataschema" is no URI/],
    [required({ data: 1, data_base64: 'YQ==' }), /"data" and "data_base64"/],
    [required({ data_base64: 'YQ' }), /not base64/],
    [required({ data_base64: 'Y Q=' }), /not base64/],
    [required({ data_base64: 'Y-_=' }), /not base64/],
    [required({ data_base64: 5 }), /not base64/],
    [required({ data: {}, datacontenttype: 'text/plain' }), /"data" is not a string/],
    [required({ data: null, datacontenttype: 'text/plain' }), /"data" is not a string/],
    [required({ data: 'é', datacontenttype: 'text/plain; charset=iso-8859-1' }), /"data" comes in UTF-8/],
    [required({ data: {}, datacontenttype: 'application/json;charset=utf-16' }), /"data" comes in UTF-8/],
    [
      JSON.stringify(required({ datacontenttype: 'text/plain', data: 'X' })).replace('X', '\\ud800'),
      /Unicode/,
    ],
    [required({ dataContentType: 'x' }), /"dataContentType" names no attribute/],
    [required({ my_ext: 'x' }), /"my_ext" names no attribute/],
    [required({ '': 'x' }), /names no attribute/],
    ['{"specversion":"1.0","__proto__":{"a":1}}', /"__proto__" names no attribute/],
    [required({ ['x'.repeat(65)]: 'x' }), /names no attribute/],
    [required({ long: 'x'.repeat(1_025) }), /longer than 1024/],
    [required({ line: 'a\nb' }), /control character/],
    [required({ line: 'a\u0000b' }), /control character/],
    [required({ line: 'a\ufdd0' }), /noncharacter/],
    [required({ line: '\u{1fffe}' }), /noncharacter/],
    ['{"specversion":"1.0","id":"\\udead","source":"/","type":"t"}', /not valid Unicode/],
    [required({ ext: 1.5 }), /neither a string/],
    [required({ ext: 2147483648 }), /neither a string/],
    [required({ ext: -2147483649 }), /neither a string/],
    ['{"specversion":"1.0","id":"a","source":"/","type":"t","ext":1.0}', /neither a string/],
    ['{"specversion":"1.0","id":"a","source":"/","type":"t","ext":1e2}', /neither a string/],
    ['{"specversion":"1.0","id":"a","source":"/","type":"t","id":"b"}', /"id" is given more than once/],
    [
      '{"specversion":"1.0","id":"a","source":"/","type":"t","data":1,"data":2}',
      /"data" is given more than once/,
    ],
    [required({ ext: {} }), /neither a string/],
    [required({ ext: [] }), /neither a string/],
    [required(Object.fromEntries(Array.from({ length: 29 }, (_, at) => [`a${at}`, 'x']))), /more than 32/],
  ]
  for (const [body, detail] of bad) {
    const answer = await structured(body)
    const shown = JSON.stringify(body).slice(0, 90)
    t.match(answer.json(), { code: 'INVALID_EVENT', status: 400, detail }, shown)
  }
  t.match((await structured(required({ datacontenttype: 'x' }))).json(), { code: 'UNSUPPORTED_MEDIA_TYPE' })
  t.same(out(), [])
})

t.test('as many attributes as there may be are kept', async t => {
  const { structured, out } = await cloudApp(t)
  const many = Object.fromEntries(Array.from({ length: 28 }, (_, at) => [`a${at}`, 'x'.repeat(1_024)]))
  const answer = await structured(required({ ...many, datacontenttype: 'text/plain', data: 'x' }))
  t.equal(answer.statusCode, 201, answer.body)
  t.match(strictly(out()[0]!), many)
})

t.test('formats and charsets that are not read are 415 and say what is', async t => {
  const { post, batch } = await cloudApp(t)
  const good = JSON.stringify(required({ data: 1 }))
  for (const type of [
    'application/cloudevents',
    'application/cloudevents+xml',
    'application/cloudevents+avro; charset=utf-8',
    'Application/CloudEvents+Protobuf',
    'application/cloudevents-batch+xml',
    'application/cloudevents-batch',
    'application/cloudevents+json; charset=iso-8859-1',
    'application/cloudevents+json;charset="utf-16"',
  ]) {
    const answer = await post('publish', good, { 'content-type': type })
    t.match(answer.json(), { code: 'UNSUPPORTED_MEDIA_TYPE', detail: /application\/cloudevents/ }, type)
  }
  const zipped = await post('publish', good, {
    'content-type': 'application/cloudevents+json',
    'content-encoding': 'gzip',
  })
  t.equal(zipped.statusCode, 415)
  t.equal((await post('batch', good, { 'content-type': 'application/cloudevents+json' })).statusCode, 415)
  for (const type of [
    'application/cloudevents+json; charset=UTF-8',
    'APPLICATION/CLOUDEVENTS+JSON ; charset="utf-8"',
  ]) {
    t.equal((await post('publish', good, { 'content-type': type })).statusCode, 201, type)
  }
  t.equal((await batch([required({ id: 'b' })], {}, 'batch')).statusCode, 201)
})

t.test('bodies may be as large as a batch, their data as large as a payload', async t => {
  const { structured, post } = await cloudApp(t, { maxPayloadBytes: 1_000, maxBatchBytes: 3_000 })
  const bytes = (length: number) => Buffer.alloc(length, 0xff).toString('base64')
  t.equal((await structured(required({ data_base64: bytes(1_000) }))).statusCode, 201)
  for (const body of [
    required({ data_base64: bytes(1_001) }),
    required({ data: 'x'.repeat(999) }),
    required({ datacontenttype: 'text/plain', data: 'x'.repeat(1_001) }),
    required({ data: 'x'.repeat(3_000) }),
  ]) {
    t.match((await structured(body)).json(), { code: 'PAYLOAD_TOO_LARGE', status: 413 })
  }
  const plain = await post('publish', 'x'.repeat(1_001), { 'content-type': 'text/plain' })
  t.match(plain.json(), { code: 'PAYLOAD_TOO_LARGE' })
})
