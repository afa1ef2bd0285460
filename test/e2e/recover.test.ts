import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { CommandError } from '../../services/peer/commands/ask.ts'
import { runRecover } from '../../services/peer/commands/recover.ts'
import { folder, freeUrl, type LonePeer, start } from '../support/lone-peers.ts'

/** Several peers in one process elect nobody in a moment, and what cannot be published is given up soon. */
const CALM = [
  ...'--tick 25ms --heartbeat 75ms --election 400ms --reclaim-after 200ms'.split(' '),
  ...'--publish-timeout 2s --peer-timeout 1s --evict-after 0'.split(' '),
]

/** Waits until something is so; fails when that takes too long. */
async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  for (let look = 0; look < 400; look++) {
    if (await isSo()) return
    await sleep(25)
  }
  throw new Error(`in vain: ${what}`)
}

/** A client of the peer at a URL. */
function at(url: string) {
  const ask = async (method: string, path: string, body?: string, headers: Record<string, string> = {}) => {
    const answer = await fetch(`${url}${path}`, { method, headers, ...(body !== undefined && { body }) })
    return { status: answer.status, body: await answer.json().catch(() => null) }
  }
  /** Asks again while the answer is that it did not work this time, which on a busy machine happens. */
  const insist = async (...[method, path, body, headers]: Parameters<typeof ask>) => {
    const key = { 'idempotency-key': randomUUID(), ...headers }
    for (let attempt = 1; ; attempt++) {
      const answer = await ask(method, path, body, key)
      if (answer.status < 500 || attempt === 10) return answer
    }
  }
  return {
    ask,
    create: (topic: string) => insist('PUT', `/v1/topics/${topic}`),
    publish: (topic: string, text: string) => insist('POST', `/v1/topics/${topic}/publish`, text),
    async events(topic: string): Promise<string[]> {
      const path = `/v1/topics/${topic}/events?from=earliest`
      const { body } = await insist('GET', path, undefined, { accept: 'application/json' })
      return body.events.map(({ data }: { data: string }) => data)
    },
    async isSettled(peers: number): Promise<boolean> {
      const { body } = await ask('GET', '/v1/peers?progress=true')
      return body.peers.length === peers && body.moving === 0 && body.unknown === 0
    },
  }
}

/** What `hypercast recover` says, and what it ends with. */
async function recover(url: string, lost: string[], force = true) {
  const said: string[] = []
  const { signal } = new AbortController()
  const tools = { say: (line: string) => void said.push(line), signal, lookMs: 50 }
  try {
    await runRecover({ url, lost, force }, tools)
    return { said, error: '' }
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
    return { said, error: error.message }
  }
}

/** Peers with a static list, a topic for each slot, and one event in each. */
async function cube(t: Test, ids: readonly string[]) {
  const urls = await Promise.all(ids.map(() => freeUrl()))
  const list = ids.map((id, at) => `${id}=${urls[at]}`).join(',')
  const folders = ids.map(() => folder(t))
  const flags = (id: string) => ['--node-id', id, '--peers', list, '--slots', '4', ...CALM]
  const boot = (index: number) => start(t, urls[index]!, folders[index]!, flags(ids[index]!))
  const peers: LonePeer[] = await Promise.all(ids.map((_, index) => boot(index)))
  await Promise.all(peers.map(({ peer }) => peer.ready))
  const client = at(urls.at(-1)!)
  const topics = new Map<number, string>()
  for (let name = 0; topics.size < 4; name++) {
    const { body } = await client.create(`t${name}`)
    topics.set(body.slot, body.name)
  }
  for (const topic of topics.values()) {
    const { status } = await client.publish(topic, 'one')
    t.equal(status, 201)
  }
  return { peers, urls, client, topics, boot }
}

t.test('a cube of two goes on without the one that is gone for good', async t => {
  const { peers, urls, client, topics, boot } = await cube(t, ['0', '1'])
  const refused = await recover(urls[1]!, ['0'])
  t.match(refused.error, /Peer 0 answers peer 1, or is heard there\..*\(PEER_NOT_LOST\)/)
  await peers[0]!.peer.close()
  const [topic] = topics.values()
  const inVain = await client.ask('POST', `/v1/topics/${topic}/publish`, 'in vain')
  t.ok(inVain.status >= 500, 'without a majority nobody acknowledges')

  const plan = await recover(urls[1]!, ['0'], false)
  t.match(plan.error, /nothing was changed: .* say so with --force/)
  t.match(plan.said, [
    /^slot 0 would go on at peer 1 up to entry \d+ of its log: what only the lost had behind it is gone$/,
    /^slot 1/,
    /^slot 2/,
    /^slot 3/,
    /^the roster would go on at peer 1/,
    `peer 0 at ${urls[0]} would be off the list: empty its data folder before it is started again`,
    '0 slots have a majority and are left alone',
  ])
  t.equal((await client.ask('GET', '/health/ready')).status, 503, 'a plan changes nothing')

  const done = await recover(urls[1]!, ['0'])
  t.equal(done.error, '')
  t.match(done.said[0], /^slot 0 goes on at peer 1/)
  t.equal(done.said.at(-1), 'no slot is still to move')
  for (const name of topics.values()) {
    const { body, status } = await client.publish(name, 'two')
    t.equal(status, 201)
    const events = await client.events(name)
    t.equal(events[0], 'one')
    t.equal(events.at(-1), 'two')
    t.equal(events.length, body.offset, 'offsets have no hole')
  }
  const { body } = await client.ask('GET', '/v1/peers')
  t.same(
    body.peers.map(({ id }: { id: string }) => id),
    ['1'],
  )
  t.same(await recover(urls[1]!, ['0']), {
    said: ['no slot has lost its majority (5 looked at)'],
    error: '',
  })

  const back = await boot(0)
  await until('the lost peer learns that it is off the list', async () => {
    const answer = await at(back.url).ask('GET', '/v1/peers')
    return answer.body?.peers?.length === 1
  })
  for (const { fatal } of peers) t.same(fatal, [])
})

t.test('the last of four founds anew what it has no copy of, and others join it', async t => {
  const ids = ['00', '01', '10', '11']
  const { peers, urls, client, topics } = await cube(t, ids)
  const without = await client.ask('GET', `/v1/topics/${topics.get(0)}`)
  const holders = without.body.replicas.map(({ id }: { id: string }) => id)
  t.notOk(holders.includes('11'), 'slot 0 has no copy there')
  for (const { peer } of peers.slice(0, 3)) await peer.close()

  const silent = await recover(urls[3]!, ['00', '01'])
  t.match(silent.error, /No answer from peer 10 at .*\(PEER_SILENT\)/)
  const done = await recover(urls[3]!, ['00', '01', '10'])
  t.equal(done.error, '')
  t.ok(
    done.said.includes(
      'slot 0 is founded anew at peer 11, because no copy is left: its topics are gone, it begins empty',
    ),
  )
  const gone = await client.ask('GET', `/v1/topics/${topics.get(0)}`)
  t.equal(gone.body.code, 'UNKNOWN_TOPIC')
  const { body } = await client.create(topics.get(0)!)
  t.ok(body.incarnation > 1_000_000_000_000, 'no cursor of before is taken for one of this topic')
  for (const topic of topics.values()) t.equal((await client.publish(topic, 'two')).status, 201)
  for (const slot of [1, 2, 3]) t.same(await client.events(topics.get(slot)!), ['one', 'two'])

  const newcomer = await start(t, await freeUrl(), folder(t), ['--join', urls[3]!, ...CALM])
  await newcomer.peer.ready
  await until('every slot has a second copy', () => client.isSettled(2))
  for (const slot of [1, 2, 3]) t.same(await at(newcomer.url).events(topics.get(slot)!), ['one', 'two'])
  t.same(
    [...peers, newcomer].flatMap(({ fatal }) => fatal),
    [],
  )
})
