import t from 'tap'
import { InvariantBroken } from '../../services/peer/raft/invariant.ts'
import { RaftLog } from '../../services/peer/raft/log.ts'
import { configurationOf, logOf } from './cluster.ts'
import { Disk } from './disk.ts'

const NOTHING_ELSE = {
  mustSync: true,
  messages: [],
  messagesAfterPersist: [],
  committed: [],
  reads: [],
  readsFailed: [],
}

function write(log: RaftLog, disk: Disk, id: number): void {
  disk.write({ id, ...NOTHING_ELSE, ...log.take(id) })
}

t.test('entries are read the same from the window, from the store and across both', t => {
  for (const maxCachedBytes of [0, 300, 1_000_000]) {
    const disk = new Disk(configurationOf(1))
    const log = new RaftLog(disk, maxCachedBytes, disk.hardState, 0)
    const entries = logOf(1, 1, 1, 2, 2, 2, 3, 3, 3, 3)
    for (const [at, entry] of entries.entries()) {
      log.append([entry])
      write(log, disk, at + 1)
      log.persisted(at)
    }
    const read = []
    for (let from = 1; from <= 10; from = read.at(-1)!.index + 1) read.push(...log.entries(from, 11, 9))
    t.same(read, entries)
    t.same(
      entries.map(entry => log.term(entry.index)),
      entries.map(entry => entry.term),
    )
    t.same([log.firstIndex, log.lastIndex, log.lastTerm, log.durable], [1, 10, 3, 9])
  }
  t.end()
})

t.test('what the store throws away stays readable while it is in the window, and no longer', t => {
  const disk = new Disk(configurationOf(1))
  const log = new RaftLog(disk, 0, disk.hardState, 0)
  log.append(logOf(1, 1, 1, 1))
  write(log, disk, 1)
  disk.compact(2, configurationOf(1))
  t.equal(log.firstIndex, 1)
  log.persisted(1)
  t.equal(log.firstIndex, 3)
  t.same(
    [1, 2, 3, 4, 5].map(index => log.term(index)),
    [undefined, 1, 1, 1, undefined],
  )
  t.throws(() => log.entries(2, 4, 100), InvariantBroken)
  t.end()
})

t.test('behind a restored snapshot nothing of the old log shows, though the store still has it', t => {
  const disk = new Disk(configurationOf(1))
  const log = new RaftLog(disk, 100, disk.hardState, 0)
  log.append(logOf(1, 1, 1, 1, 1))
  write(log, disk, 1)
  log.persisted(1)
  log.restore({ index: 3, term: 9, configuration: configurationOf(1) })
  t.same(
    [2, 3, 4].map(index => log.term(index)),
    [undefined, 9, undefined],
  )
  t.same([log.firstIndex, log.lastIndex, log.commit, log.durable], [4, 3, 3, 0])
  t.end()
})

t.test('a committed entry is not truncated, a hole not left, a commit not taken back', t => {
  const disk = new Disk(configurationOf(1))
  const log = new RaftLog(disk, 100, disk.hardState, 0)
  log.append(logOf(1, 1, 1))
  log.commitTo(2)
  log.commitTo(1)
  t.equal(log.commit, 2)
  t.throws(() => log.append(logOf(2, 2).slice(1)), InvariantBroken)
  t.throws(() => log.append(logOf(1, 1, 1, 1, 1).slice(4)), InvariantBroken)
  t.throws(() => log.commitTo(4), InvariantBroken)
  t.throws(() => log.restore({ index: 2, term: 1, configuration: configurationOf(1) }), InvariantBroken)
  t.end()
})
