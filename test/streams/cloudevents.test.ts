import { CloudEvent } from 'cloudevents'
import t from 'tap'
import { LIMITS } from '../../services/peer/limits.ts'
import { toCloudEvent } from '../../services/peer/streams/cloudevents.ts'
import { knownMediaTypes, mediaKind } from '../../services/peer/streams/media-types.ts'
import { keepTyped } from '../../services/peer/topics/attribute-values.ts'
import type { StoredEvent } from '../../services/peer/topics/types.ts'

function stored(data: string, more: Partial<StoredEvent> = {}): StoredEvent {
  const place = { offset: 42, incarnation: 1, sequence: 99, timeMs: 1_700_000_000_123 }
  return { ...place, data: Buffer.from(data), ...more }
}

t.test('an offset is an integer as far as CloudEvents has them, and a string beyond', async t => {
  for (const [offset, shown] of [
    [2_147_483_647, 2_147_483_647],
    [2_147_483_648, '2147483648'],
    [Number.MAX_SAFE_INTEGER, '9007199254740991'],
  ] as const) {
    const object = JSON.parse(toCloudEvent('sports', stored('x', { offset })))
    t.equal(object.offset, shown)
    t.doesNotThrow(() => new CloudEvent(object))
  }
})

t.test('extensions have the JSON type they came with', async t => {
  const attributes = {
    live: keepTyped(false),
    round: keepTyped(-3),
    number: '7',
    flag: 'true',
    zero: keepTyped(-0),
  }
  const object = JSON.parse(toCloudEvent('sports', stored('x', { attributes })))
  t.match(object, { live: false, round: -3, number: '7', flag: 'true', zero: 0 })
})

t.test('an empty payload is empty text, no bytes, or no JSON at all', async t => {
  const shown = (contentType?: string) => {
    const { data, data_base64 } = JSON.parse(
      toCloudEvent('sports', stored('', contentType ? { contentType } : {})),
    )
    return { data, data_base64 }
  }
  t.same(shown(), { data: '', data_base64: undefined })
  t.same(shown('text/html'), { data: '', data_base64: undefined })
  t.same(shown('image/png'), { data: undefined, data_base64: '' })
  t.same(shown('application/json'), { data: undefined, data_base64: undefined })
})

t.test('a source that is no URI-reference is percent-encoded', async t => {
  const source = (given: string) =>
    JSON.parse(toCloudEvent('s', stored('x', { attributes: { source: given } }))).source
  t.equal(source('/stadium/1?a=b#c'), '/stadium/1?a=b#c')
  t.equal(source('/стадион 1'), '/%D1%81%D1%82%D0%B0%D0%B4%D0%B8%D0%BE%D0%BD%201')
  t.equal(source('1:2'), '1%3A2')
  t.equal(source(''), '/v1/topics/s')
})

t.test('as many media types are remembered as the limit says, and their kinds do not mix', async t => {
  for (let at = 0; at < LIMITS.MAX_KNOWN_MEDIA_TYPES + 50; at++) {
    t.equal(mediaKind(`application/x${at}+json`).isJson, true)
    t.equal(mediaKind(`text/x${at}; charset=utf-16`).isUtf8, false)
    t.ok(knownMediaTypes() <= LIMITS.MAX_KNOWN_MEDIA_TYPES)
  }
  t.equal(mediaKind('text/plain'), mediaKind('text/plain'), 'judged once')
  t.same(mediaKind('text/plain; charset = "UTF-8"'), { isJson: false, isText: true, isUtf8: true })
})
