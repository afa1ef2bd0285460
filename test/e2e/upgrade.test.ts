import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ask, askJson, askUntil } from '../../scripts/lib/http.ts'
import { freePorts } from '../../scripts/lib/ports.ts'
import { parsePeerArguments } from '../../services/peer/arguments.ts'
import { runPeers } from '../../services/peer/commands/peers.ts'
import { slotOf } from '../../services/peer/cube/placement.ts'
import { FORMATS, type Formats } from '../../services/peer/engine/formats.ts'
import type { CubeBody } from '../../services/peer/http/schemas.ts'
import type { Peer } from '../../services/peer/lives.ts'
import { startPeer } from '../../services/peer/peer.ts'

const TOPIC = 'sports'
const SLOTS = 4
const IDS = ['00', '01', '10']
const QUICK = '--tick 50ms --heartbeat 100ms --election 500ms --reclaim-after 200ms --disk-reserve 0'
/** A program of before the newest format. */
const OLDER: Formats = { oldest: 1, newest: FORMATS.newest - 1 }
const log = { debug() {}, info() {}, warn() {}, error() {} }

/** Three peers in this process, each of which runs whatever version of the program it is started with. */
class Cube {
  readonly urls: readonly string[]
  readonly fatal: Error[] = []
  readonly #folder = mkdtempSync(join(tmpdir(), 'hypercast-upgrade-'))
  readonly #peers = new Map<number, Peer>()

  constructor(ports: readonly number[]) {
    this.urls = ports.map(port => `http://127.0.0.1:${port}`)
  }

  async start(at: number, formats?: Formats): Promise<void> {
    const list = this.urls.map((url, other) => `${IDS[other]}=${url}`).join()
    const data = join(this.#folder, IDS[at]!)
    const flags = [
      '--node-id',
      IDS[at]!,
      '--port',
      new URL(this.urls[at]!).port,
      '--peers',
      list,
      '--data',
      data,
    ]
    const config = parsePeerArguments([...flags, ...`--slots ${SLOTS} ${QUICK}`.split(' ')], {})
    const peer = await startPeer(config, {
      log,
      onFatal: error => this.fatal.push(error),
      onRemoved: () => {},
      ...(formats && { formats }),
    })
    this.#peers.set(at, peer)
  }

  /** Every peer that runs is ready. */
  async ready(): Promise<void> {
    await Promise.all([...this.#peers.values()].map(peer => peer.ready))
  }

  async stop(at: number): Promise<void> {
    await this.#peers.get(at)?.close()
    this.#peers.delete(at)
  }

  /** A peer that runs, another one each time. */
  through(turn: number): string {
    const running = [...this.#peers.keys()]
    return this.urls[running[turn % running.length]!]!
  }

  async close(): Promise<void> {
    for (const at of [...this.#peers.keys()]) await this.stop(at)
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** Publishes one event after the other through the peers in turn, each until it is acknowledged. */
class Publisher {
  readonly acknowledged: string[] = []
  readonly #cube: Cube
  readonly #done: Promise<void>
  #isStopping = false
  /** An answer after which there is no use in trying again. */
  #refused: string | undefined

  constructor(cube: Cube) {
    this.#cube = cube
    this.#done = this.#run()
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    await this.#done
  }

  /** Resolves when so many more are acknowledged. */
  async more(count: number): Promise<void> {
    const enough = this.acknowledged.length + count
    while (this.acknowledged.length < enough) {
      if (this.#refused !== undefined) throw new Error(this.#refused)
      await new Promise(resolve => setTimeout(resolve, 5))
    }
  }

  async #run(): Promise<void> {
    for (let turn = 0; !this.#isStopping && this.#refused === undefined; turn++) {
      const body = `event ${this.acknowledged.length + 1}`
      const headers = { 'content-type': 'text/plain', 'idempotency-key': body.replace(' ', '-') }
      const url = `${this.#cube.through(turn)}/v1/topics/${TOPIC}/publish`
      const answer = await ask(url, { method: 'POST', headers, body }).catch(() => undefined)
      if (answer?.status === 201) this.acknowledged.push(body)
      else if (answer && answer.status < 500 && answer.status !== 409) this.#refused = answer.body
    }
  }
}

/**
 * Asks for something that only the newest format has, and that changes nothing: a trim that says how far it gets, of no
 * life that the topic ever had. What the slot's primary answers to it.
 */
async function askNewer(cube: Cube): Promise<{ readonly kind: string; readonly code?: string }> {
  const { clusterId, peers } = await askJson<CubeBody>(`${cube.through(0)}/v1/cube`)
  const slot = slotOf(createHash('sha256').update(TOPIC).digest(), SLOTS)
  const request = { kind: 'trim', topic: TOPIC, incarnation: 0, before: 0, bytes: 0, sequence: 0 }
  const operation = { kind: 'append', slot, request }
  for (let turn = 0; ; turn++) {
    const url = cube.through(turn)
    const target = peers.find(peer => peer.url === url)!
    const asker = peers.find(peer => peer.url !== url)!
    const forwarded = { operation, target: target.id, path: [], visited: [], patienceMs: 5_000 }
    const answer = await ask(`${url}/v1/relay/operations`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'hypercast-cluster': clusterId,
        'hypercast-from': asker.id,
        'hypercast-uid': asker.uid,
      },
      body: JSON.stringify({ version: 1, operations: [forwarded] }),
    })
    const line = answer.body.split('\n').find(text => text !== '') ?? '{}'
    const said = JSON.parse(line).answered?.answer
    if (said?.kind === 'answered') return said.result
  }
}

/** Where a question is asked that peers pass on to each other, and that the newest format has. */
const subscribers = (cube: Cube) => `${cube.through(0)}/v1/topics/${TOPIC}/subscribers`

/** Every peer knows by now what the cluster speaks. */
async function speaks(cube: Cube, format: number, formats: readonly number[]): Promise<void> {
  for (const url of cube.urls) {
    const isSo = (body: CubeBody) =>
      body.format === format && body.peers.every((peer, at) => peer.format === formats[at])
    await askUntil<CubeBody>(`${url}/v1/cube`, isSo)
  }
}

/** What `hypercast peers` says of versions, if anything. */
async function saidOfVersions(cube: Cube): Promise<string | undefined> {
  const lines: string[] = []
  await runPeers(cube.through(0), line => lines.push(line))
  return lines.find(line => line.includes('version'))
}

async function cubeOf(t: Test): Promise<Cube> {
  const cube = new Cube(await freePorts(IDS.length))
  t.teardown(() => cube.close())
  return cube
}

t.test('peers are restarted one by one with a newer version while publishes go on', async t => {
  const cube = await cubeOf(t)
  await Promise.all(IDS.map((_, at) => cube.start(at, OLDER)))
  await cube.ready()
  await speaks(cube, OLDER.newest, [OLDER.newest, OLDER.newest, OLDER.newest])
  t.equal(await saidOfVersions(cube), undefined, 'all run the same')
  await askJson(`${cube.through(0)}/v1/topics/${TOPIC}`, { method: 'PUT' })
  const publisher = new Publisher(cube)
  t.teardown(() => publisher.stop())
  await publisher.more(5)

  const formats = IDS.map(() => OLDER.newest)
  for (const at of IDS.keys()) {
    t.match(await askNewer(cube), { kind: 'failed', code: 'UPGRADE_UNDER_WAY', definite: true })
    t.match(JSON.parse((await ask(subscribers(cube))).body), { status: 503, code: 'UPGRADE_UNDER_WAY' })
    await cube.stop(at)
    await publisher.more(5)
    await cube.start(at)
    await cube.ready()
    formats[at] = FORMATS.newest
    await speaks(cube, Math.min(...formats), formats)
    if (at === 0) t.match(await saidOfVersions(cube), /stays at format 2 until 01, 10 runs the new one$/)
    await publisher.more(5)
  }
  t.match(await askNewer(cube), { kind: 'appended', result: { kind: 'trimmed', earliest: 1 } })
  t.equal(await saidOfVersions(cube), undefined)
  await publisher.stop()

  const url = `${cube.through(1)}/v1/topics/${TOPIC}/events?from=earliest&limit=1000`
  const page = await askJson<{ events: { offset: number; data: string }[] }>(url, {
    headers: { accept: 'application/json' },
  })
  const known = publisher.acknowledged.slice(0, page.events.length)
  t.ok(publisher.acknowledged.length >= 35)
  t.same(
    page.events.map(({ data }) => data),
    known,
    'every event is there once, in order',
  )
  t.same(
    page.events.map(({ offset }) => offset),
    known.map((_, at) => at + 1),
  )
  t.equal(page.events.length, Math.min(1_000, publisher.acknowledged.length), 'nothing is lost')

  await cube.stop(2)
  await t.rejects(cube.start(2, OLDER), {
    code: 'DATA_VERSION',
    message: /speak format 3 .* knows up to 2: run a version/,
  } as never)
  await t.rejects(
    ask(`${cube.urls[2]}/v1/cube`),
    { code: 'ECONNREFUSED' } as never,
    'it does not even listen',
  )
  const older = JSON.stringify({ uid: 'u', url: 'http://127.0.0.1:9', format: OLDER.newest })
  const refused = await ask(`${cube.through(0)}/v1/peers`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: older,
  })
  t.match(JSON.parse(refused.body), { status: 409, code: 'JOIN_REFUSED', detail: /knows up to 2/ })
  t.same(cube.fatal, [])
})
