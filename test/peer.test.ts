import { cpSync } from 'node:fs'
import t, { type Test } from 'tap'
import type { Roster } from '../services/peer/cube/roster.ts'
import { systemClock } from '../services/peer/engine/clock.ts'
import { StrangerError } from '../services/peer/engine/founding.ts'
import { rosterBody } from '../services/peer/engine/wire.ts'
import { LIMITS } from '../services/peer/limits.ts'
import {
  folder,
  foundStore,
  freeUrl,
  type LonePeer,
  rosterIn,
  somebody,
  start,
} from './support/lone-peers.ts'

/** Version of the roster by which the peer at this address goes. */
async function versionAt(url: string): Promise<number> {
  const cube = (await (await fetch(`${url}/v1/cube`)).json()) as { version: number }
  return cube.version
}

/** How many timers of this process's peers wait, from now to the end of the test. */
function timersOf(t: Test): () => number {
  const { after } = systemClock
  const waiting = new Set<() => void>()
  systemClock.after = (delayMs, run) => {
    const cancel = after(delayMs, () => {
      waiting.delete(cancel)
      run()
    })
    waiting.add(cancel)
    return () => {
      waiting.delete(cancel)
      cancel()
    }
  }
  t.teardown(() => {
    systemClock.after = after
  })
  return () => waiting.size
}

t.test(
  'a peer on a copy of the store of one that runs is refused, and takes over when that has stopped',
  async t => {
    const [data, copy] = [folder(t), folder(t)]
    const home = await freeUrl()
    const { clusterId } = await foundStore(data, home)
    cpSync(data, copy, { recursive: true })
    const original = await start(t, home, data, ['--found'])
    await original.peer.ready
    for (const way of [['--found'], ['--join', home]]) {
      const twin = await start(t, await freeUrl(), copy, way)
      const error = await twin.peer.ready.then(
        () => undefined,
        (reason: unknown) => reason,
      )
      t.ok(error instanceof StrangerError, `${way[0]}`)
      t.match(error, { message: new RegExp(`${home} runs on this same store .* is a copy .* an empty one`) })
      t.equal(twin.peer.id, undefined, 'it takes part in nothing')
      await twin.peer.close()
    }
    t.same(original.fatal, [])
    await original.peer.close()
    const twin = await start(t, await freeUrl(), copy, ['--found'])
    await twin.peer.ready
    t.match(await rosterIn(data), { clusterId })
  },
)

t.test(
  'a peer at another address goes on when its old one answers with this very process, or another store',
  async t => {
    const answer = JSON.stringify({ uid: 'another', clusterId: 'c', run: 'any' })
    const data = folder(t)
    await foundStore(data, await somebody(t, (_request, response) => response.end(answer)))
    const moved = await start(t, await freeUrl(), data, ['--found'])
    await t.resolves(moved.peer.ready, 'another store')

    const [renamed, home] = [folder(t), await freeUrl()]
    await foundStore(renamed, home)
    const advertised = home.replace('127.0.0.1', 'localhost')
    const { peer } = await start(t, home, renamed, ['--found', '--advertise', advertised])
    await t.resolves(peer.ready, 'itself: the same process under another name')
  },
)

/** What a peer with a stored roster goes by when it is started with --join, and what it leaves on its disk. */
async function rejoined(t: Test, via: string, data: string, url: string) {
  const { peer, url: at } = await start(t, url, data, ['--join', via])
  await peer.ready
  const version = await versionAt(at)
  await peer.close()
  return { version, kept: await rosterIn(data) }
}

t.test('a peer that is started again with --join goes by the later roster of the peer it names', async t => {
  const [data, url] = [folder(t), await freeUrl()]
  const other = { id: '1', uid: 'other', number: 2, url: await freeUrl() }
  const stored = await foundStore(data, url, [other])
  const seen: (string | undefined)[] = []
  let known: Roster = stored
  const via = await somebody(t, (request, response) => {
    seen.push(`${request.url} ${request.headers['hypercast-cluster']}`)
    response.end(rosterBody.encode(known))
  })
  // The other one has left: a peer that goes by this is ready by itself.
  known = { ...stored, version: 7, peers: stored.peers.slice(0, 1), lastNumber: 2 }
  t.match(await rejoined(t, via, data, url), { version: 7, kept: known })
  t.ok(seen.includes('/v1/relay/roster c'), 'it is asked in the name of the cluster')

  known = { ...known, version: 6, peers: stored.peers }
  t.match(await rejoined(t, via, data, url), { version: 7, kept: { version: 7 } }, 'not by an earlier one')
})

t.test(
  'a peer that is started again with --join goes by the roster it has when there is no later one',
  async t => {
    const [data, url, theirs] = [folder(t), await freeUrl(), await freeUrl()]
    const stored = await foundStore(data, url)
    const stranger = await start(t, theirs, folder(t), ['--found'])
    await stranger.peer.ready
    for (const [who, via] of [
      ['nobody', await freeUrl()],
      ['a peer of another cluster', theirs],
      ['no peer', await somebody(t, (_request, response) => response.end('hello'))],
    ] as const) {
      t.match(await rejoined(t, via, data, url), { version: 1, kept: stored }, who)
    }
  },
)

t.test('a peer that is closed while it starts ends at once, and leaves nothing behind', async t => {
  const silent = await somebody(t, request => called.resolve(request.url))
  const called = Promise.withResolvers<string | undefined>()
  const timers = timersOf(t)
  const stops: [string, (data: string) => Promise<LonePeer>][] = [
    ['while it joins', async data => start(t, await freeUrl(), data, ['--join', await freeUrl()])],
    [
      'while its old address does not answer',
      async data => {
        await foundStore(data, silent)
        const started = await start(t, await freeUrl(), data, ['--found', '--peer-timeout', '100ms'])
        t.equal(await called.promise, '/v1/relay/identity')
        return started
      },
    ],
    [
      'while its slots are founded',
      async data => {
        const founded = Promise.withResolvers<void>()
        const url = await freeUrl()
        const note = (message: string) => message === 'founded: roster made' && setImmediate(founded.resolve)
        const started = await start(t, url, data, ['--found', '--slots', '64'], note)
        await founded.promise
        return started
      },
    ],
  ]
  for (const [when, begin] of stops) {
    const { peer, fatal } = await begin(folder(t))
    await peer.close()
    await t.rejects(peer.ready, { message: 'the peer stops' }, when)
    t.equal(peer.id, undefined, 'it takes part in nothing')
    t.equal(timers(), 0, 'nothing waits for its time')
    t.same(fatal, [])
  }
})

t.test('a store that has left is set aside when its peer joins again, and the peer is a new one', async t => {
  const [home, url] = [await freeUrl(), await freeUrl()]
  const founder = folder(t)
  await foundStore(founder, home)
  const { peer } = await start(t, home, founder, ['--found'])
  await peer.ready
  const uidAt = async () => {
    const { peers } = (await (await fetch(`${home}/v1/peers`)).json()) as Pick<Roster, 'peers'>
    return peers.find(listed => listed.url === url)?.uid
  }
  const data = folder(t)
  const first = await start(t, url, data, ['--join', home])
  await first.peer.ready
  const before = await uidAt()
  const { status } = await fetch(`${home}/v1/peers/${first.peer.id}`, { method: 'DELETE' })
  t.equal(status, 202)
  while ((await uidAt()) !== undefined) await new Promise(wake => setTimeout(wake, 50))
  // Nobody takes anything from it any more, and whoever asks it meanwhile does not keep it from ending.
  const asked = fetch(`${url}/v1/topics/a/publish`, { method: 'POST', body: 'x' })
  await new Promise(wake => setTimeout(wake, 300))
  const closedMs = performance.now()
  await first.peer.close()
  t.ok(performance.now() - closedMs < LIMITS.STOP_PATIENCE_MS)
  const { code } = (await (await asked).json()) as { code: string }
  t.ok(['UNREACHABLE', 'OUTCOME_UNKNOWN'].includes(code), `${code}: the second when it stops amid an attempt`)

  const again = await start(t, url, data, ['--join', home])
  await again.peer.ready
  const after = await uidAt()
  t.ok(before !== undefined && after !== undefined && after !== before)
  await again.peer.close()
  t.ok((await rosterIn(data))?.peers.some(({ uid }) => uid === after))
  t.same([...first.fatal, ...again.fatal], [])
})
