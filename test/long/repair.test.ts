import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { History } from '../../scripts/lib/history.ts'
import { ask, askJson, askUntil } from '../../scripts/lib/http.ts'
import { eventsPath, Listener, offsetOf } from '../../scripts/lib/listener.ts'
import { SteadyPublisher } from '../../scripts/lib/steady.ts'
import { TestCube } from '../../scripts/lib/test-cube.ts'
import { DAMAGED_FOLDER, NEXT_FOLDER } from '../../services/peer/store/aside.ts'
import { prefix, TABLES } from '../../services/peer/store/keys.ts'
import { LmdbKv } from '../../services/peer/store/lmdb.ts'

const TOPIC = 'sports'
const RATE_PER_S = 50
const SUBSCRIBER = 'the subscriber'
/** For each of a repair's two parts; on an idle machine both are over in seconds. */
const PATIENCE_MS = 60_000
const LOOK_EVERY_MS = 100

interface PeersView {
  readonly peers: readonly { readonly id: string; readonly uid: string }[]
  /** Null when some slot's primary did not answer; absent unless it is asked for. */
  readonly moving?: number | null
}

/** Flips one bit in a record of a store that nobody has open. */
async function corrupt(data: string, key: string): Promise<void> {
  const kv = new LmdbKv(data)
  const record = Buffer.from(kv.get(key)!)
  record[record.length - 1]! ^= 1
  await kv.write([{ key, value: record }])
  await kv.close()
}

/** Resolves when every slot stands where it belongs: the answer itself takes a while as long as some do not. */
async function settled(peers: string): Promise<void> {
  const untilMs = performance.now() + PATIENCE_MS
  while (performance.now() < untilMs) {
    const { moving } = await askJson<PeersView>(`${peers}?progress=true`)
    if (moving === 0) return
    await new Promise(wake => setTimeout(wake, LOOK_EVERY_MS))
  }
  throw new Error('slots are still on the move')
}

t.test('a peer with a corrupt record repairs itself under load, and is home again', async t => {
  const cube = await TestCube.start({ peers: 3 })
  t.teardown(() => cube.close())
  const { home, slot } = await cube.createTopic(TOPIC)
  const through = cube.ids.find(id => id !== home)!
  const peers = `${cube.url(through)}/v1/peers`
  const history = new History()
  const publisher = new SteadyPublisher({
    history,
    topic: TOPIC,
    ratePerS: RATE_PER_S,
    through: () => cube.url(through),
  })
  const listener = new Listener({
    path: eventsPath(TOPIC),
    urls: [cube.url(through)],
    query: 'from=earliest',
    onEvent: ({ event, id, data }) =>
      history.delivered(SUBSCRIBER, { offset: offsetOf(id), payload: event === 'message' ? data : event }),
  })
  t.teardown(() => Promise.all([publisher.stop(), listener.close()]))
  await publisher.nextAcknowledged()
  const uidIn = (view: PeersView) => view.peers.find(({ id }) => id === home)?.uid
  const before = uidIn(await askJson<PeersView>(peers))

  const { data } = cube.plans.find(({ id }) => id === home)!
  await cube.kill(home)
  await corrupt(data, prefix(TABLES.hardState, { slot, era: 0 }))
  await cube.restart(home)
  await askUntil<PeersView>(peers, view => uidIn(view) !== before, { timeoutMs: PATIENCE_MS })
  await settled(peers)
  const { replicas } = await cube.primaryIs(TOPIC, home, through)
  t.same(replicas.map(({ id }) => id).sort(), cube.ids, 'it votes again')
  t.ok(existsSync(join(data, DAMAGED_FOLDER, 'data.mdb')), 'the damaged store is kept')
  t.notOk(existsSync(join(data, NEXT_FOLDER)), 'and nothing else of the repair')
  t.match(readFileSync(cube.logFile(home), 'utf8'), /the store was set aside/, 'its log says so')

  await publisher.nextAcknowledged()
  await publisher.stop()
  const last = history.lastOffset
  await listener.until(() => (history.deliveries(SUBSCRIBER).at(-1)?.offset ?? 0) >= last)
  t.same(history.check([SUBSCRIBER]), [], 'nothing is lost, doubled or reordered')
  const refused = history.publishes.filter(({ outcome }) => outcome !== 'acknowledged')
  t.same(refused, [], 'every publish was acknowledged')
  const { body } = await ask(`${cube.topicUrl(TOPIC, home)}/events?from=earliest`, {
    headers: { accept: 'application/x-ndjson' },
  })
  t.equal(body.trim().split('\n').length, last, 'the repaired peer gives all of it')
})
