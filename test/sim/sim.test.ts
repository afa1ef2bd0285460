import t from 'tap'
import type { LogStore, SlotWrite } from '../../services/peer/store/types.ts'
import { SlotMachine } from '../../services/peer/topics/machine.ts'
import { runSeed } from './run.ts'

const SEEDS = 4
const FAULTS_MS = 10_000
const MAX_SEEDS_UNTIL_FOUND = 10
/** A slow machine may take its time: what is tested is what happens, not how fast. */
const TIMEOUT_MS = 220_000

t.setTimeout(TIMEOUT_MS)

t.test('cubes under faults keep their promises and heal', async t => {
  const faults = new Set<string>()
  let snapshots = 0
  for (let seed = 1; seed <= SEEDS; seed++) {
    const result = await runSeed(seed, { faultsMs: FAULTS_MS })
    t.same(
      result.violations,
      [],
      `seed ${seed}; replay: npm run sim -- --seed ${seed} --faults-ms ${FAULTS_MS} --trace`,
    )
    t.ok(result.events > 0, `${result.events} events acknowledged`)
    for (const kind of Object.keys(result.faults)) faults.add(kind)
    snapshots += result.snapshots
  }
  t.ok(faults.size >= 10, [...faults].join(', '))
  t.ok(snapshots > 0, `${snapshots} snapshots installed`)
})

t.test('the same seed does the same, and another one something else', async t => {
  const short = { faultsMs: 2_000 }
  const [first, again, other] = [await runSeed(77, short), await runSeed(77, short), await runSeed(78, short)]
  t.same(again, first)
  t.not(other.hash, first.hash)
})

t.test('a disk that says durable too early is found out', async t => {
  const wrapStore = (store: LogStore): LogStore =>
    new Proxy(store, {
      get(target, name) {
        if (name === 'write') return (writes: readonly SlotWrite[]) => early(target.write(writes))
        const value = Reflect.get(target, name, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  t.ok(await foundBySeed({ wrapStore }))
})

t.test('a state machine that forgets its producers is found out', async t => {
  const { apply } = SlotMachine.prototype
  t.teardown(() => {
    SlotMachine.prototype.apply = apply
  })
  SlotMachine.prototype.apply = function (index, term, command) {
    const { producer: _, ...rest } = command ?? {}
    return apply.call(this, index, term, command && (rest as typeof command))
  }
  t.ok(await foundBySeed({}))
})

function early(durable: Promise<void>): Promise<void> {
  durable.catch(() => {})
  return Promise.resolve()
}

/** The first seed that notices; undefined when none of some does. */
async function foundBySeed(options: Parameters<typeof runSeed>[1]): Promise<number | undefined> {
  for (let seed = 1; seed <= MAX_SEEDS_UNTIL_FOUND; seed++) {
    const { violations } = await runSeed(seed, { faultsMs: FAULTS_MS, ...options })
    if (violations.length > 0) return seed
  }
  return undefined
}
