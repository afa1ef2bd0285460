import { readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { runSeeds } from '../../scripts/lib/sim/pool.ts'
import type { Outcome } from '../../scripts/lib/sim/protocol.ts'
import { runNode } from '../e2e/support.ts'
import { mutate } from './mutants/mutant.ts'
import { MUTANTS } from './mutants/table.ts'
import { REGRESSIONS } from './regressions/table.ts'
import { MAX_STEPS, World } from './world.ts'

const SEEDS = 25
/** A slow machine may take its time: what is tested is what happens, not how fast. */
const TIMEOUT_MS = 230_000

/** Mutants that few seeds show: that the simulator can fail is tested, too. */
const SHOWN_SOON = ['acknowledge before fsync', 'forget producer sequences', 'deliver twice after a resume']

t.setTimeout(TIMEOUT_MS)

t.test('cubes under faults keep their promises and heal', async t => {
  const { code, output } = await sim('--seeds', String(SEEDS), '--jobs', '2')
  ended(t, code, output)
  t.match(output, new RegExp(`^${SEEDS} seeds, .* 0 violations$`, 'm'), `${SEEDS} seeds`)
  const faults = /^faults: (.*)$/m.exec(output)?.[1]?.split(', ') ?? []
  t.ok(faults.length >= 20, faults.join(', '))
})

t.test('the same seed does the same', async t => {
  const { code, output } = await sim('--seeds', '2', '--from', '1001', '--twice')
  ended(t, code, output)
  t.match(output, /^2 seeds were run twice$/m)
})

t.test('another seed does something else', async t => {
  const hashes = []
  for (const seed of ['77', '78']) {
    const { output } = await sim('--seed', seed, '--faults-ms', '500')
    hashes.push(/: hash ([0-9a-f]{16})$/m.exec(output)?.[1])
  }
  t.ok(hashes[0])
  t.not(hashes[0], hashes[1])
})

for (const name of SHOWN_SOON) {
  t.test(`the simulator notices a mutant: ${name}`, async t => {
    const hunt = ['scripts/sim-mutants.ts', '--only', name, '--seeds', '12', '--jobs', '1']
    const { code, output } = await node(hunt)
    ended(t, code, output)
    t.match(output, /^1 of 1 mutants caught/m)
  })
}

t.test('every mutant still has its line', async t => {
  for (const mutant of MUTANTS) {
    const file = new URL(`../../services/peer/${mutant.file}`, import.meta.url)
    const source = readFileSync(file, 'utf8')
    t.not(mutate(source, mutant), source, mutant.name)
  }
  t.equal(new Set(MUTANTS.map(({ name }) => name)).size, MUTANTS.length, 'names are unique')
})

t.test('what was found once stays mended, and would be found again', async t => {
  for (const { seed, mutant, found } of REGRESSIONS) {
    const mended = await sim('--seed', String(seed))
    ended(t, mended.code, `seed ${seed}: ${found}\n${mended.output}`)
    const hunt = ['scripts/sim-mutants.ts', '--only', mutant, '--from', String(seed), '--seeds', '1']
    const again = await node(hunt)
    ended(t, again.code, `seed ${seed} does not show "${mutant}" any more: find another one\n${again.output}`)
  }
})

t.test('a worker that dies or hangs is reported with its seed', async t => {
  const died = await settled('data:text/javascript,process.exit(3)', 60_000)
  t.same(died, [
    { seed: 1, violations: ['its process ended with code 3'] },
    { seed: 2, violations: ['its process ended with code 3'] },
  ])
  const hung = await settled('data:text/javascript,for(;;);', 300)
  t.same(
    hung.map(({ seed }) => seed),
    [1, 2],
  )
  t.match(hung[0]?.violations[0], /SIGKILL \(no answer in 0\.3 s\)/)
})

t.test('a world that never comes to rest ends, and says so', async t => {
  const world = new World()
  let told = 0
  world.onExhausted = () => told++
  const again = () => void world.after(0, again)
  again()
  await world.runUntil(1)
  await world.runUntil(2)
  t.same([told, world.steps, world.nowMs], [1, MAX_STEPS, 2])
})

/** What becomes of two seeds whose workers first import something. */
async function settled(url: string, seedTimeoutMs: number) {
  const outcomes: Outcome[] = []
  const jobs = [1, 2].map(seed => ({ seed, twice: false }))
  await runSeeds(jobs, { jobs: 1, seedTimeoutMs, execArgv: ['--import', url] }, outcome => {
    outcomes.push(outcome)
    return true
  })
  return outcomes.map(({ seed, violations }) => ({ seed, violations }))
}

/** It found nothing; what it said is of interest only when it did. */
function ended(t: Test, code: number | null, output: string): void {
  t.equal(code, 0, code === 0 ? 'exit code 0' : output)
}

function sim(...args: string[]) {
  return node(['scripts/sim.ts', '--jobs', '1', ...args])
}

async function node(args: readonly string[]) {
  const running = runNode(args)
  const { code } = await running.exited
  return { code, output: running.output() + running.errors() }
}
