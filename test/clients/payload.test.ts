import fc from 'fast-check'
import t from 'tap'
import {
  encodeAttribute,
  encodeBatch,
  encodeData,
  fromBase64,
  randomKey,
  toBase64,
} from '../../clients/typescript/src/payload.ts'

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

t.test('a string is text, bytes are bytes, the rest is JSON', async t => {
  const encode = (data: unknown, contentType?: string) => {
    const encoded = encodeData(data, contentType)
    return [text(encoded.body), encoded.contentType]
  }
  t.same(encode('Tor! ⚽'), ['Tor! ⚽', 'text/plain; charset=utf-8'])
  t.same(encode('{}', 'application/json'), ['{}', 'application/json'])
  t.same(encode(new Uint8Array([65, 66])), ['AB', 'application/octet-stream'])
  t.same(encode(new Uint8Array([65, 66, 67, 68]).buffer), ['ABCD', 'application/octet-stream'])
  t.same(encode(new DataView(new Uint8Array([65, 66, 67]).buffer, 1)), ['BC', 'application/octet-stream'])
  for (const data of [{ a: [1] }, [1], 7, true, null])
    t.same(encode(data), [JSON.stringify(data), 'application/json'])
})

t.test('what has no form on the wire is refused at once', async t => {
  for (const data of [undefined, () => 1, Symbol('x'), '\ud800'])
    t.throws(() => encodeData(data, undefined), TypeError)
  t.throws(() => encodeBatch([{ data: 'a' }, { data: undefined }]), TypeError)
  t.throws(() => encodeBatch([{ data: '\udc00' }]), TypeError)
  t.throws(() => encodeAttribute('\ud800'), TypeError)
})

t.test('a batch is one JSON object a line', async t => {
  const events = [
    { data: 'a\nb' },
    { data: null, id: '1', type: 'tick' },
    { data: new Uint8Array([255]), contentType: 'image/x' },
  ]
  const lines = text(encodeBatch(events)).split('\n')
  t.equal(lines.pop(), '')
  t.same(
    lines.map(line => JSON.parse(line)),
    [
      { data: 'a\nb' },
      { id: '1', type: 'tick', data: null },
      { contentType: 'image/x', data_base64: '/w==' },
    ],
  )
})

t.test('base64 is read as it was written', async t => {
  const seed = Date.now()
  t.comment(`seed ${seed}`)
  const bytes = fc.oneof(fc.uint8Array(), fc.uint8Array({ minLength: 8_190, maxLength: 8_200 }))
  fc.assert(
    fc.property(bytes, bytes => {
      const base64 = toBase64(bytes)
      return base64 === Buffer.from(bytes).toString('base64') && Buffer.from(fromBase64(base64)).equals(bytes)
    }),
    { seed },
  )
  t.throws(() => fromBase64('*'))
})

t.test('attributes are percent-encoded as the CloudEvents binding asks', async t => {
  t.equal(encodeAttribute('/a?b#c=d&e~'), '/a?b#c=d&e~')
  t.equal(encodeAttribute('Euro € 😀'), 'Euro%20%E2%82%AC%20%F0%9F%98%80', 'its own example')
  t.equal(encodeAttribute('"50%"\n'), '%2250%25%22%0A')
})

t.test('keys are random', async t => {
  t.match(randomKey(), /^[0-9a-f]{32}$/)
  t.not(randomKey(), randomKey())
})
