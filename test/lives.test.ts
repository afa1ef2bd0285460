import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Roster } from '../services/peer/cube/roster.ts'
import { LIMITS } from '../services/peer/limits.ts'
import { type Life, Lives, type Succession } from '../services/peer/lives.ts'
import { DAMAGED_FOLDER, NEXT_FOLDER } from '../services/peer/store/aside.ts'
import { prepareNext } from '../services/peer/store/next.ts'
import { openLmdbStore } from '../services/peer/store/open.ts'
import type { LogStore, StoreIdentity } from '../services/peer/store/types.ts'
import { FakeClock } from './engine/fake-clock.ts'
import { rosterOf } from './membership/world.ts'

const quiet = { debug() {}, info() {}, warn() {}, error() {} }
const ROSTER = rosterOf(3)
const [OWN, OTHER] = ROSTER.peers
const DAMAGE = 'garbage'.repeat(1_000)

/** One life as the test drives it. */
interface Lived {
  readonly store: LogStore
  readonly succession: Succession
  isClosed: boolean
  /** Called once its store is closed. */
  onClosed: () => void
}

class Peer {
  readonly clock = new FakeClock()
  readonly data: string
  readonly lives: Lived[] = []
  readonly fatal: Error[] = []
  readonly asked: string[] = []
  /** What the other peers go by. */
  known: Roster | undefined
  /** What some of them go by instead, by address. */
  readonly strange = new Map<string, Roster>()
  readonly process: Lives

  constructor(data: string, others: readonly string[] = [OTHER!.url]) {
    this.data = data
    this.process = new Lives({
      url: OWN!.url,
      data,
      others,
      clock: this.clock,
      log: quiet,
      begin: (store, succession) => this.#begin(store, succession),
      rosterAt: async url => {
        this.asked.push(url)
        const known = this.strange.get(url) ?? this.known
        if (known === undefined) throw new Error('nobody answers')
        return known
      },
      onFatal: error => this.fatal.push(error),
    })
  }

  #begin(store: LogStore, succession: Succession): Life {
    const lived: Lived = { store, succession, isClosed: false, onClosed: () => {} }
    this.lives.push(lived)
    return {
      url: OWN!.url,
      id: `life ${this.lives.length}`,
      ready: Promise.resolve(),
      warning: () => undefined,
      listen: async () => {},
      close: async () => {
        if (lived.isClosed) return
        lived.isClosed = true
        await store.close()
        lived.onClosed()
      },
    }
  }

  /** The life that is under way once so many have begun. */
  async life(count: number): Promise<Lived> {
    while (this.lives.length < count && this.fatal.length === 0) await new Promise(setImmediate)
    await new Promise(setImmediate)
    return this.lives[count - 1]!
  }
}

/** Makes a store in the folder and leaves it. */
async function madeIn(data: string): Promise<StoreIdentity> {
  const store = openLmdbStore(data)
  await store.close()
  return store.identity
}

/** The roster with another store in the place of this peer's. */
function replacedBy(uid: string): Roster {
  const peers = ROSTER.peers.map(peer => (peer === OWN ? { ...peer, uid, number: 9 } : peer))
  return { ...ROSTER, version: 2, lastNumber: 9, peers }
}

t.test('a peer that was replaced sets its store aside and lives on with the prepared one', async t => {
  const peer = new Peer(t.testdir())
  await peer.process.start()
  const one = await peer.life(1)
  t.equal(one.succession.nextUid(), undefined)
  const uid = await one.succession.prepare()
  t.equal(await one.succession.prepare(), uid)
  t.equal(one.succession.nextUid(), uid)
  const roster = replacedBy(uid)
  one.succession.ended({ kind: 'replaced', roster })
  one.succession.ended({ kind: 'again' })
  const two = await peer.life(2)
  t.ok(one.isClosed)
  t.equal(two.store.identity.uid, uid)
  t.same(two.store.roster(), roster)
  t.match(two.succession, { attempts: 0 })
  t.equal(two.succession.nextUid(), undefined, 'a later repair prepares another one')
  t.equal(peer.process.id, 'life 2')
  t.ok(existsSync(join(peer.data, DAMAGED_FOLDER)))
  await peer.process.close()
  t.ok(two.isClosed)
  t.same(peer.fatal, [])
})

t.test('a peer that was silent in vain begins again with the store it has, and knows of it', async t => {
  const peer = new Peer(t.testdir())
  await peer.process.start()
  const one = await peer.life(1)
  const next = await one.succession.prepare()
  one.succession.ended({ kind: 'again' })
  const two = await peer.life(2)
  t.equal(two.store.identity.uid, one.store.identity.uid)
  t.equal(two.succession.attempts, 1)
  t.equal(await two.succession.prepare(), next, 'the store that was prepared is not another one')
  t.notOk(existsSync(join(peer.data, DAMAGED_FOLDER)))
  await peer.process.close()
})

t.test('a store that the cluster took off its list is set aside, and the peer begins anew', async t => {
  const peer = new Peer(t.testdir())
  await peer.process.start()
  const one = await peer.life(1)
  await one.store.writeRoster(ROSTER)
  one.succession.ended({ kind: 'unlisted' })
  const two = await peer.life(2)
  t.ok(one.isClosed)
  t.not(two.store.identity.uid, one.store.identity.uid)
  t.equal(two.store.roster(), null)
  t.equal(two.succession.attempts, 0)
  t.ok(existsSync(join(peer.data, DAMAGED_FOLDER)))
  await peer.process.close()
  t.same(peer.fatal, [])
})

t.test(
  'a process that ended when it was replaced, and did not hear of it, asks when it starts again',
  async t => {
    const data = t.testdir()
    const before = new Peer(data)
    await before.process.start()
    const one = await before.life(1)
    await one.store.writeRoster(ROSTER)
    const uid = await one.succession.prepare()
    await before.process.close()

    const unheard = new Peer(data)
    unheard.known = ROSTER
    await unheard.process.start()
    t.equal((await unheard.life(1)).store.identity.uid, one.store.identity.uid, 'it was not replaced yet')
    t.equal(unheard.lives[0]!.succession.nextUid(), uid)
    await unheard.process.close()

    const after = new Peer(data)
    after.known = replacedBy(uid)
    await after.process.start()
    const two = await after.life(1)
    t.equal(two.store.identity.uid, uid)
    t.same(two.store.roster(), after.known)
    t.notOk(after.asked.includes(OWN!.url))
    await after.process.close()
  },
)

t.test('a store that cannot be opened is set aside when another peer knows this one', async t => {
  const data = t.testdir()
  writeFileSync(join(data, 'data.mdb'), DAMAGE)
  const peer = new Peer(data)
  const started = peer.process.start()
  await peer.clock.advance(LIMITS.JOIN_RETRY_MIN_MS)
  t.same(peer.lives, [], 'nobody answers yet')
  peer.known = ROSTER
  await peer.clock.advance(LIMITS.REPAIR_ASK_MS / 2)
  await started
  t.equal((await peer.life(1)).store.roster(), null, 'it joins as any wiped peer does')
  t.ok(existsSync(join(data, DAMAGED_FOLDER, 'data.mdb')))
  await peer.process.close()
})

/** Who cannot say that the peer is one of theirs. */
const SILENT: readonly [string, readonly string[], Roster | undefined][] = [
  ['nobody is there to ask', [], ROSTER],
  ['nobody answers', [OTHER!.url], undefined],
  ['nobody knows this peer', [OTHER!.url], { ...ROSTER, peers: ROSTER.peers.slice(1) }],
]

for (const [what, others, known] of SILENT) {
  t.test(`a store that cannot be opened stays where it is when ${what}`, async t => {
    const data = t.testdir()
    writeFileSync(join(data, 'data.mdb'), DAMAGE)
    const peer = new Peer(data, others)
    peer.known = known
    const refused = t.rejects(peer.process.start(), { code: 'DATA_UNREADABLE' })
    await peer.clock.advance(2 * LIMITS.REPAIR_ASK_MS)
    await refused
    t.notOk(existsSync(join(data, DAMAGED_FOLDER)))
  })
}

t.test('a store that cannot be opened stays where it is when peers of several clusters answer', async t => {
  const data = t.testdir()
  writeFileSync(join(data, 'data.mdb'), DAMAGE)
  const peer = new Peer(data, [OTHER!.url, 'http://127.0.0.1:99'])
  peer.known = ROSTER
  peer.strange.set('http://127.0.0.1:99', { ...ROSTER, clusterId: 'another' })
  await t.rejects(peer.process.start(), { code: 'DATA_UNREADABLE' })
  t.notOk(existsSync(join(data, DAMAGED_FOLDER)))
})

t.test('a store that can be read again when the others have answered is kept', async t => {
  const data = t.testdir()
  const { uid } = await madeIn(data)
  const sound = readFileSync(join(data, 'data.mdb'))
  writeFileSync(join(data, 'data.mdb'), DAMAGE)
  const peer = new Peer(data)
  const started = peer.process.start()
  await peer.clock.settle()
  writeFileSync(join(data, 'data.mdb'), sound)
  peer.known = ROSTER
  await peer.clock.advance(LIMITS.REPAIR_ASK_MS / 2)
  await started
  t.equal((await peer.life(1)).store.identity.uid, uid)
  t.notOk(existsSync(join(data, DAMAGED_FOLDER)))
  await peer.process.close()
})

t.test('a peer that is closed while it asks for its store does not wait, and leaves the store', async t => {
  const peer = new Peer(t.testdir())
  await peer.process.start()
  const one = await peer.life(1)
  one.onClosed = () => writeFileSync(join(peer.data, 'data.mdb'), DAMAGE)
  one.succession.ended({ kind: 'again' })
  while (peer.clock.timers === 0) await new Promise(setImmediate)
  peer.known = ROSTER
  await peer.process.close()
  t.notOk(existsSync(join(peer.data, DAMAGED_FOLDER)))
  t.equal(peer.lives.length, 1)
  t.same(peer.fatal, [])
})

t.test('a replaced store that cannot be opened any more is set aside without a question', async t => {
  const data = t.testdir()
  await madeIn(data)
  const { uid } = await prepareNext(data)
  const roster = replacedBy(uid)
  await prepareNext(data, roster)
  writeFileSync(join(data, 'data.mdb'), DAMAGE)
  const peer = new Peer(data, [])
  await peer.process.start()
  const { store } = await peer.life(1)
  t.equal(store.identity.uid, uid)
  t.same(store.roster(), roster)
  t.ok(existsSync(join(data, DAMAGED_FOLDER)))
  await peer.process.close()
})

t.test('a prepared store that cannot be read is made anew, and keeps nobody from starting', async t => {
  const data = t.testdir()
  const { uid } = await madeIn(data)
  const { uid: first } = await prepareNext(data)
  const spoil = () => writeFileSync(join(data, NEXT_FOLDER, 'data.mdb'), DAMAGE)
  spoil()
  const peer = new Peer(data)
  await peer.process.start()
  const one = await peer.life(1)
  t.equal(one.store.identity.uid, uid)
  t.equal(one.succession.nextUid(), undefined)
  await prepareNext(data)
  spoil()
  const next = await one.succession.prepare()
  t.not(next, first)
  t.equal((await prepareNext(data)).uid, next)
  await peer.process.close()
})

t.test('a store is closed when what was prepared keeps it from starting', async t => {
  const data = t.testdir()
  await madeIn(data)
  await prepareNext(data)
  const other = openLmdbStore(join(data, NEXT_FOLDER))
  const peer = new Peer(data)
  await t.rejects(peer.process.start(), { code: 'DATA_IN_USE' })
  await other.close()
  await peer.process.start()
  await peer.process.close()
})

t.test('a prepared store that became the store in use is not prepared any more', async t => {
  const peer = new Peer(t.testdir())
  await peer.process.start()
  const one = await peer.life(1)
  const uid = await one.succession.prepare()
  one.succession.ended({ kind: 'unlisted' })
  const two = await peer.life(2)
  t.equal(two.store.identity.uid, uid)
  t.equal(two.succession.nextUid(), undefined)
  t.not(await two.succession.prepare(), uid)
  await peer.process.close()
})

t.test('a store that is in use is not taken for a damaged one', async t => {
  const data = t.testdir()
  const store = openLmdbStore(data)
  const peer = new Peer(data)
  peer.known = ROSTER
  await t.rejects(peer.process.start(), { code: 'DATA_IN_USE' })
  t.same(peer.asked, [])
  await store.close()
})

t.test('a later life that cannot begin ends the process', async t => {
  const peer = new Peer(t.testdir())
  await peer.process.start()
  const one = await peer.life(1)
  writeFileSync(join(peer.data, 'next'), 'in the way of the next store')
  one.succession.ended({ kind: 'replaced', roster: ROSTER })
  await peer.life(2)
  t.match(peer.fatal, [{ code: 'DATA_NOT_A_DIRECTORY' }])
})
