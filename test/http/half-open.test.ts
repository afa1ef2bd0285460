import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import t, { type Test } from 'tap'
import { HalfOpenWatch } from '../../services/peer/http/half-open.ts'
import { connectionKey, SOCKET_TABLES } from '../../services/peer/http/unacknowledged.ts'
import { LIMITS } from '../../services/peer/limits.ts'
import { ManualClock } from '../streams/clock.ts'

const TIMEOUT_MS = 8_000
const LOOK_MS = TIMEOUT_MS / LIMITS.LOOKS_PER_STALL

/** A server's end of a connection whose kernel a test plays. */
class FakeSocket extends EventEmitter {
  readonly localAddress = '10.0.0.1'
  readonly localPort = 5555
  readonly remoteAddress: string
  readonly remotePort: number
  readonly _handle = { writeQueueSize: 0 }
  _bytesDispatched = 0
  writableLength = 0
  destroyed = false
  /** Bytes on their way that nobody acknowledged; undefined: the table does not have it. */
  unacknowledgedBytes: number | undefined = 0

  constructor(remotePort: number, remoteAddress = '10.0.0.2') {
    super()
    this.remotePort = remotePort
    this.remoteAddress = remoteAddress
  }

  /** The kernel takes it. */
  write(bytes: number): void {
    this._bytesDispatched += bytes
    this.unacknowledgedBytes = (this.unacknowledgedBytes ?? 0) + bytes
  }

  acknowledge(bytes: number): void {
    this.unacknowledgedBytes = (this.unacknowledgedBytes ?? 0) - bytes
  }

  destroy(): void {
    this.destroyed = true
    this.emit('close')
  }
}

function setUp(_t: Test, hasTables = true) {
  const clock = new ManualClock()
  const sockets: FakeSocket[] = []
  const read: string[] = []
  const told: object[] = []
  const watch = new HalfOpenWatch({
    clock,
    timeoutMs: TIMEOUT_MS,
    log: { info: fields => told.push(fields) },
    read: async (path, visit) => {
      read.push(path)
      for (const one of sockets) {
        const key = connectionKey(one)!
        if (hasTables && one.unacknowledgedBytes !== undefined) visit(key, one.unacknowledgedBytes)
      }
      return hasTables
    },
  })
  const add = (remotePort: number, remoteAddress?: string) => {
    const socket = new FakeSocket(remotePort, remoteAddress)
    sockets.push(socket)
    watch.watch(socket as unknown as Socket)
    return socket
  }
  return { clock, watch, add, read, told }
}

t.test('a connection whose heartbeats nobody acknowledges is closed, and not before its time', async t => {
  const { clock, watch, add, told } = setUp(t)
  const [gone, alive] = [add(1), add(2)]
  await clock.advance(2 * LOOK_MS)
  for (let beat = 0; beat < LIMITS.LOOKS_PER_STALL; beat++) {
    gone.write(3)
    alive.write(3)
    alive.acknowledge(3)
    await clock.advance(LOOK_MS)
    t.equal(gone.destroyed, false, `after ${(beat + 1) * LOOK_MS} ms`)
  }
  await clock.advance(LOOK_MS)
  t.equal(gone.destroyed, true)
  t.same(told, [{ client: '10.0.0.2' }])
  t.equal(alive.destroyed, false)
  t.equal(watch.size, 1)
  alive.destroy()
  t.equal(clock.timers, 0, 'nothing runs for nobody')
})

t.test('a slow reader is not closed although more and more is on its way', async t => {
  const { clock, add } = setUp(t)
  const slow = add(1)
  for (let look = 0; look < 50; look++) {
    slow.write(1_000)
    slow.acknowledge(1)
    await clock.advance(LOOK_MS)
  }
  t.equal(slow.destroyed, false)
  for (let look = 0; look <= LIMITS.LOOKS_PER_STALL; look++) await clock.advance(LOOK_MS)
  t.equal(slow.destroyed, true, 'one that has stopped is')
})

t.test('progress now and then is enough, and silence with nothing on its way is none of it', async t => {
  const { clock, add } = setUp(t)
  const idle = add(1)
  await clock.advance(100 * TIMEOUT_MS)
  idle.write(10)
  for (let times = 0; times < 5; times++) {
    await clock.advance(TIMEOUT_MS - LOOK_MS)
    idle.acknowledge(2)
  }
  t.equal(idle.destroyed, false)
})

t.test('what is written while the table is read does not look as if it had been acknowledged', async t => {
  const clock = new ManualClock()
  const socket = new FakeSocket(1)
  let unacknowledged = 0
  const read = async (_path: string, visit: (connection: string, bytes: number) => void) => {
    visit(connectionKey(socket)!, unacknowledged)
    // Each time more than the last: by a count made afterwards it would be progress.
    socket.write(10 ** (unacknowledged === 0 ? 1 : String(unacknowledged).length))
    unacknowledged = socket.unacknowledgedBytes!
    return true
  }
  const watch = new HalfOpenWatch({ clock, timeoutMs: TIMEOUT_MS, log: { info() {} }, read })
  watch.watch(socket as unknown as Socket)
  await clock.advance(LOOK_MS * (LIMITS.LOOKS_PER_STALL + 2))
  t.equal(socket.destroyed, true)
})

t.test('bytes that Node gives to the kernel piece by piece are progress', async t => {
  const { clock, add } = setUp(t)
  const reader = add(1)
  reader._bytesDispatched = 1_000_000
  reader.writableLength = 1_000_000
  reader._handle.writeQueueSize = 900_000
  reader.unacknowledgedBytes = 100_000
  for (let look = 0; look < 20; look++) {
    reader._handle.writeQueueSize -= 10_000
    await clock.advance(LOOK_MS)
  }
  t.equal(reader.destroyed, false)
})

t.test('a row that is missing says nothing', async t => {
  const { clock, add } = setUp(t)
  const one = add(1)
  one.write(5)
  await clock.advance(2 * LOOK_MS)
  one.unacknowledgedBytes = undefined
  await clock.advance(3 * TIMEOUT_MS)
  t.equal(one.destroyed, false)
})

t.test('without the kernel’s tables only what Node itself holds is seen', async t => {
  const { clock, add } = setUp(t, false)
  const [vanished, stuck] = [add(1), add(2)]
  vanished.write(100)
  stuck.writableLength = 100
  await clock.advance(TIMEOUT_MS + 2 * LOOK_MS)
  t.equal(vanished.destroyed, false)
  t.equal(stuck.destroyed, true)
})

t.test('only the tables that are needed are read, and the same connection is watched once', async t => {
  const { clock, watch, add, read } = setUp(t)
  const four = add(1)
  watch.watch(four as unknown as Socket)
  t.equal(watch.size, 1)
  await clock.advance(LOOK_MS)
  t.same(read, [SOCKET_TABLES.v4])
  watch.watch(null)
  const closed = new FakeSocket(3)
  closed.destroy()
  watch.watch(closed as unknown as Socket)
  const blind = new FakeSocket(4)
  Object.assign(blind, { _handle: null })
  watch.watch(blind as unknown as Socket)
  t.equal(watch.size, 1, 'what cannot be watched is not')
})

t.test('many connections are looked at over several turns', async t => {
  const { clock, watch, add } = setUp(t)
  const count = 3 * LIMITS.WATCHED_PER_TURN
  const sockets = Array.from({ length: count }, (_, at) => add(at + 1))
  t.equal(watch.size, count)
  let turns = 0
  const { endOfTurn } = clock
  clock.endOfTurn = run => {
    turns += 1
    endOfTurn.call(clock, run)
  }
  for (const one of sockets) one.write(1)
  await clock.advance(LOOK_MS)
  t.equal(turns, 3)
  await clock.advance(TIMEOUT_MS + LOOK_MS)
  t.ok(sockets.every(({ destroyed }) => destroyed))
})
