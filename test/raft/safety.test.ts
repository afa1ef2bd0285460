import t from 'tap'
import { Chaos } from './chaos.ts'

// RAFT_SEED=17 replays one seed; RAFT_SEEDS=1000 runs that many from a new beginning.
const replay = process.env.RAFT_SEED
const count = Number(process.env.RAFT_SEEDS ?? 60)
const first = replay === undefined ? Math.floor(Math.random() * 1_000_000_000) : Number(replay)
const seeds = replay === undefined ? Array.from({ length: count }, (_, at) => first + at) : [first]

for (const { what, size, steps, isChanging } of [
  { what: '3 members', size: 3, steps: 4_000, isChanging: false },
  { what: '5 members', size: 5, steps: 4_000, isChanging: false },
  { what: 'members that come and go', size: 6, steps: 4_000, isChanging: true },
  { what: 'members that go, are dropped and come again', size: 4, steps: 10_000, isChanging: true },
]) {
  t.test(`${what} under every fault keep the promises of figure 3, and heal afterwards`, t => {
    const sum = {
      committed: 0,
      elections: 0,
      reads: 0,
      crashes: 0,
      snapshots: 0,
      truncations: 0,
      changes: 0,
      drops: 0,
    }
    for (const seed of seeds) {
      try {
        const report = new Chaos(seed, size, isChanging).run(steps)
        for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += report[key]
      } catch (error) {
        t.comment(`replay with RAFT_SEED=${seed}`)
        t.fail(`seed ${seed}: ${(error as Error).stack}`)
        break
      }
    }
    t.comment(`seeds from ${first}: ${JSON.stringify(sum)}`)
    // A run in which nothing happens proves nothing.
    const { changes, drops, ...others } = sum
    t.equal(changes > 0, isChanging)
    if (replay === undefined) t.ok(drops > 0 || size !== 4, 'there were drops')
    if (replay === undefined)
      for (const [what, times] of Object.entries(others)) t.ok(times > 0, `there were ${what}`)
    t.end()
  })
}
