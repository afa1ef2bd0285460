/**
 * `npm run chaos`: a cube of real processes under kills, pauses, cut links, full and lost disks, …, whose peers come,
 * go, move and are evicted meanwhile, with publishers and subscribers whose histories go through the checker. Ends with 0 only when there is no anomaly and all has healed.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Clients, topicsOf } from './lib/chaos/clients.ts'
import { ChaosCube } from './lib/chaos/cube.ts'
import { SmallDisk } from './lib/chaos/disk.ts'
import { type FaultTools, takeDiskOut } from './lib/chaos/faults.ts'
import { EVICT_AFTER_MS } from './lib/chaos/kinds.ts'
import { readOptions } from './lib/chaos/options.ts'
import { Random } from './lib/chaos/random.ts'
import { Recorder } from './lib/chaos/recorder.ts'
import { isClean, type Outcome, report } from './lib/chaos/report.ts'
import { ChaosRun } from './lib/chaos/run.ts'
import { Schedule } from './lib/chaos/schedule.ts'
import { HEARTBEAT_MS } from './lib/chaos/subscriber.ts'
import { checkHistory } from './lib/checker/check.ts'

const TOPICS_PER_PEER = 2
const SUBSCRIBERS_PER_TOPIC = 2
const PUBLISHERS = 32
const WARM_UP_MS = 2_000
const START_TIMEOUT_MS = 60_000
const LEVEL_TIMEOUT_MS = 30_000
/** Small, so that a disk that is down to it is a small one. */
const DISK_RESERVE = '32MiB'

const options = readOptions(process.argv)
const random = new Random(options.seed)
const startMs = performance.now()
const timeline: string[] = []
const findings: string[] = []
const leftOut: string[] = []
const flips: string[] = []
const recovering = new Set<string>()
let run: ChaosRun | undefined
let tools: FaultTools | undefined
let disk: SmallDisk | undefined

const cube = await ChaosCube.prepare({
  peers: options.peers,
  random: random.fork('cube'),
  environment: {
    HYPERCAST_SSE_HEARTBEAT: `${HEARTBEAT_MS}ms`,
    HYPERCAST_DISK_RESERVE: DISK_RESERVE,
    ...(options.faults.includes('evict') && { HYPERCAST_EVICT_AFTER: `${EVICT_AFTER_MS}ms` }),
  },
  onLost: (name, { how }) => void revive(name, how),
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
  await Promise.all(cube.names.map(name => cube.start(name)))
  const schedule = new Schedule({
    random: random.fork('schedule'),
    kinds,
    size: options.peers,
    ...(diskPeer !== undefined && { diskPeer }),
  })
  const found = (text: string) => {
    findings.push(text)
    tell(`WRONG: ${text}`)
  }
  tools = {
    cube,
    random: random.fork('faults'),
    disk,
    damaged: new Set(),
    tell,
    count: what => flips.push(what),
    found,
  }
  await untilHealed()
  tell(`${cube.names.length} peers are ready`)
  const { version } = cube.roster
  const topics = topicsOf(cube.roster, TOPICS_PER_PEER)
  const clients = await Clients.start({
    cube,
    random: random.fork('clients'),
    recorder,
    topics: [...topics.keys()],
    publishers: PUBLISHERS,
    ratePerS: options.rate,
    subscribersPerTopic: SUBSCRIBERS_PER_TOPIC,
  })
  await delay(WARM_UP_MS)
  const faultsMs = performance.now()
  run = new ChaosRun({
    cube,
    clients,
    schedule,
    random: random.fork('run'),
    tools,
    topics,
    deadlineMs: faultsMs + options.minutes * 60_000,
  })
  const hasHealed = await run.run()
  const minutes = (performance.now() - faultsMs) / 60_000
  tell('no more faults; publishers stop')
  await clients.quiet()
  const isWhole = hasHealed && (await run.healed())
  if (isWhole) {
    await clients.readFinals().catch(error => found(error.message))
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
    flips,
    changes: cube.roster.version - version,
    peers: cube.names.length,
    operations: recorder.operations,
    streams: clients.subscribers.reduce((sum, { connections }) => sum + connections, 0),
    gaps: run.gaps,
    ownDelayMs: run.ownDelayMs,
    anomalies: checkHistory(recorder.operations, { isTrimmed: () => false, expectFinals: isWhole }),
    findings: [...findings, ...recorder.odd],
  }
}

/** One peer's store goes to a small disk of its own, if its filling is asked for and possible here. */
function prepareDisk() {
  if (!options.faults.includes('disk')) return { kinds: options.faults }
  const diskPeer = random.fork('disk').pick(cube.names)
  const mounted = SmallDisk.mount(cube.data(diskPeer))
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
 * A peer ended that nobody asked to. Where its disk is full or damaged that is what it should do; anywhere else it is
 * wrong, and the run goes on with the peer started again.
 */
async function revive(name: string, how: string): Promise<void> {
  const isFull = [...(run?.active ?? [])].some(
    ({ kind, victims }) => kind === 'disk' && victims.includes(name),
  )
  tell(`${name} ended: ${how}`)
  if (isFull) return
  if (tools?.damaged.has(name)) {
    await takeDiskOut(name, 'its peer ended on it', 'ended the peer', tools).catch(error =>
      findings.push(`peer ${name} did not start again with an empty disk: ${error.message}`),
    )
    return
  }
  findings.push(`peer ${name} ended by itself: ${how}`)
  if (recovering.has(name)) return
  recovering.add(name)
  await cube.start(name).catch(error => findings.push(`peer ${name} did not start again: ${error.message}`))
  recovering.delete(name)
}

function tell(text: string): void {
  const line = `${((performance.now() - startMs) / 1_000).toFixed(1).padStart(7)} s  ${text}`
  timeline.push(line)
  console.log(line)
}

async function cleanUp(isKept: boolean): Promise<void> {
  await cube.close()
  disk?.unmount()
  if (isKept) cube.removeStores()
  else cube.removeFolder()
}
