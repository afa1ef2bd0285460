import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { type AddressInfo, Socket } from 'node:net'
import t, { type Test } from 'tap'
import type { Roster } from '../../services/peer/cube/roster.ts'
import { systemClock } from '../../services/peer/engine/clock.ts'
import { WIRE_FORMAT } from '../../services/peer/engine/wire.ts'
import { forgetDeparted } from '../../services/peer/links/departed.ts'
import { Edges } from '../../services/peer/links/edges.ts'
import { InboundSockets } from '../../services/peer/links/inbound.ts'
import { packedHeaders } from '../../services/peer/links/replicate.ts'
import { HttpTransport } from '../../services/peer/links/transport.ts'
import { makeTrunkLinks } from '../../services/peer/links/trunk.ts'
import { encodeTrunkFrame } from '../../services/peer/links/trunk-wire.ts'
import type { Forwarded } from '../../services/peer/links/types.ts'
import { Whereabouts } from '../../services/peer/links/whereabouts.ts'
import { PeerMetrics } from '../../services/peer/metrics.ts'
import { FakeEngine, patient, quiet, signal } from './support/cube.ts'

type Listed = Readonly<Record<string, { readonly uid: string; readonly url: string }>>

const rosterOf = (version: number, listed: Listed): Roster => ({
  version,
  clusterId: 'c',
  dimension: 6,
  slots: 1,
  peers: Object.entries(listed).map(([id, { uid, url }], at) => ({ id, uid, number: at + 1, url })),
})

/** The links of peer `0`, which goes by one roster after the other. */
class Links {
  readonly listeners = new Set<(roster: Roster) => void>()
  readonly engine = Object.assign(new FakeEngine(), {
    onRoster: (listener: (roster: Roster) => void) => {
      this.listeners.add(listener)
      return () => this.listeners.delete(listener)
    },
  })
  readonly transport: HttpTransport
  readonly edges: Edges
  readonly inbound = new InboundSockets(peer => this.engine.connectionClosed(peer))
  readonly metrics = new PeerMetrics()
  /** What the dispatcher was told of the peers. */
  isListed: (peer: string) => boolean = () => true

  constructor(t: Test, listed: Listed) {
    this.engine.roster = rosterOf(1, listed)
    const common = { self: '0', clock: systemClock, random: Math.random, log: quiet }
    this.transport = new HttpTransport({
      ...common,
      uid: 'uid-0',
      clusterId: 'c',
      url: 'http://127.0.0.1:1',
      whereabouts: new Whereabouts(() => this.engine.roster),
      wireFormat: () => WIRE_FORMAT,
      settings: patient,
    })
    this.transport.attach(this.engine)
    this.edges = new Edges({
      ...common,
      pools: this.transport.pools,
      identity: this.transport.identity,
      wireFormat: () => WIRE_FORMAT,
      acceptTimeoutMs: patient.acceptTimeoutMs,
      isUp: () => true,
      trouble: peer => this.engine.connectionClosed(peer),
    })
    const { engine, transport, edges, inbound, metrics } = this
    const dispatcher = {
      retain: (isListed: (peer: string) => boolean) => {
        this.isListed = isListed
      },
    }
    forgetDeparted({ engine, transport, edges, inbound, dispatcher, metrics })
    t.teardown(() => transport.close())
  }

  goOver(listed: Listed): void {
    this.engine.roster = rosterOf(this.engine.roster.version + 1, listed)
    for (const listener of this.listeners) listener(this.engine.roster)
  }

  /** All that is held for other peers. */
  get held(): number {
    return this.transport.size + this.edges.size + this.inbound.size
  }

  forward(peer: string) {
    return this.edges.forward(peer, asking(peer))
  }
}

const asking = (target: string): Forwarded => ({
  operation: { kind: 'describe', slot: 0, topic: 'a' },
  target,
  path: ['0'],
  visited: ['0'],
  patienceMs: 5_000,
})
const append = {
  slot: 0,
  message: {
    type: 'append',
    from: 1,
    to: 2,
    term: 1,
    prevIndex: 0,
    prevTerm: 0,
    commit: 0,
    entries: [],
  },
} as const
const beat = {
  uid: 'uid-0',
  boot: 1,
  to: 'uid-1',
  rosterVersion: 1,
  nowMs: 5,
  lowDisk: false,
  stopping: false,
  leads: [],
  follows: [],
}

/** A peer that takes everything and answers nothing but requests for trunks, which it keeps open. */
async function silentPeer(t: Test): Promise<{ url: string; server: Server; asked: string[] }> {
  const asked: string[] = []
  const server = createServer((request: IncomingMessage, response) => {
    asked.push(new URL(request.url!, 'http://x').pathname)
    server.emit('asked')
    if (request.url!.includes('trunk')) response.write(encodeTrunkFrame({ kind: 'marks', marks: [] }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(async () => {
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server, asked }
}

async function connectionsOf(server: Server): Promise<number> {
  return new Promise((resolve, reject) =>
    server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
  )
}

for (const [what, after] of [
  ['goes off the list', {}],
  ['is listed at another address', { '1': { uid: 'uid-1', url: 'http://127.0.0.1:9' } }],
  ['is replaced by another store', { '1': { uid: 'new', url: '' } }],
] as const) {
  t.test(`when a peer ${what}, all connections to it end, and what is under way on them`, async t => {
    const { url, server, asked } = await silentPeer(t)
    const links = new Links(t, { '1': { uid: 'uid-1', url } })
    const { transport, edges, inbound, engine } = links
    inbound.seen('1', new Socket())
    const forwarded = links.forward('1')
    transport.send('1', [append])
    const beaten = transport.heartbeat('1', beat)
    beaten.catch(() => {})
    const pulled = transport.snapshot('1', 0, 0)
    pulled.catch(() => {})
    const trunks = makeTrunkLinks({
      streams: peer => transport.pools.bulk(peer),
      requests: peer => transport.pools.operations(peer),
      headers: () => packedHeaders(transport.identity),
      clock: systemClock,
    })
    const begun = signal()
    const followed = (async () => {
      for await (const _ of trunks.open('1', 't1', new AbortController().signal)) begun.resolve()
    })()
    followed.catch(() => {})
    await begun.promise
    while (asked.length < 5) await once(server, 'asked')
    t.equal(await connectionsOf(server), 5)
    server.on('connection', () => t.fail('another connection is opened'))

    const { '1': listed } = { '1': undefined, ...after }
    links.goOver(listed ? { '1': { ...listed, url: listed.url || url } } : {})
    t.same(await forwarded, { kind: 'failed', failure: 'broken' }, 'its caller tries elsewhere')
    await t.rejects(beaten, { name: 'LinkError', failure: 'broken' })
    await t.rejects(pulled, { name: 'LinkError', failure: 'broken' })
    await t.rejects(followed, 'what comes down a trunk goes on at another peer')
    while ((await connectionsOf(server)) > 0) await new Promise(setImmediate)
    t.equal(links.held, listed?.uid === 'uid-1' ? 1 : 0, 'nothing is held but the socket on which it asks')
    t.equal(edges.alive('1'), true, 'the failure is not laid to whoever has the label now')
    t.same(engine.closed, [], 'and nobody is suspected')
    t.equal(links.isListed('1'), listed !== undefined, 'it may be primary if it is listed')
    t.same(engine.lost, listed ? ['1'] : [], 'messages to one that is listed are sent again')
  })
}

t.test('what is held is that of the peers there are, after thousands that came and went', async t => {
  const stays = { uid: 'stays', url: 'http://127.0.0.1:9' }
  const links = new Links(t, { '111111': stays })
  const { transport, inbound, metrics } = links
  const use = (peer: string) => {
    const outcome = links.forward(peer)
    transport.send(peer, [append])
    transport.pools.bulk(peer)
    inbound.seen(peer, new Socket())
    metrics.beat(peer, true)
    metrics.beat(peer, false)
    return outcome
  }
  const kept = use('111111')
  const least = links.held
  let most = 0
  const lost: Promise<unknown>[] = []
  for (let round = 0; round < 2_000; round += 1) {
    const id = (round % 32).toString(2).padStart(6, '0')
    links.goOver({ '111111': stays, [id]: { uid: `uid-${round}`, url: `http://127.0.0.2:${1 + round}` } })
    lost.push(use(id))
    most = Math.max(most, links.held)
  }
  links.goOver({ '111111': stays })
  t.equal(most, 2 * least)
  t.equal(links.held, least)
  for (const outcome of await Promise.all(lost)) {
    if ((outcome as { kind: string }).kind !== 'failed')
      t.fail('a request to a peer that is gone was answered')
  }
  const series = (await metrics.registry.metrics()).match(/^hypercast_heartbeats_total\{.*$/gm)
  t.equal(series?.length, 2, 'no figures are given of those that are gone')
  links.goOver({})
  t.equal(links.held, 0)
  await kept
})
