import t from 'tap'
import { LIMITS } from '../../services/peer/limits.ts'
import type { WantsUpdate } from '../../services/peer/links/trunk-wants.ts'
import type { TrunkFrame } from '../../services/peer/links/trunk-wire.ts'
import { Trunk } from '../../services/peer/streams/trunk.ts'
import { ManualClock } from './clock.ts'

const POSITION = { sequence: 5, index: 9 }
const ALIVE: TrunkFrame = { kind: 'marks', marks: [] }

function covered(turn: number, ...wants: string[]): TrunkFrame {
  return { kind: 'covered', slot: 7, turn, wants, position: POSITION, incarnation: 1, rows: [] }
}

/** A trunk whose upper end is the test. */
class UpperEnd {
  readonly clock = new ManualClock()
  readonly said: WantsUpdate[] = []
  readonly trunk: Trunk
  /** What the lines heard, in words. */
  readonly heard: string[] = []
  over = 0
  /** Answers to updates wait until the test gives them. */
  holds = false
  #answers: { resolve(): void; reject(error: Error): void }[] = []
  #frames: TrunkFrame[][] = [[ALIVE]]
  #wake = () => {}
  #isEnded = false

  constructor() {
    this.trunk = new Trunk({
      ...{ peer: '000', clock: this.clock, random: () => 0.5, log: { debug() {} } },
      links: {
        open: (_peer, _trunk, signal) => this.#open(signal),
        say: (_peer, update) => this.#say(update),
      },
      below: () => ['010'],
      onOver: () => {
        this.over += 1
      },
    })
  }

  attach(name = 'line') {
    return this.trunk.attach(7, {
      frame: frame =>
        this.heard.push(`${name}: ${frame.kind}${frame.kind === 'covered' ? ` ${frame.wants}` : ''}`),
      mark: () => this.heard.push(`${name}: mark`),
      broken: () => this.heard.push(`${name}: broken`),
    })
  }

  async send(...frames: TrunkFrame[]): Promise<void> {
    this.#frames.push(frames)
    this.#wake()
    await this.clock.settle()
  }

  async end(): Promise<void> {
    this.#isEnded = true
    this.#wake()
    await this.clock.settle()
  }

  async answer(error?: Error): Promise<void> {
    const answer = this.#answers.shift()!
    if (error) answer.reject(error)
    else answer.resolve()
    await this.clock.settle()
  }

  #say(update: WantsUpdate): Promise<void> {
    this.said.push(update)
    if (!this.holds) return Promise.resolve()
    return new Promise((resolve, reject) => this.#answers.push({ resolve, reject }))
  }

  async *#open(signal: AbortSignal) {
    signal.addEventListener('abort', () => this.#wake())
    while (!this.#isEnded && !signal.aborted) {
      const frames = this.#frames.shift()
      if (frames) yield frames
      else {
        await new Promise<void>(resolve => {
          this.#wake = resolve
        })
      }
    }
  }
}

t.test('a cover of an earlier want of the same name is not taken for one of the new', async t => {
  const upper = new UpperEnd()
  const line = upper.attach()
  line.add('a')
  await upper.clock.settle()
  await upper.send(covered(1, 'a'))
  line.remove('a')
  line.add('a')
  await upper.send(covered(1, 'a'))
  t.same(upper.heard, ['line: covered a'], 'also while the new one was not told yet')
  t.match(upper.said, [{ turn: 1 }, { turn: 2, slots: [{ add: ['a'], remove: ['a'] }] }])
  await upper.send(covered(1, 'a'))
  t.equal(upper.heard.length, 1)
  await upper.send(covered(2, 'a', 'b'))
  t.same(upper.heard, ['line: covered a', 'line: covered a'])
  upper.trunk.close()
})

t.test('a line does not hear what was meant for the one before', async t => {
  const upper = new UpperEnd()
  const first = upper.attach('first')
  first.add('a')
  await upper.clock.settle()
  first.close()
  const second = upper.attach('second')
  second.add('a')
  await upper.clock.settle()
  t.match(upper.said[1], { turn: 2, slots: [{ add: ['a'], remove: ['a'] }] })
  await upper.send({ kind: 'refused', slot: 7, turn: 1 }, covered(1, 'a'))
  t.same(upper.heard, [])
  await upper.send({ kind: 'refused', slot: 7, turn: 2 })
  t.same(upper.heard, ['second: refused'])
  upper.trunk.close()
})

t.test('updates go one after the other, and what changed back meanwhile is not said', async t => {
  const upper = new UpperEnd()
  upper.holds = true
  const line = upper.attach()
  line.add('a')
  await upper.clock.settle()
  line.add('b')
  line.add('c')
  line.remove('c')
  line.remove('a')
  await upper.clock.settle()
  t.equal(upper.said.length, 1)
  await upper.answer()
  t.match(upper.said, [
    { turn: 1, slots: [{ slot: 7, add: ['a'], remove: [], below: ['010'] }] },
    { turn: 2, slots: [{ slot: 7, add: ['b'], remove: ['a'], below: ['010'] }] },
  ])
  await upper.answer(new Error('lost'))
  t.same(upper.heard, ['line: broken'], 'what became of an update is not known: the trunk is of no more use')
  t.equal(upper.over, 1)
  t.equal(upper.clock.timers, 0)
})

t.test('a trunk that carries nothing is kept a while, for whoever comes again', async t => {
  const upper = new UpperEnd()
  const first = upper.attach()
  first.add('a')
  await upper.clock.settle()
  first.close()
  await upper.clock.advance(LIMITS.TRUNK_IDLE_MS - 1)
  t.match(upper.said.at(-1), { slots: [{ add: [], remove: ['a'] }] })
  const second = upper.attach()
  second.add('a')
  await upper.clock.advance(2 * LIMITS.TRUNK_IDLE_MS)
  t.equal(upper.over, 0)
  second.close()
  await upper.clock.advance(LIMITS.TRUNK_IDLE_MS)
  t.equal(upper.over, 1)
  t.equal(upper.clock.timers, 0)
})

t.test('when the other side ends it all lines are broken, once', async t => {
  const upper = new UpperEnd()
  upper.attach().add('a')
  await upper.end()
  upper.trunk.close()
  t.same(upper.heard, ['line: broken'])
  t.equal(upper.over, 1)
})
