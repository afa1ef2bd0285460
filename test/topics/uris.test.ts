import formats from 'ajv-formats/dist/formats.js'
import fc from 'fast-check'
import t from 'tap'
import { asUriReference, isUri, isUriReference } from '../../services/peer/topics/uris.ts'

const seed = Date.now() % 1_000_000

t.test('URIs, and references that are only relative', async t => {
  for (const text of [
    'https://example.org/a?b=c#d',
    'mailto:cncf-wg-serverless@lists.cncf.io',
    'urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66',
    'http://[2001:db8::7]:80/c?q',
    'http://[::ffff:192.0.2.1]/',
    'http://[1:2:3:4:5:6:7:8]',
    'a:',
    'file:///etc',
  ]) {
    t.ok(isUri(text) && isUriReference(text), text)
  }
  for (const text of [
    '/cloudevents/spec/pull/123',
    '1-555-123-4567',
    './a:b',
    '//host/x',
    '',
    '?q',
    '#f',
    'a%20b',
  ]) {
    t.ok(isUriReference(text) && !isUri(text), text)
  }
})

t.test('what is none', async t => {
  for (const text of [
    'a b',
    '/größe',
    '%',
    '%4',
    '%zz',
    '1:2',
    'a#b#c',
    '/a[1]',
    'http://[::1',
    'http://[1::2::3]',
    'http://[1:2:3:4:5:6:7:8:9]',
    'http://[12345::]',
    'http://[::1.2.3.256]',
    'http://a:b/',
    '"x"',
    'a\\b',
    '<a>',
    'x\n',
  ]) {
    t.notOk(isUriReference(text), JSON.stringify(text))
    t.ok(isUriReference(asUriReference(text)), asUriReference(text))
  }
})

t.test('no reference is taken that a strict reader of JSON Schema refuses', async () => {
  const { uri, 'uri-reference': reference } = formats.fullFormats as unknown as Record<string, unknown>
  const isTheirUri = uri as (text: string) => boolean
  const theirReference = reference as RegExp
  const piece = fc.constantFrom(
    ...[
      'a',
      'B',
      '1',
      ':',
      '/',
      '//',
      '?',
      '#',
      '[',
      ']',
      '@',
      '%',
      '%41',
      '.',
      '+',
      '-',
      '::',
      '::1',
      '1.2.3.4',
    ],
    ...['é', ' ', 'http', '://', '~', ';', '=', '&', "'", '(', '*', ',', '!', '$', '|', '^', 'v1.x', 'f00d'],
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 9 }), pieces => {
      const text = pieces.join('')
      if (isUriReference(text) && !theirReference.test(text)) throw new Error(`reference ${text}`)
      // RFC 3986 lets the path be empty; they do not, with nothing before it.
      if (isUri(text) && !/^[^:]*:(?:[?#]|$)/.test(text) && !isTheirUri(text)) throw new Error(`uri ${text}`)
      if (!theirReference.test(asUriReference(text))) throw new Error(`made ${asUriReference(text)}`)
    }),
    { numRuns: 20_000, seed },
  )
})
