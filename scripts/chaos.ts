/**
 * `npm run chaos`: a cube of real processes under kills, pauses, cut links, full disks, …, with publishers and
 * subscribers whose histories go through the checker. Ends with 0 only when there is no anomaly and all has healed.
 */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Clients, topicsOf } from './lib/chaos/clients.ts'
import { ChaosCube } from './lib/chaos/cube.ts'
import { SmallDisk } from './lib/chaos/disk.ts'
import { readOptions } from './lib/chaos/options.ts'
import { Random } from './lib/chaos/random.ts'
import { Recorder } from './lib/chaos/recorder.ts'
import { isClean, type Outcome, report } from './lib/chaos/report.ts'
import { ChaosRun } from './lib/chaos/run.ts'
import { makeSchedule } from './lib/chaos/schedule.ts'
import { HEARTBEAT_MS } from './lib/chaos/subscriber.ts'
import { checkHistory } from './lib/checker/check.ts'

const TOPICS_PER_PEER = 2
const SUBSCRIBERS_PER_TOPIC = 2
const PUBLISHERS = 32
const WARM_UP_MS = 2_000
const START_TIMEOUT_MS = 60_000
const LEVEL_TIMEOUT_MS = 30_000
/** Of the schedule: more than fit into a minute. */
const ROUNDS_PER_MINUTE = 20
/** Small, so that a disk that is down to it is a small one. */
const DISK_RESERVE = '32MiB'

const options = readOptions(process.argv)
const random = new Random(options.seed)
const startMs = performance.now()
const timeline: string[] = []
const findings: string[] = []
const leftOut: string[] = []
const lost = new Set<string>()
const recovering = new Set<string>()
let run: ChaosRun | undefined
let disk: SmallDisk | undefined

const cube = await ChaosCube.prepare({
  peers: options.peers,
  environment: { HYPERCAST_SSE_HEARTBEAT: `${HEARTBEAT_MS}ms`, HYPERCAST_DISK_RESERVE: DISK_RESERVE },
  onLost: (id, { how }) => void revive(id, how),
})
const recorder = new Recorder(join(cube.folder, 'history.jsonl'))
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void cleanUp(false).finally(() => process.exit(1)))
}
tell(`seed ${options.seed}; histories and logs in ${cube.folder}`)
try {
  const outcome = await chaos()
  const isKept = options.keep || !isClean(outcome)
  const text = report(outcome)
  console.log(text)
  writeFileSync(join(cube.folder, 'report.txt'), `${timeline.join('\n')}\n${text}\n`)
  await cleanUp(isKept)
  if (isKept) console.log(`histories and logs are kept in ${cube.folder}`)
  process.exitCode = isClean(outcome) ? 0 : 1
} catch (error) {
  await cleanUp(true)
  console.log(`histories and logs are kept in ${cube.folder}`)
  throw error
}

async function chaos(): Promise<Outcome> {
  const { kinds, diskPeer } = prepareDisk()
  await Promise.all(cube.ids.map(id => cube.start(id)))
  const homes = topicsOf(cube, TOPICS_PER_PEER)
  const topics = [...homes.keys()]
  const rounds = makeSchedule({
    random: random.fork('schedule'),
    kinds,
    peers: cube.ids,
    placements: cube.placements,
    rounds: Math.ceil(options.minutes * ROUNDS_PER_MINUTE),
    ...(diskPeer !== undefined && { diskPeer }),
  })
  const found = (text: string) => {
    findings.push(text)
    tell(`WRONG: ${text}`)
  }
  const tools = { cube, random: random.fork('faults'), disk, lost, tell, found }
  await untilHealed()
  tell(`${cube.ids.length} peers are ready`)
  const clients = await Clients.start({
    cube,
    random: random.fork('clients'),
    recorder,
    topics,
    publishers: PUBLISHERS,
    ratePerS: options.rate,
    subscribersPerTopic: SUBSCRIBERS_PER_TOPIC,
  })
  await delay(WARM_UP_MS)
  const faultsMs = performance.now()
  run = new ChaosRun({
    cube,
    clients,
    rounds,
    random: random.fork('run'),
    tools,
    homes,
    deadlineMs: faultsMs + options.minutes * 60_000,
  })
  const hasHealed = await run.run()
  const minutes = (performance.now() - faultsMs) / 60_000
  tell('no more faults; publishers stop')
  await clients.quiet()
  if (hasHealed && (await run.healed())) {
    await clients.readFinals(cube.ids.filter(id => !lost.has(id))).catch(error => found(error.message))
    for (const behind of await clients.level(LEVEL_TIMEOUT_MS)) found(`not level: ${behind}`)
    tell('all replicas are read, all subscribers have had their time')
  }
  await clients.close()
  recorder.close()
  return {
    seed: options.seed,
    minutes,
    faults: run.done,
    leftOut,
    operations: recorder.operations,
    streams: clients.subscribers.reduce((sum, { connections }) => sum + connections, 0),
    gaps: run.gaps,
    ownDelayMs: run.ownDelayMs,
    anomalies: checkHistory(recorder.operations, { isTrimmed: () => false, expectFinals: true }),
    findings: [...findings, ...recorder.odd],
  }
}

/** One peer's store goes to a small disk of its own, if its filling is asked for and possible here. */
function prepareDisk() {
  if (!options.faults.includes('disk')) return { kinds: options.faults }
  const diskPeer = random.fork('disk').pick(cube.ids)
  const mounted = SmallDisk.mount(cube.plan(diskPeer).data)
  if (mounted instanceof SmallDisk) {
    disk = mounted
    return { kinds: options.faults, diskPeer }
  }
  leftOut.push(`disk (${mounted})`)
  return { kinds: options.faults.filter(kind => kind !== 'disk') }
}

async function untilHealed(): Promise<void> {
  const deadlineMs = performance.now() + START_TIMEOUT_MS
  for (;;) {
    const ailment = await cube.ailment()
    if (ailment === undefined) return
    if (performance.now() > deadlineMs) throw new Error(`the cube did not come up: ${ailment}`)
    await delay(200)
  }
}

/**
 * A peer ended that nobody asked to. Where its disk is full that is what it should do; anywhere else it is wrong, and
 * the run goes on with the peer started again.
 */
async function revive(id: string, how: string): Promise<void> {
  const isFull = [...(run?.active ?? [])].some(({ kind, victims }) => kind === 'disk' && victims.includes(id))
  if (isFull || lost.has(id)) {
    tell(`${id} ended: ${how}`)
    return
  }
  findings.push(`peer ${id} ended by itself: ${how}`)
  tell(`WRONG: peer ${id} ended by itself: ${how}`)
  if (recovering.has(id)) return
  recovering.add(id)
  await cube.start(id).catch(error => findings.push(`peer ${id} did not start again: ${error.message}`))
  recovering.delete(id)
}

function tell(text: string): void {
  const line = `${((performance.now() - startMs) / 1_000).toFixed(1).padStart(7)} s  ${text}`
  timeline.push(line)
  console.log(line)
}

async function cleanUp(isKept: boolean): Promise<void> {
  await cube.close()
  disk?.unmount()
  if (isKept) for (const { data } of cube.plans) rmSync(data, { recursive: true, force: true })
  else cube.removeFolder()
}
