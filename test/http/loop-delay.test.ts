import t from 'tap'
import { LoopDelay } from '../../services/peer/http/loop-delay.ts'

/** Turns of an event loop, in milliseconds, as Node's histogram would give them. */
class Turns {
  turns: number[] = []
  get count(): number {
    return this.turns.length
  }
  percentile(percentile: number): number {
    const sorted = this.turns.toSorted((a, b) => a - b)
    return sorted[Math.ceil((percentile / 100) * sorted.length) - 1]! * 1e6
  }
  reset(): void {
    this.turns = []
  }
}

t.test('a loop whose turns are long is behind, until they are short again', async t => {
  const turns = new Turns()
  const delay = new LoopDelay(turns, 100)
  turns.turns = [100, 101, 100]
  t.equal(delay.isBehind(1_000), false)
  turns.turns = [700, 800, 650]
  t.equal(delay.isBehind(1_500), false, 'judged at most once a second')
  t.equal(delay.isBehind(2_000), true)
  turns.turns = [100, 100, 100]
  t.equal(delay.isBehind(3_000), false)
})

t.test('one long stall is not load', async t => {
  const turns = new Turns()
  const delay = new LoopDelay(turns, 100)
  turns.turns = [5_000]
  t.equal(delay.isBehind(6_000), false, 'one turn says nothing')
  turns.turns = [5_000, 100, 100]
  t.equal(delay.isBehind(6_200), false)
})
