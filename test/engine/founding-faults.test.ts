import t from 'tap'
import { listOf, seeded, World } from './founding-world.ts'

const SEEDS = 70
const FAULTY_STEPS = 120

interface Faults {
  readonly wipes: number
}

/**
 * Peers that found while processes crash and return, messages are lost, late or left behind by the dead, and disks
 * are wiped; then all faults end and everybody is started again until each has an outcome.
 */
async function storm(
  seed: number,
  ids: readonly string[],
  { wipes }: Faults,
): Promise<{ world: World; wiped: Set<string> }> {
  const random = seeded(seed)
  const pick = <T>(items: readonly T[]): T | undefined => items[Math.floor(random() * items.length)]
  const world = new World(listOf(...ids))
  const wiped = new Set<string>()
  let wipesLeft = wipes
  for (let taken = 0; taken < FAULTY_STEPS; taken += 1) {
    const id = pick(ids)!
    const chance = random()
    if (!world.alive(id) && chance < 0.3) {
      if (wipesLeft > 0 && world.disks.get(id)!.boot > 0 && random() < 0.3) {
        wipesLeft -= 1
        world.wipe(id)
        wiped.add(id)
      }
      world.start(id)
      await world.settle()
    } else if (world.alive(id) && chance < 0.04) world.crash(id)
    else {
      const step = pick(world.steps)
      if (step !== undefined) await world.take(step, random() < 0.08)
    }
    twoMajorities(world)
  }
  for (const id of ids) if (!world.alive(id)) world.start(id)
  await world.calm()
  // A loss of the founder's last flush is a crash too: whoever it stopped starts again.
  for (const id of ids) if (!world.alive(id)) world.start(id)
  await world.calm()
  return { world, wiped }
}

/** Two rosters, each on the disks of a majority of the stores it names, could both commit: split brain. */
function twoMajorities(world: World): void {
  const holders = new Map<string, number>()
  for (const disk of world.disks.values()) {
    if (!disk.roster?.peers.some(({ uid }) => uid === disk.uid)) continue
    holders.set(disk.roster.clusterId, (holders.get(disk.roster.clusterId) ?? 0) + 1)
  }
  const capable = [...holders.values()].filter(count => count > world.ids.length / 2)
  if (capable.length > 1) world.broken.push('two clusters could commit')
}

for (const ids of [
  ['0', '1'],
  ['00', '01', '10'],
  ['000', '001', '010', '011', '100'],
]) {
  t.test(`${ids.length} peers found exactly one cluster, whoever crashes whenever`, async t => {
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const { world } = await storm(seed, ids, { wipes: 0 })
      if (world.broken.length > 0) t.fail(`seed ${seed}: ${world.broken.join('; ')}`)
      const outcomes = world.outcomes()
      if (world.clusters.size !== 1 || outcomes.get([...world.clusters][0]!)?.length !== ids.length) {
        t.fail(`seed ${seed}: ${JSON.stringify([...outcomes])}, clusters ${[...world.clusters]}`)
      }
    }
    t.pass(`seeds 1 to ${SEEDS}`)
  })

  t.test(`${ids.length} peers of which one loses its disk never part in two`, async t => {
    const seen = new Set<string>()
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const { world, wiped } = await storm(seed, ids, { wipes: 1 })
      if (world.broken.length > 0) t.fail(`seed ${seed}: ${world.broken.join('; ')}`)
      const outcomes = world.outcomes()
      for (const id of outcomes.get('stranger') ?? []) {
        if (!wiped.has(id)) t.fail(`seed ${seed}: ${id} is a stranger though its disk was never lost`)
      }
      const groups = [...outcomes.keys()].filter(key => key !== 'stranger')
      if (groups.length !== 1 || !groups[0]!.startsWith('cluster-')) {
        t.fail(`seed ${seed}: ${JSON.stringify([...outcomes])}`)
      }
      for (const key of outcomes.keys()) seen.add(key === 'stranger' ? key : 'cluster')
    }
    t.same([...seen].sort(), ['cluster', 'stranger'], 'both ends were seen')
  })

  t.test(
    `${ids.length} peers whose disks are lost again and again never let two clusters commit`,
    async t => {
      for (let seed = 1; seed <= SEEDS; seed += 1) {
        const { world } = await storm(seed, ids, { wipes: 6 })
        if (world.broken.length > 0) t.fail(`seed ${seed}: ${world.broken.join('; ')}`)
        if (world.outcomes().has('waiting')) t.fail(`seed ${seed}: ${JSON.stringify([...world.outcomes()])}`)
      }
      t.pass(`seeds 1 to ${SEEDS}`)
    },
  )
}
