import t from 'tap'
import { HypercastError } from '../../services/peer/errors.ts'
import { readStructured, readStructuredBatch } from '../../services/peer/http/structured.ts'
import { required } from '../support/cloudevents.ts'

const MAX_PAYLOAD_BYTES = 1_048_576
const BODY_BYTES = 8_000_000

/** The code of the error, or how many events there are. */
function outcome(read: () => unknown): unknown {
  try {
    const events = read()
    return Array.isArray(events) ? events.length : 1
  } catch (error) {
    if (error instanceof HypercastError) return error.code
    throw error
  }
}

t.test('bodies made to be slow are read in time that grows with their length only', async t => {
  const event = JSON.stringify(required()).slice(0, -1)
  const nested = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`
  const fill = (piece: string) => piece.repeat(BODY_BYTES / piece.length)
  const names = Array.from({ length: 500_000 }, (_, at) => `"a${at}":null`).join()
  const events = Array.from(
    { length: 10_000 },
    (_, at) => `${event.replace('e1', `${at}`)},"data":${nested(300)}}`,
  )
  const bodies: [why: string, body: string, result: unknown][] = [
    ['nested lists', nested(BODY_BYTES / 2), 'INVALID_EVENT'],
    ['nested lists as data', `${event},"data":${nested(BODY_BYTES / 2)}}`, 'INVALID_EVENT'],
    ['as many levels as there may be', `${event},"data":${nested(999)}}`, 1],
    ['one more', `${event},"data":${nested(1_000)}}`, 'INVALID_EVENT'],
    ['nested objects cut off', fill('[{"a":'), 'INVALID_EVENT'],
    ['numbers as data', `${event},"data":[${fill('0,')}0]}`, 'PAYLOAD_TOO_LARGE'],
    ['one long number', `${event},"ext":${fill('1')}}`, 'INVALID_EVENT'],
    ['one long number as data', `${event},"data":${fill('1')}}`, 'PAYLOAD_TOO_LARGE'],
    ['members of one name', `${event}${fill(',"a":1')}}`, 'INVALID_EVENT'],
    ['members of many names', `{${names}}`, 'INVALID_EVENT'],
    ['escapes', `${event},"ext":"${fill('\\\\')}"}`, 'INVALID_EVENT'],
    ['quotes', `${event},"ext":"${fill('\\"')}"}`, 'INVALID_EVENT'],
    ['a long name', `${event},"${fill('x')}":1}`, 'INVALID_EVENT'],
    ['white space', `${event},"data"${fill(' ')}:1}`, 1],
    ['base64', `${event},"data_base64":"${fill('AAAA')}"}`, 'PAYLOAD_TOO_LARGE'],
    ['base64 that ends wrong', `${event},"data_base64":"${fill('AAAA')}AAA-"}`, 'INVALID_EVENT'],
    ['a URI of escapes', `${event},"dataschema":"a:${'%41'.repeat(340)}%"}`, 'INVALID_EVENT'],
    ['fractions of a second', `${event},"time":"2025-01-31T12:00:00.${'1'.repeat(1_000)}"}`, 'INVALID_EVENT'],
    ['a media type of semicolons', `${event},"datacontenttype":"a/b${';'.repeat(250)}"}`, 1],
    [
      'a media type that is none',
      `${event},"datacontenttype":"a/b ${' '.repeat(240)}é"}`,
      'UNSUPPORTED_MEDIA_TYPE',
    ],
    ['empty objects', `[${fill('{},')}{}]`, 'INVALID_EVENT'],
    ['numbers in place of events', `[${fill('1,')}1]`, 'INVALID_EVENT'],
    ['many events', `[${events.join()}]`, 10_000],
  ]
  for (const [why, body, result] of bodies) {
    const bytes = Buffer.from(body)
    const read = body.startsWith('[') ? readStructuredBatch : readStructured
    // Quadratic work on 8 MB takes hours: then this file runs out of its time.
    t.equal(
      outcome(() => read(bytes, MAX_PAYLOAD_BYTES)),
      result,
      why,
    )
  }
})
