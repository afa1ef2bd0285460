import { slotOf, TABLES } from '../../services/peer/store/keys.ts'
import type { Key } from '../../services/peer/store/kv.ts'
import type { FaultKind, Harm } from './harm.ts'
import { FLUSH_MS, SETTINGS } from './member.ts'

/** Bits of the longest record. */
const MAX_BITS = 65_536
/** Share of the seeds that flip bits of one kind: what they harm stays harmed to the end. */
const FLIP_SHARE = 0.3

/** What the tables hold: log entries and staged ones; state rows and their indexes; what Raft and the store restart from. */
const ROWS = {
  log: [TABLES.log, TABLES.staged],
  state: [TABLES.slotRow, TABLES.topic, TABLES.clientKey, TABLES.producer, TABLES.run, TABLES.order],
  metadata: [TABLES.hardState, TABLES.member, TABLES.configuration, TABLES.work, TABLES.store],
} as const

function slowDisk(harm: Harm): boolean {
  const member = harm.anyone()
  const flushMs = harm.chance.pick([10, 80, 400, 2_500])
  const begin = () => {
    member.flushMs = flushMs
    harm.say(member.name, `fsync takes ${flushMs} ms`)
  }
  return harm.window(`slow ${member.host}`, 500, 5_000, begin, () => {
    member.flushMs = FLUSH_MS
  })
}

/** The next fsync fails: the peer must end and may start again. */
function failFsync(harm: Harm): boolean {
  const member = harm.anyone()
  if (!member.isUp) return false
  harm.say(member.name, 'the next fsync fails')
  member.disk.failNextFlush('the simulated fsync failed', harm.chance.yes(0.5))
  harm.later(1_000, 4_000, () => member.start())
  return true
}

/** Only so many bytes are free on a peer's disk, for a while. */
function fill(harm: Harm, leftBytes: number): boolean {
  const member = harm.anyone()
  const { disk } = member
  const begin = () => {
    disk.capacityBytes = disk.space().usedBytes + leftBytes
    harm.say(member.name, `has ${leftBytes} bytes of disk left`)
  }
  return harm.window(`full ${member.host}`, 1_500, 6_000, begin, () => {
    disk.capacityBytes = Number.MAX_SAFE_INTEGER
    harm.say(member.name, 'has room on its disk')
    member.start()
  })
}

/** A bit of one record at rest turns over, under a running process or not, on the one disk that does so. */
function flipBit(harm: Harm, what: keyof typeof ROWS): boolean {
  const { victim, chance, cluster, operator } = harm
  // No slot may lose two of its replicas.
  if (!victim || operator.isMoving || !cluster.survives(uid => uid === victim.uid)) return false
  const tables: readonly string[] = ROWS[what]
  const keys = victim.disk.keys().filter(key => tables.includes(key[0]!))
  if (keys.length === 0) return false
  const key = chance.pick(keys)
  const bit = chance.int(0, MAX_BITS - 1)
  harm.say(victim.name, `bit ${bit} flips in ${nameOf(key)}`)
  harm.hasFlipped = true
  return victim.disk.flipBit(key, bit)
}

function nameOf(key: Key): string {
  const table = Object.entries(TABLES).find(([, letter]) => letter === key[0])![0]
  return `${table} of slot ${slotOf(key)}, ${Buffer.from(key.slice(3), 'latin1').toString('hex')}`
}

/** What is harmed stays so unseen, and counts for a replica until it is read. */
export const BIT_FLIPS: readonly FaultKind[] = [
  {
    counted: 'bit flip in log',
    meanMs: [1_500, 8_000],
    share: FLIP_SHARE,
    strike: harm => flipBit(harm, 'log'),
  },
  {
    counted: 'bit flip in state',
    meanMs: [1_500, 8_000],
    share: FLIP_SHARE,
    strike: harm => flipBit(harm, 'state'),
  },
  {
    counted: 'bit flip in metadata',
    meanMs: [1_500, 8_000],
    share: FLIP_SHARE,
    strike: harm => flipBit(harm, 'metadata'),
  },
]

export const DISK_FAULTS: readonly FaultKind[] = [
  { counted: 'slow disk', meanMs: [3_000, 20_000], strike: slowDisk },
  { counted: 'failed fsync', meanMs: [4_000, 25_000], strike: failFsync },
  {
    counted: 'disk below reserve',
    meanMs: [4_000, 20_000],
    strike: harm => fill(harm, Math.floor(SETTINGS.diskReserveBytes * harm.chance.between(0.5, 1))),
  },
  { counted: 'full disk', meanMs: [5_000, 25_000], strike: harm => fill(harm, harm.chance.int(0, 3_000)) },
]
