import fc from 'fast-check'
import t from 'tap'
import { isTopicName } from '../../services/peer/topics/names.ts'
import { listen, makeApp, RawClient } from '../support/app.ts'

t.test(
  'every name a topic may have comes through the path, whichever of its bytes are percent-encoded',
  async t => {
    const { app } = await makeApp(t)
    const seed = Date.now() % 1_000_000
    const name = fc
      .oneof(
        fc.string({ unit: 'binary', maxLength: 40 }),
        fc.string({ maxLength: 60 }),
        fc.constantFrom('%', '%2F', 'a/b'),
      )
      .filter(text => isTopicName(text))
    await fc.assert(
      fc.asyncProperty(name, fc.array(fc.boolean(), { minLength: 1 }), async (topic, choices) => {
        const created = await app.inject({ method: 'POST', url: '/v1/topics', payload: { name: topic } })
        if (![200, 201].includes(created.statusCode)) throw new Error(created.body)
        for (const path of [encodeURIComponent(topic), encode(topic, choices)]) {
          const found = await app.inject(`/v1/topics/${path}`)
          if (found.statusCode !== 200 || found.json().name !== topic)
            throw new Error(`${path}: ${found.body}`)
        }
      }),
      { numRuns: 300, seed },
    )
    t.pass(`seed ${seed}`)
  },
)

/** Percent-encodes what must be and, as `choices` say, some of what need not be; lower or upper case. */
function encode(text: string, choices: readonly boolean[]): string {
  let at = 0
  return [...Buffer.from(text)]
    .map(byte => {
      const character = String.fromCharCode(byte)
      const choice = choices[at++ % choices.length]
      if (/[A-Za-z0-9_~-]/.test(character) && choice) return character
      const hex = byte.toString(16).padStart(2, '0')
      return `%${choice ? hex.toUpperCase() : hex}`
    })
    .join('')
}

t.test('names of 1 and 255 bytes are topics and one of 256 is not', async t => {
  const { app } = await makeApp(t)
  const put = (name: string) => app.inject({ method: 'PUT', url: `/v1/topics/${encodeURIComponent(name)}` })
  t.equal((await put('x')).statusCode, 201)
  t.equal((await put('x'.repeat(255))).statusCode, 201)
  t.equal((await put(`${'ж'.repeat(127)}x`)).statusCode, 201)
  for (const name of ['x'.repeat(256), 'ж'.repeat(128), '\u{1f600}'.repeat(64)]) {
    const answer = await put(name)
    t.equal(answer.statusCode, 400)
    t.match(answer.json(), { code: 'INVALID_TOPIC_NAME', detail: /longer than 255 bytes/ })
  }
  t.match((await put('x'.repeat(10_000))).json(), { code: 'INVALID_TOPIC_NAME' })
})

t.test('names that cannot be are refused on every path, also as raw bytes', async t => {
  const { app } = await makeApp(t)
  const { port } = await listen(app)
  const bad = [
    '%',
    '%2',
    '%zz',
    '%C0%AF',
    '%ED%A0%80',
    '%FF',
    '%00',
    'a%0Ab',
    '%7F',
    '.',
    '..',
    '%2E%2E',
    'a*',
    '$sys',
  ]
  for (const name of bad) {
    for (const [method, tail] of [
      ['GET', ''],
      ['PUT', ''],
      ['DELETE', ''],
      ['GET', '/events'],
      ['POST', '/publish'],
      ['POST', '/batch'],
    ]) {
      const request = `${method} /v1/topics/${name}${tail} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`
      const text = await new RawClient(port).send(request).closed()
      t.match(text, /^HTTP\/1\.1 400 /, `${method} ${name}${tail}`)
      t.match(text, '"code":"INVALID_TOPIC_NAME"')
    }
  }
})
