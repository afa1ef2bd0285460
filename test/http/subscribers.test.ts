import t from 'tap'
import { LIMITS } from '../../services/peer/limits.ts'
import type { Operation } from '../../services/peer/links/types.ts'
import { listen, makeApp, RawClient } from '../support/app.ts'

const PATH = '/v1/topics/sports/subscribers'

/** A client with an open stream of the topic. */
async function subscribe(port: number, topic = 'sports'): Promise<RawClient> {
  const client = new RawClient(port)
  client.send(`GET /v1/topics/${topic}/events HTTP/1.1\r\nhost: x\r\n\r\n`)
  await client.until('id: 0-1')
  return client
}

t.test('streams are counted at every peer, and one that ends counts no more', async t => {
  const { app, peer } = await makeApp(t)
  for (const topic of ['sports', 'news']) await app.inject({ method: 'PUT', url: `/v1/topics/${topic}` })
  const { port } = await listen(app)
  const [first, second] = [await subscribe(port), await subscribe(port), await subscribe(port, 'news')]
  peer.listening.set('000', 5)
  const answer = await app.inject(PATH)
  t.equal(answer.statusCode, 200)
  t.equal(answer.headers['cache-control'], 'no-store')
  const { peers, ...rest } = answer.json()
  t.same(rest, { topic: 'sports', total: 7, silent: [] })
  t.equal(peers.length, 8)
  t.same(peers[0], { id: '000', url: 'http://127.0.0.1:5555', subscribers: 5 })
  t.same(peers[6], { id: '110', url: 'http://127.0.0.1:5561', subscribers: 2 })
  t.same(peers[7], { id: '111', url: 'http://127.0.0.1:5562', subscribers: 0 })
  first.socket.destroy()
  while (peer.streams.stats().streams > 2) await new Promise(setImmediate)
  t.equal((await app.inject(PATH)).json().total, 6)
  second.socket.destroy()
})

t.test('a stream that waits for its topic counts for it', async t => {
  const { app, peer } = await makeApp(t)
  peer.refusing = operation => (operation.kind === 'describe' ? 'NO_PRIMARY' : undefined)
  const { port } = await listen(app)
  const client = new RawClient(port).send('GET /v1/topics/sports/events HTTP/1.1\r\nhost: x\r\n\r\n')
  await client.until('retry:')
  t.equal((await app.inject(PATH)).json().total, 1)
})

t.test('a peer that does not answer is named, and the others count all the same', async t => {
  const { app, peer } = await makeApp(t)
  await app.inject({ method: 'PUT', url: '/v1/topics/sports' })
  peer.listening.set('011', null)
  peer.listening.set('101', null)
  peer.listening.set('001', 2)
  const body = (await app.inject(PATH)).json()
  t.match(body, { total: 2, silent: ['011', '101'] })
  t.same(
    body.peers.map(({ id }: { id: string }) => id),
    ['000', '001', '010', '100', '110', '111'],
  )
})

t.test('a topic is unknown only when its primary says so and nobody listens', async t => {
  const { app, peer } = await makeApp(t)
  const unknown = await app.inject(PATH)
  t.equal(unknown.statusCode, 404)
  t.match(unknown.json(), { code: 'UNKNOWN_TOPIC', topic: 'sports' })
  peer.listening.set('000', 1)
  t.match((await app.inject(PATH)).json(), { total: 1 }, 'a stream of a topic that was just deleted')
  peer.listening.clear()
  await app.inject({ method: 'PUT', url: '/v1/topics/sports' })
  t.match((await app.inject(PATH)).json(), { total: 0, silent: [] })
  await app.inject({ method: 'DELETE', url: '/v1/topics/sports' })
  peer.refusing = operation => (operation.kind === 'describe' ? 'NO_PRIMARY' : undefined)
  t.match((await app.inject(PATH)).json(), { total: 0 }, 'nobody can say that there is none')
  t.match((await app.inject('/v1/topics/a*/subscribers')).json(), { code: 'INVALID_TOPIC_NAME' })
  t.match((await app.inject(`${PATH}?x=1`)).json(), { code: 'UNKNOWN_PARAMETER' })
})

t.test('while not all peers know the question the answer says so', async t => {
  const { app, peer } = await makeApp(t)
  peer.refusing = operation => (operation.kind === 'listeners' ? 'UPGRADE_UNDER_WAY' : undefined)
  t.match((await app.inject(PATH)).json(), { code: 'UPGRADE_UNDER_WAY', status: 503 })
})

t.test(
  'a large cube is asked in part at a time, within bounds, and too many countings are refused',
  async t => {
    const { app, peer } = await makeApp(t)
    await app.inject({ method: 'PUT', url: '/v1/topics/sports' })
    const peers = Array.from({ length: 300 }, (_, at) => {
      const id = at.toString(2).padStart(9, '0')
      return { id, uid: id, number: at + 1, url: `http://${id}.test` }
    })
    peer.current = { ...peer.current!, dimension: 9, peers }
    const waiting = new Set<() => void>()
    const asked: Operation[] = []
    const startedMs = peer.clock.monotonicMs()
    peer.dispatcher.dispatch = async (operation, deadlineMs) => {
      asked.push(operation)
      t.ok(deadlineMs <= startedMs + peer.settings.publishTimeoutMs, 'well below the patience of a publish')
      await new Promise<void>(resolve => waiting.add(resolve))
      return { result: { kind: 'listeners', count: 1 }, path: [] }
    }
    const first = app.inject(PATH)
    while (asked.length < LIMITS.LISTENERS_AT_ONCE) await new Promise(setImmediate)
    t.equal(asked.length, LIMITS.LISTENERS_AT_ONCE)
    const others = Array.from({ length: LIMITS.MAX_LISTENER_COUNTS - 1 }, () => app.inject(PATH))
    const all = LIMITS.LISTENERS_AT_ONCE * LIMITS.MAX_LISTENER_COUNTS
    while (asked.length < all) await new Promise(setImmediate)
    t.match((await app.inject(PATH)).json(), { code: 'OVERLOADED' })
    let done = false
    void Promise.all([first, ...others]).then(() => {
      done = true
    })
    while (!done) {
      for (const answer of waiting) answer()
      waiting.clear()
      await new Promise(setImmediate)
    }
    t.match((await first).json(), { total: 300, silent: [] })
  },
)
