import fc from 'fast-check'
import t from 'tap'
import type { StreamStart } from '../../services/peer/streams/types.ts'
import type { FakeSink } from './sink.ts'
import { World } from './world.ts'

/** What may happen, each with numbers to choose peers, clients and amounts by. */
const KINDS = [
  'publish',
  'publish',
  'publish',
  'trim',
  'delete',
  'apply',
  'apply',
  'snapshot',
  'connect',
  'disconnect',
  'reconnect',
  'reconnect',
  'slow',
  'take',
  'fast',
  'cut',
  'down',
  'up',
  'minority',
  'majority',
  'wait',
  'wait',
] as const
type Step = { readonly kind: (typeof KINDS)[number]; readonly who: number; readonly amount: number }

const PEERS = ['000', '001', '010']

/**
 * An EventSource with a memory: it reconnects with the last id it saw, to whatever peer it is told, and asserts of
 * every message that it is the one that must come next.
 */
class Client {
  sink: FakeSink | undefined
  /** Next offset due; undefined until it has a position. */
  next: number | undefined
  incarnation = 0
  over = false
  readonly #start: StreamStart
  #lastEventId = ''
  #seen = 0
  readonly #world: World

  constructor(world: World, start: StreamStart) {
    this.#world = world
    this.#start = start
  }

  async connect(peer: string): Promise<void> {
    if (this.over || (this.sink !== undefined && !this.sink.destroyed)) return
    const [offset, incarnation] = this.#lastEventId.split('-').map(Number)
    const resume = { kind: 'cursor', offset: offset!, incarnation: incarnation! } as const
    try {
      this.sink = await this.#world.connect(peer, this.#lastEventId === '' ? this.#start : resume)
    } catch (error) {
      // A topic that does not exist now is the only thing that may be said, and never to a client with a cursor.
      if (this.#lastEventId !== '') throw error
      this.sink = undefined
    }
    this.#seen = 0
    if (this.sink?.ended) this.over = this.#lastEventId !== ''
  }

  /** Checks what has come since the last time. */
  check(): void {
    if (this.sink === undefined) return
    const { messages, lastEventId } = this.sink.stream
    for (const message of messages.slice(this.#seen)) {
      if (this.next === undefined) this.#begin(message)
      this.#take(message)
    }
    this.#seen = messages.length
    if (lastEventId !== '') this.#lastEventId = lastEventId
    if (this.next === undefined && lastEventId !== '') this.#position(lastEventId)
  }

  /** A stream that starts in the future has no position before its first message. */
  #begin(message: { type: string; data: string; lastEventId: string }): void {
    if (message.type === 'end') return
    this.#position(message.lastEventId)
    this.next = message.type === 'gap' ? JSON.parse(message.data).from : this.next! - 1
  }

  #position(id: string): void {
    const [offset, incarnation] = id.split('-').map(Number)
    this.next = offset! + 1
    this.incarnation = incarnation!
  }

  #take(message: { type: string; data: string; lastEventId: string }): void {
    const [offset, incarnation] = message.lastEventId.split('-').map(Number)
    if (message.type === 'end') {
      this.over = true
      return
    }
    if (incarnation !== this.incarnation) throw new Error(`incarnation ${incarnation}`)
    const log = this.#world.log
    const alive = log.machine.topic('sports')?.incarnation === this.incarnation
    if (message.type === 'gap') {
      const { from, to } = JSON.parse(message.data)
      const earliest = alive ? log.machine.topic('sports')!.earliest : Number.POSITIVE_INFINITY
      if (from !== this.next) throw new Error(`gap from ${from}, due ${this.next}`)
      if (to < from || to >= earliest) throw new Error(`gap ${from} to ${to}, earliest ${earliest}`)
      this.next = to + 1
      return
    }
    if (offset !== this.next) throw new Error(`event ${offset}, due ${this.next}`)
    const expected = log.events.get(this.incarnation)![offset! - 1]!
    if (message.data !== Buffer.from(expected.data).toString())
      throw new Error(`event ${offset} has other data`)
    this.next = offset! + 1
  }
}

/** Connects, checks, and remembers where the client is. */
async function connect(client: Client, peer: string): Promise<void> {
  await client.connect(peer)
  client.check()
}

function startOf(amount: number): StreamStart {
  if (amount % 4 === 0) return { kind: 'latest' }
  if (amount % 4 === 1) return { kind: 'earliest' }
  if (amount % 4 === 2) return { kind: 'last', count: amount }
  return { kind: 'offset', offset: amount }
}

async function play(world: World, clients: Client[], step: Step, count: () => number): Promise<void> {
  const { kind, who, amount } = step
  const client = clients[who % Math.max(1, clients.length)]
  const replica = world.replica(PEERS[who % 2]!)
  const row = world.row()
  switch (kind) {
    case 'publish':
      if (row === undefined) world.create()
      world.publishLagging(...Array.from({ length: amount }, () => `event ${count()}`))
      break
    case 'trim':
      if (row !== undefined) world.trim(Math.min(row.latest + 1, row.earliest + amount))
      break
    case 'delete':
      if (amount === 1 && row !== undefined) world.commit({ kind: 'delete' })
      break
    case 'apply':
      replica.apply(amount)
      break
    case 'snapshot':
      if (amount < 4) replica.restore()
      break
    case 'connect':
      if (clients.length < 6) {
        const fresh = new Client(world, startOf(amount))
        clients.push(fresh)
        await connect(fresh, PEERS[who % 3]!)
      }
      break
    case 'disconnect':
      client?.sink?.destroy()
      break
    case 'reconnect':
      client?.sink?.destroy()
      if (client !== undefined) await connect(client, PEERS[amount % 3]!)
      break
    case 'slow':
      client?.sink?.stop()
      break
    case 'take':
      client?.sink?.take()
      break
    case 'fast':
      client?.sink?.resume()
      break
    case 'cut':
      world.cut()
      break
    case 'down':
      world.down.add(PEERS[who % 2]!)
      break
    case 'up':
      world.down.clear()
      break
    case 'minority':
      world.majority = false
      break
    case 'majority':
      world.majority = true
      break
    case 'wait':
      await world.clock.advance(amount * amount)
      break
  }
  await world.clock.settle()
  for (const one of clients) one.check()
}

/** All faults end; every client reads and comes back until it is level or its topic is over. */
async function heal(world: World, clients: Client[]): Promise<void> {
  world.majority = true
  world.down.clear()
  if (world.row() === undefined) world.create()
  world.level()
  for (let round = 0; round < 3; round += 1) {
    for (const client of clients) {
      client.sink?.resume()
      client.check()
      await connect(client, PEERS[round]!)
    }
    await world.clock.advance(5_000)
    for (const client of clients) client.check()
  }
  const { incarnation, latest } = world.row()!
  for (const client of clients) {
    if (client.over || client.next === undefined) continue
    if (client.incarnation !== incarnation) throw new Error(`a stream of life ${client.incarnation} goes on`)
    if (client.next !== latest + 1) throw new Error(`level at ${client.next}, latest ${latest}`)
  }
}

t.test('every subscriber sees each offset once, ascending, and exactly the gaps that are', async t => {
  const seed = Number(process.env.SEED ?? Date.now() & 0x7fffffff)
  t.comment(`seed ${seed}`)
  const step = fc.record({
    kind: fc.constantFrom(...KINDS),
    who: fc.nat(11),
    amount: fc.integer({ min: 1, max: 12 }),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 80 }), fc.nat(), async (steps, chance) => {
      let state = chance
      const random = () => {
        state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
        return state / 0x80000000
      }
      const bounds = { ringEvents: 6, ringBytes: 4_000, bufferBytes: 120, replayEvents: 4 }
      const world = new World({ bounds, random, stallTimeoutMs: 1e9 })
      world.create()
      const clients: Client[] = []
      let published = 0
      for (const one of steps) {
        await play(world, clients, one, () => {
          published += 1
          return published
        })
      }
      await heal(world, clients)
      for (const client of clients) client.sink?.destroy()
      await world.clock.advance(10_000)
      if (world.clock.timers > 0 || world.pipes > 0) throw new Error('something was left running')
    }),
    { seed, numRuns: Number(process.env.RUNS ?? 300) },
  )
  t.pass('held in every run')
})
