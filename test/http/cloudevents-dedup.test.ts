import t from 'tap'
import { LIMITS } from '../../services/peer/limits.ts'
import { cloudApp, required } from '../support/cloudevents.ts'

const HEADERS = { 'ce-id': 'e1', 'ce-source': '/stadium/1', 'content-type': 'application/json' }

t.test('the same source and id give the first answer again, in whatever mode', async t => {
  const { post, structured, batch, out } = await cloudApp(t)
  const event = required({ round: 3, data: { a: 1 } })
  const first = await structured(event)
  t.equal(first.statusCode, 201)
  t.same((await structured(event)).json(), first.json())
  const headers = { ...HEADERS, 'ce-specversion': '1.0', 'ce-type': 'org.example.goal', 'ce-round': '3' }
  t.same((await post('publish', '{"a":1}', headers)).json(), first.json(), 'binary mode')
  t.match((await batch([event])).json(), { first: 1, last: 1, count: 1 }, 'a batch of it alone')
  t.equal(out().length, 1)
  for (const more of [
    { data: 2 },
    { type: 'other' },
    { round: 4 },
    { subject: 's' },
    { datacontenttype: 'text/json' },
  ]) {
    const answer = await structured({ ...event, ...more })
    t.match(answer.json(), { code: 'IDEMPOTENCY_KEY_REUSED', status: 422 }, JSON.stringify(more))
  }
  t.equal((await structured({ ...event, id: 'e2' })).json().offset, 2)
  t.equal((await structured({ ...event, source: '/stadium/2' })).json().offset, 3)
})

t.test('an event with only one of them is published each time', async t => {
  const { post, out } = await cloudApp(t)
  for (const name of ['ce-id', 'ce-source'] as const) {
    const { [name]: _, ...rest } = HEADERS
    for (let time = 0; time < 2; time++) t.equal((await post('publish', '1', rest)).statusCode, 201)
  }
  t.equal(out().length, 4)
  t.equal((await post('publish', '1', HEADERS)).json().offset, 5)
  t.equal((await post('publish', '1', HEADERS)).json().offset, 5, 'without ce-specversion')
})

t.test('source and id do not run into each other', async t => {
  const { structured, batch, out } = await cloudApp(t)
  for (const [source, id] of [
    ['a', 'bc'],
    ['ab', 'c'],
    ['1;a', 'b'],
    ['1', ';ab'],
  ]) {
    t.equal((await structured(required({ source, id }))).statusCode, 201)
  }
  t.equal(
    (await batch([required({ source: 'p', id: 'q' }), required({ source: 'r', id: 's' })])).statusCode,
    201,
  )
  t.equal(
    (await batch([required({ source: 'p', id: 'q1' }), required({ source: 'r', id: 's' })])).statusCode,
    201,
  )
  t.equal(out().length, 8)
})

t.test('an Idempotency-Key wins, and none is ever taken for a source and id', async t => {
  const { structured, out } = await cloudApp(t)
  const key = { 'idempotency-key': 'k' }
  t.equal((await structured(required({ data: 1 }), key)).json().offset, 1)
  t.equal((await structured(required({ data: 1 }), { 'idempotency-key': 'k2' })).json().offset, 2)
  t.equal((await structured(required({ data: 1 }))).json().offset, 3, 'another key than the header’s')
  t.equal((await structured(required({ data: 2 }), key)).statusCode, 422)
  t.equal(out().length, 3)
})

t.test('a batch is recognised as a whole, in its order', async t => {
  const { structured, batch, out } = await cloudApp(t)
  const [one, two, three] = ['1', '2', '3'].map(id => required({ id }))
  const first = await batch([one, two])
  t.same((await batch([one, two])).json(), first.json())
  t.same((await batch([one, two], {}, 'batch')).json(), first.json(), 'by the other path')
  t.equal((await batch([one, { ...two, data: 1 }])).statusCode, 422)
  t.equal(out().length, 2)
  t.equal((await batch([two, one])).json().first, 3, 'another order is another batch')
  t.equal((await structured(one!)).json().offset, 5, 'an event of a batch is not known by itself')
  t.equal((await batch([one, three])).json().first, 6)
})

t.test('a batch with the same source and id twice is refused, unless it has a key', async t => {
  const { batch, out } = await cloudApp(t)
  const twins = [required(), required({ id: 'e2' }), required({ data: 5 })]
  const answer = await batch(twins)
  t.match(answer.json(), { code: 'INVALID_EVENT', item: 3, detail: /^Item 3: .* of item 1;/ })
  t.same(out(), [])
  t.equal((await batch(twins, { 'idempotency-key': 'k' })).json().count, 3)
})

t.test('the key of events is no longer than a key may be, whatever they are called', async t => {
  const { batch, structured, peer } = await cloudApp(t)
  const keys: number[] = []
  const { append } = peer.dispatcher
  peer.dispatcher.append = (request, deadlineMs) => {
    if (request.kind === 'publish') keys.push(Buffer.byteLength(request.clientKey!.key))
    return append.call(peer.dispatcher, request, deadlineMs)
  }
  const long = (at: number) => required({ id: `${at}${'é'.repeat(500)}`, source: `/${'x'.repeat(1_000)}` })
  t.equal((await structured(long(0))).statusCode, 201)
  t.equal((await batch(Array.from({ length: 100 }, (_, at) => long(at)))).statusCode, 201)
  t.equal(keys.length, 2)
  for (const bytes of keys) t.ok(bytes <= LIMITS.MAX_IDEMPOTENCY_KEY_BYTES)
})
