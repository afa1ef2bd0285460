import t from 'tap'
import { listen, RawClient } from '../support/app.ts'
import { cloudApp } from '../support/cloudevents.ts'

const whole = {
  'ce-specversion': '1.0',
  'ce-id': 'e1',
  'ce-source': '/stadium/1',
  'ce-type': 'org.example.goal',
}

t.test('with ce-specversion the whole of CloudEvents is asked for', async t => {
  const { post, out, last } = await cloudApp(t)
  for (const name of ['ce-id', 'ce-source', 'ce-type'] as const) {
    const { [name]: _, ...rest } = whole
    const answer = await post('publish', 'x', rest)
    t.match(answer.json(), { code: 'INVALID_EVENT', detail: new RegExp(`^${name} is missing`) })
  }
  for (const headers of [
    { 'ce-specversion': '0.3' },
    { 'ce-specversion': '' },
    { 'ce-source': 'a b' },
    { 'ce-source': '' },
    { 'ce-subject': '' },
    { 'ce-dataschema': 'goal.json' },
    { 'ce-time': '2025-02-30T00:00:00Z' },
    { 'ce-x': '%EF%B7%90' },
    { 'ce-x': '%C0%A0' },
    { 'ce-x': '%7F' },
    { 'ce-datacontenttype': 'text/plain' },
  ] as Record<string, string>[]) {
    const answer = await post('publish', 'x', { ...whole, ...headers })
    t.match(answer.json(), { code: 'INVALID_EVENT', status: 400 }, JSON.stringify(headers))
  }
  t.same(out(), [])
  const fine = { ...whole, 'ce-time': '2025-06-30T23:59:60z', 'ce-x': '"a \\"b\\" %2541"', 'ce-n': '42' }
  t.equal((await post('publish', '5', { ...fine, 'content-type': 'application/json' })).statusCode, 201)
  t.match(last(), { id: 'e1', time: '2025-06-30T23:59:60z', x: 'a "b" %41', n: '42', data: 5 })
})

t.test('without it any single header is enough, and what comes out is a CloudEvent all the same', async t => {
  const { post, last } = await cloudApp(t)
  for (const [given, source] of [
    ['press box', 'press%20box'],
    ['/%D1%81', '/%D1%81'],
    ['1%25', '1%25'],
    ['a:b c', 'a:b%20c'],
    ['1:2', '1%3A2'],
  ] as const) {
    t.equal((await post('publish', 'x', { 'ce-source': encodeURIComponent(given) })).statusCode, 201)
    t.equal(last().source, source)
  }
})

t.test('a header that is given twice is refused: it would look like one with a comma', async t => {
  const { app, out } = await cloudApp(t)
  const { port } = await listen(app)
  const head = 'POST /v1/topics/sports/publish HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n'
  for (const lines of ['ce-id: a\r\nCE-ID: b\r\n', 'ce-x: a\r\nce-y: b\r\nCe-X: a\r\n']) {
    const client = new RawClient(port)
    const text = await client.send(`${head}${lines}\r\nx`).until('more than once')
    client.socket.destroy()
    t.match(text, /^HTTP\/1\.1 400 /)
  }
  const client = new RawClient(port)
  await client.send(`${head}ce-x: a, b\r\nce-y: a\r\n\r\nx`).until('"offset":1')
  client.socket.destroy()
  t.match(JSON.parse(out()[0]!), { x: 'a, b', y: 'a' })
})
