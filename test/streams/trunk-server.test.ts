import t from 'tap'
import { LIMITS } from '../../services/peer/limits.ts'
import { type TrunkFrame, TrunkParser } from '../../services/peer/links/trunk-wire.ts'
import { Flusher } from '../../services/peer/streams/flusher.ts'
import type { SlotTap } from '../../services/peer/streams/taps.ts'
import { TrunkServer } from '../../services/peer/streams/trunk-server.ts'
import { ManualClock } from './clock.ts'
import { FakeSink } from './sink.ts'

const STALL_MS = 10_000

/** A server whose taps are the test's, with one trunk to the peer 010. */
class LowerEnd {
  readonly clock = new ManualClock()
  readonly sink = new FakeSink()
  readonly server: TrunkServer
  /** Open taps by their want. */
  readonly taps = new Map<string, SlotTap>()
  readonly changed: number[] = []
  /** Where the peer stands, as its marks say. */
  sequence = 0
  /** At which position a tap is covered as soon as it is there. */
  coversAt: number | undefined
  #turn = 0
  #read = 0
  readonly #parser = new TrunkParser()

  constructor(bufferBytes = 100) {
    const { clock, taps } = this
    this.server = new TrunkServer({
      ...{ self: '000', slots: 8, flusher: new Flusher(clock, 0), bufferBytes, stallTimeoutMs: STALL_MS },
      now: () => clock.monotonicMs(),
      mark: slot => ({ slot, position: { sequence: this.sequence, index: 1 }, led: true, depth: 0 }),
      belowChanged: slot => this.changed.push(slot),
      taps: {
        tap: (_slot, tap) => {
          taps.set(tap.wants[0]!, tap)
          if (this.coversAt !== undefined) this.cover(this.coversAt, tap.wants[0]!)
          return () => {
            if (taps.get(tap.wants[0]!) === tap) taps.delete(tap.wants[0]!)
          }
        },
      },
    })
    this.server.open('010', 't1', this.sink)
  }

  say(add: string[], remove: string[] = [], below = ['010'], slot = 7): void {
    this.#turn += 1
    this.server.say('010', { trunk: 't1', turn: this.#turn, slots: [{ slot, add, remove, below }] })
  }

  cover(sequence: number, want: string): void {
    this.taps.get(want)!.covered({ sequence, index: 1 }, new Map([[want, null]]), 1)
  }

  /** The event of this sequence, for those who want it. */
  event(sequence: number, wants: readonly string[], text = ''): void {
    const event = { offset: sequence, incarnation: 1, sequence, timeMs: 1, data: Buffer.from(text) }
    this.sequence = sequence
    for (const want of wants) this.taps.get(want)?.events('a', [event], sequence)
  }

  /** What came down since it was last asked, without signs of life. */
  async frames(): Promise<TrunkFrame[]> {
    await this.clock.settle()
    const chunks = this.sink.chunks.slice(this.#read)
    this.#read += chunks.length
    return chunks.flatMap(chunk => this.#parser.push(chunk)).filter(frame => frame.kind !== 'marks')
  }
}

t.test(
  'a cover leaves at once, covers of one place as one frame, and says of which update it knows',
  async t => {
    const lower = new LowerEnd()
    lower.say(['a'])
    lower.say(['b'])
    lower.cover(5, 'a')
    lower.cover(5, 'b')
    t.match(await lower.frames(), [
      { kind: 'covered', turn: 2, wants: ['a', 'b'], position: { sequence: 5 } },
    ])
    lower.coversAt = 6
    lower.say(['c'])
    t.match(await lower.frames(), [{ kind: 'covered', turn: 3, wants: ['c'], position: { sequence: 6 } }])
  },
)

t.test('covers of very many wants are no single frame', async t => {
  const lower = new LowerEnd(1_000_000)
  lower.coversAt = 1
  lower.say(Array.from({ length: LIMITS.MAX_COVER_WANTS + 1 }, (_, at) => `t${at}`))
  const frames = await lower.frames()
  t.same(
    frames.map(frame => frame.kind === 'covered' && frame.wants.length),
    [LIMITS.MAX_COVER_WANTS, 1],
  )
})

t.test('an event that several wants match goes down once, and so does the end of its topic', async t => {
  const lower = new LowerEnd()
  lower.coversAt = 1
  lower.say(['a', '**'])
  lower.event(2, ['a', '**'])
  for (const want of ['a', '**']) lower.taps.get(want)!.ended('a', 1, 2, 9)
  for (const want of ['a', '**']) lower.taps.get(want)!.ended('b', 2, 5, 10)
  t.match(
    (await lower.frames()).map(({ kind }) => kind),
    ['covered', 'events', 'ended', 'ended'],
  )
})

t.test('a want that is covered farther on than others does not cost them what is still to come', async t => {
  const lower = new LowerEnd()
  lower.coversAt = 1
  lower.say(['a'])
  lower.coversAt = 9
  lower.say(['**'])
  lower.event(5, ['a'])
  t.match(await lower.frames(), [{ wants: ['a'] }, { wants: ['**'] }, { events: [{ sequence: 5 }] }])
})

t.test('behind what was sent nothing is covered until the replica has caught up', async t => {
  const lower = new LowerEnd()
  lower.coversAt = 1
  lower.say(['a', 'b'])
  lower.event(10, ['a'])
  await lower.frames()
  lower.coversAt = undefined
  for (const tap of [...lower.taps.values()]) tap.interrupted!()
  for (const want of ['a', 'b']) lower.cover(8, want)
  lower.event(9, ['a'])
  t.match(await lower.frames(), [{ kind: 'interrupted' }], 'neither doubled nor passed over')
  lower.coversAt = 10
  lower.event(10, ['a'])
  t.match(await lower.frames(), [{ kind: 'covered', wants: ['a', 'b'], position: { sequence: 10 } }])
  lower.coversAt = undefined
  for (const tap of [...lower.taps.values()]) tap.interrupted!()
  lower.cover(9, 'b')
  lower.sequence = 11
  lower.coversAt = 11
  lower.server.beat()
  t.match(
    await lower.frames(),
    [{ kind: 'interrupted' }, { kind: 'covered', wants: ['b'], position: { sequence: 11 } }],
    'also when it caught up with events that nobody here wants',
  )
})

t.test('when the socket is full events are left out, and everything is covered anew', async t => {
  const lower = new LowerEnd()
  lower.coversAt = 1
  lower.say(['a'])
  t.equal((await lower.frames()).length, 1)
  lower.sink.stop()
  lower.event(2, ['a'], 'x'.repeat(200))
  t.match(await lower.frames(), [{ events: [{ sequence: 2 }] }])
  lower.event(3, ['a'])
  lower.say(['b'])
  lower.server.beat()
  t.same(await lower.frames(), [])
  lower.coversAt = 3
  lower.sink.resume()
  t.match(await lower.frames(), [{ kind: 'interrupted' }, { kind: 'covered', wants: ['a', 'b'] }])
  lower.event(4, ['a'])
  t.match(await lower.frames(), [{ events: [{ sequence: 4 }] }])
})

t.test('a refusal is not left out', async t => {
  const lower = new LowerEnd()
  lower.coversAt = 1
  lower.say(['a'])
  lower.sink.stop()
  lower.event(2, ['a'], 'x'.repeat(200))
  await lower.frames()
  lower.say([], [], ['010', '000'])
  t.equal(lower.taps.size, 0)
  t.same(await lower.frames(), [])
  lower.sink.resume()
  t.match(await lower.frames(), [{ kind: 'refused', slot: 7, turn: 2 }])
})

t.test('a socket that takes nothing is given up, one that takes little is not', async t => {
  for (const takes of [true, false]) {
    const lower = new LowerEnd()
    lower.coversAt = 1
    lower.say(['a'])
    await lower.frames()
    lower.sink.stop()
    for (let sequence = 2; sequence < 10; sequence += 1) {
      lower.event(sequence, ['a'])
      await lower.clock.settle()
    }
    for (let beat = 0; beat < 5; beat += 1) {
      if (takes) lower.sink.take()
      lower.server.beat()
      await lower.clock.advance(STALL_MS / 4)
    }
    lower.server.beat()
    t.equal(lower.sink.destroyed, !takes)
    t.equal(lower.server.size, takes ? 1 : 0)
  }
})

t.test('who is below is told of with each update, and when the trunk ends', async t => {
  const lower = new LowerEnd()
  lower.say(['a'], [], ['010', '110'])
  t.same([...lower.server.below(7)], ['010', '110'])
  t.same(lower.changed, [7])
  lower.sink.destroy()
  t.same([...lower.server.below(7)], [])
  t.same(lower.changed, [7, 7])
  t.equal(lower.taps.size, 0)
  t.equal(lower.server.size, 0)
})

t.test('an update that is not what follows ends the trunk', async t => {
  const update = { trunk: 't1', turn: 1, slots: [{ slot: 7, add: ['a'], remove: [], below: ['010'] }] }
  for (const wrong of [
    { ...update, turn: 2 },
    { ...update, slots: [{ ...update.slots[0]!, slot: 8 }] },
  ]) {
    const lower = new LowerEnd()
    t.throws(() => lower.server.say('010', wrong), { code: 'INVALID_REQUEST' })
    t.ok(lower.sink.ended)
    t.throws(() => lower.server.say('010', update), { code: 'INVALID_REQUEST' }, 'there is none any more')
  }
  const lower = new LowerEnd()
  t.throws(() => lower.server.say('010', { ...update, trunk: 't2' }), { code: 'INVALID_REQUEST' })
  t.notOk(lower.sink.ended, 'it was another one that was meant')
  lower.server.close()
  t.ok(lower.sink.ended)
  t.throws(() => lower.server.open('011', 't1', new FakeSink()), { code: 'STOPPING' })
})
