import { checkHistory } from '../../scripts/lib/checker/check.ts'
import type { LogStore } from '../../services/peer/store/types.ts'
import { useSmallBounds } from './bounds.ts'
import { Clients } from './clients.ts'
import { Cluster } from './cluster.ts'
import { Faults } from './faults.ts'
import { isTrimmed } from './topics.ts'
import { Trace } from './trace.ts'
import { Chance, MAX_STEPS, World } from './world.ts'

/** Virtual time for a cluster to come up, and to heal when nothing is wrong any more. */
const START_MS = 1_000
const HEAL_MS = 60_000
/** Virtual time that clients go on when faults have ended, and for their last answers to arrive. */
const CALM_MS = 1_000
const SETTLE_MS = 6_000
/** Virtual time under faults. */
const MIN_FAULTS_MS = 3_000
const MAX_FAULTS_MS = 8_000
/** Share of the seeds whose faults last longer, up to so long: for what takes several elections to go wrong. */
const LONG_SHARE = 0.3
const LONG_FAULTS_MS = 15_000
/** Clients go on until they have asked for so much, however short the faults were. */
export const MIN_OPERATIONS = 500

/** While links are cut a replica may not have heard of a deletion: what it keeps is still served (P5). */
const RULES = { allowStaleStreams: true, isTrimmed }

export interface RunResult {
  readonly seed: number
  /** The same for two runs that did the same. */
  readonly hash: string
  readonly virtualMs: number
  readonly steps: number
  readonly peers: number
  readonly faults: Readonly<Record<string, number>>
  readonly clients: Readonly<Clients['counts']>
  /** What clients asked for: at least MIN_OPERATIONS of a run without violations. */
  readonly operations: number
  /** Events acknowledged. */
  readonly events: number
  /** Snapshots installed. */
  readonly snapshots: number
  readonly violations: readonly string[]
  /** The end of the transcript. */
  readonly tail: readonly string[]
}

export interface RunOptions {
  /** Shown each line of the transcript as it arises. */
  readonly print?: (line: string) => void
  /** Virtual time under faults; without it the seed decides. */
  readonly faultsMs?: number
  /** Puts something broken in the stores' place, to see that it is found. */
  readonly wrapStore?: (store: LogStore) => LogStore
}

/** One seed: a cube comes up, is harmed while clients use it, heals, and is looked at. */
export async function runSeed(seed: number, options: RunOptions = {}): Promise<RunResult> {
  useSmallBounds()
  const world = new World()
  const chance = new Chance(seed)
  const trace = new Trace(() => world.nowMs, options.print)
  const peers = chance.int(3, 5)
  const cluster = new Cluster(world, chance.fork(), trace, { peers, slots: 4 }, options.wrapStore)
  const clients = new Clients(cluster, chance.fork())
  const faults = new Faults(cluster, chance.fork())
  const faultsMs = options.faultsMs ?? drawFaultsMs(chance)
  const isBroken = () => cluster.violations.length > 0
  world.onExhausted = () => cluster.violation(`it comes to rest: ${MAX_STEPS} steps were not enough`)
  const onRejection = (error: unknown) => cluster.violation(`a promise was left rejected: ${String(error)}`)
  process.on('unhandledRejection', onRejection)
  try {
    for (const member of cluster.members.values()) member.start()
    clients.listen()
    void clients.createTopics().then(() => clients.start())
    await world.runUntil(START_MS, isBroken)
    faults.start()
    await world.runUntil(START_MS + faultsMs, isBroken)
    if (!isBroken()) await heal(cluster, clients, faults)
  } finally {
    await new Promise(resolve => setImmediate(resolve))
    process.off('unhandledRejection', onRejection)
  }
  return {
    ...{ seed, hash: trace.hash(), virtualMs: world.nowMs, steps: world.steps, peers },
    operations: clients.operations,
    ...{ faults: faults.counts, clients: clients.counts, events: cluster.ledger.events },
    snapshots: cluster.checks.snapshots,
    ...{ violations: cluster.violations, tail: trace.tail() },
  }
}

function drawFaultsMs(chance: Chance): number {
  if (chance.yes(LONG_SHARE)) return chance.between(MAX_FAULTS_MS, LONG_FAULTS_MS)
  return chance.between(MIN_FAULTS_MS, MAX_FAULTS_MS)
}

async function heal(cluster: Cluster, clients: Clients, faults: Faults): Promise<void> {
  const { world, checks } = cluster
  const isBroken = () => cluster.violations.length > 0
  faults.heal()
  await world.runUntil(world.nowMs + CALM_MS, isBroken)
  await world.runUntil(world.nowMs + HEAL_MS, () => isBroken() || clients.operations >= MIN_OPERATIONS)
  clients.stop()
  await world.runUntil(world.nowMs + SETTLE_MS, () => isBroken() || clients.isQuiet)
  const unhealed = () => faults.unfinished() ?? checks.unhealed()
  let missing = await within(cluster, unhealed)
  if (missing === undefined) missing = await probe(cluster, clients)
  if (missing === undefined) missing = await within(cluster, unhealed)
  if (missing === undefined) missing = await within(cluster, () => clients.behind())
  if (missing === undefined) missing = await clients.readAll(HEAL_MS)
  if (missing === undefined) missing = await within(cluster, unhealed)
  if (isBroken()) return
  if (missing !== undefined) cluster.violation(`it heals by itself: ${missing}`)
  else checks.final()
  const rules = { ...RULES, expectFinals: missing === undefined }
  for (const { kind, what } of checkHistory(cluster.history, rules)) cluster.violation(`${kind}: ${what}`)
}

/** Lets time pass until nothing is missing; what still is when that does not come in time. */
async function within(
  { world, violations }: Cluster,
  missing: () => string | undefined,
): Promise<string | undefined> {
  const untilMs = world.nowMs + HEAL_MS
  while (missing() !== undefined && world.nowMs < untilMs && violations.length === 0) {
    await world.runUntil(world.nowMs + 250)
  }
  return missing()
}

/** Every slot must take an event again. */
async function probe({ world, slots }: Cluster, clients: Clients): Promise<string | undefined> {
  const failed: number[] = []
  let done = 0
  for (const slot of slots) {
    void clients.probe(slot).then(isAcknowledged => {
      done++
      if (!isAcknowledged) failed.push(slot)
    })
  }
  await world.runUntil(world.nowMs + HEAL_MS, () => done === slots.length)
  if (done < slots.length) return 'publishes are not answered'
  return failed.length > 0 ? `slots ${failed.join()} take no event` : undefined
}
