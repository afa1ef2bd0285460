import { CloudEvent, HTTP } from 'cloudevents'
import fc from 'fast-check'
import t from 'tap'
import { EventStream } from '../streams/sse.ts'
import { listen, RawClient } from '../support/app.ts'
import { cloudApp, required, strictly } from '../support/cloudevents.ts'

const seed = Date.now() % 1_000_000

/** Text as an attribute may have it. */
const text = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 20 })
  .filter(value => !/[\p{Cc}\p{Noncharacter_Code_Point}]/u.test(value) && value === value.trim())
const OURS = ['topic', 'offset', 'incarnation']
/** Attributes that the SDK gives a meaning of its own, or that every object has. */
const THEIRS = ['schemaurl', 'datacontentencoding', 'constructor', 'emit', 'data']
const CORE = ['id', 'type', 'source', 'time', 'subject', 'specversion', 'dataschema', 'datacontenttype']
const name = fc
  .stringMatching(/^[a-z0-9]{1,20}$/)
  .filter(value => ![...OURS, ...THEIRS, ...CORE].includes(value) && !/^\d+$/.test(value))
const integer = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
const type = text.filter(value => !['open', 'error', 'message', 'gap', 'end', 'cloudevent'].includes(value))
const attributes = fc.record(
  {
    type,
    source: fc.oneof(
      fc.webUrl(),
      fc.webPath().filter(path => path !== '' && !path.startsWith('//')),
      fc.uuid().map(id => `urn:uuid:${id}`),
    ),
    subject: text,
    dataschema: fc.webUrl(),
    time: fc
      .date({ noInvalidDate: true, min: new Date(0), max: new Date(4e12) })
      .map(date => date.toISOString()),
  },
  { requiredKeys: ['type', 'source'] },
)
const extensions = fc.dictionary(name, fc.oneof(text, integer, fc.boolean()), { maxKeys: 5 })
const payload = fc.oneof(
  fc.record({
    data: fc.oneof(fc.dictionary(fc.string(), fc.jsonValue()), fc.array(fc.jsonValue())),
    datacontenttype: fc.constantFrom('application/json', 'application/vnd.x+json'),
  }),
  fc.record({
    data: fc.string({ unit: 'binary', minLength: 1 }),
    datacontenttype: fc.constantFrom('text/plain', 'application/xml'),
  }),
  fc.record({
    data: fc.uint8Array({ minLength: 1 }),
    datacontenttype: fc.constantFrom('application/octet-stream', 'image/png'),
  }),
)

let count = 0
/** The SDK's own event, as its user makes it; each has an id of its own. */
const event = fc
  .tuple(attributes, extensions, payload)
  .map(([core, more, data]) => new CloudEvent<unknown>({ ...more, ...core, ...data, id: `e ${++count} é` }))

/** What must be the same on the way out, on JSON terms. Headers carry every extension as a string. */
function essence(given: CloudEvent<unknown>, asText: boolean): Record<string, unknown> {
  const { data, data_base64: _, time, ...rest } = given
  const bare = Object.entries(rest).filter(([key, value]) => value !== undefined && !OURS.includes(key))
  const shown = bare.map(([key, value]) => [key, asText ? String(value) : value])
  return {
    ...Object.fromEntries(shown),
    time: new Date(time!).getTime(),
    data: ArrayBuffer.isView(data)
      ? [...new Uint8Array(data.buffer, data.byteOffset, data.byteLength)]
      : JSON.stringify(data),
  }
}

/** The SDK reads bytes into numbers of four bytes each. */
function received(json: string): CloudEvent<unknown> {
  const read = strictly(json)
  const { data } = read
  return data instanceof Uint32Array ? read.cloneWith({ data: Uint8Array.from(data) }) : read
}

for (const mode of ['binary', 'structured', 'batch'] as const) {
  t.test(`what the SDK publishes in ${mode} mode it reads again as it was`, async t => {
    const { message, batch, out, peer } = await cloudApp(t)
    await fc.assert(
      fc.asyncProperty(event, async given => {
        const answer =
          mode === 'batch'
            ? await batch(`[${HTTP.structured(given).body}]`)
            : await message(HTTP[mode](given))
        if (answer.statusCode !== 201) throw new Error(answer.body)
        const read = received(out().at(-1)!)
        const [sent, came] = [given, read].map(one => essence(one, mode === 'binary'))
        t.same(came, sent)
      }),
      { numRuns: 60, seed },
    )
    t.same(peer.logged, [], `seed ${seed}`)
  })
}

t.test('a stream that is asked for CloudEvents gives what the SDK takes, whatever was published', async t => {
  const { app, post, structured } = await cloudApp(t)
  await post('publish', 'Match Update 1', { 'content-type': 'application/x-www-form-urlencoded' })
  await post('publish', Buffer.from([0xff, 0]), { 'content-type': 'image/png', 'ce-type': 'photo' })
  await post('publish', '', { 'ce-source': 'press%20box', 'ce-x': '' })
  await post('publish', 'not JSON', { 'content-type': 'application/json' })
  await post('batch', '{"data":{"a":[1.0]},"id":"n1"}\n{"data_base64":""}', {
    'content-type': 'application/x-ndjson',
  })
  await structured(required({ time: '2016-12-31T23:59:60Z', live: true, round: -7 }))
  const { port } = await listen(app)
  const stream = new RawClient(port)
  stream.send('GET /v1/topics/sports/events?from=earliest&format=cloudevents HTTP/1.1\r\nHost: x\r\n\r\n')
  const raw = await stream.until('"offset":7')
  stream.socket.destroy()
  const sse = new EventStream()
  sse.push(Buffer.from(raw.slice(raw.indexOf('\r\n\r\n')).replaceAll(/\r\n[0-9a-f]+\r\n/g, '\n'), 'latin1'))
  const texts = sse.messages.map(({ data }) => data).filter(data => data.startsWith('{'))
  t.equal(texts.length, 7)
  for (const json of texts) {
    t.doesNotThrow(() => strictly(json), json)
    t.doesNotThrow(() => new CloudEvent(JSON.parse(json)), json)
  }
  t.match(JSON.parse(texts[6]!), { time: '2016-12-31T23:59:60Z', live: true, round: -7 })
})
