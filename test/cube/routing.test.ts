import fc from 'fast-check'
import t from 'tap'
import { links } from '../../services/peer/cube/neighbours.ts'
import type { Cube } from '../../services/peer/cube/placement.ts'
import { nextHops, orderTargets } from '../../services/peer/cube/routing.ts'
import { anyCube, firstPeers, ids, reach } from './cubes.ts'

const everybody = () => true

/** Links by cube, as a peer keeps them for each version of the roster. */
const known = new WeakMap<Cube, ReturnType<typeof links>>()

function linksOf(cube: Cube): ReturnType<typeof links> {
  const all = known.get(cube) ?? links(cube)
  known.set(cube, all)
  return all
}

/** What one walk over the cube came to. */
interface Walk {
  readonly found: boolean
  /** Peers entered, in order; the first is the start. */
  readonly entered: readonly string[]
  readonly hops: number
}

/**
 * The search as the peers do it: each knows only its own links and what it believes about their other ends; `visited`
 * travels with the request, and comes back with the answer of one that found nothing.
 */
function walk(
  cube: Cube,
  from: string,
  target: string,
  alive: (id: string) => boolean,
  believedAlive: (id: string) => boolean = alive,
): Walk {
  const all = linksOf(cube)
  const entered: string[] = []
  let depthAtEnd = 0
  const visit = (
    self: string,
    carried: ReadonlySet<string>,
    depth: number,
  ): { found: boolean; visited: Set<string> } => {
    entered.push(self)
    const visited = new Set([...carried, self])
    if (self === target) {
      depthAtEnd = depth
      return { found: true, visited }
    }
    for (;;) {
      const [next] = nextHops({
        self,
        target,
        dimension: cube.dimension,
        neighbours: all.get(self) ?? [],
        alive: believedAlive,
        visited,
      })
      if (next === undefined) return { found: false, visited }
      visited.add(next)
      if (!alive(next)) continue
      const answer = visit(next, visited, depth + 1)
      if (answer.found) return answer
      for (const id of answer.visited) visited.add(id)
    }
  }
  const { found } = visit(from, new Set(), 0)
  return { found, entered, hops: depthAtEnd }
}

/** A cube, the set of its dead peers, and two live peers. */
const faultyCube = anyCube(2)
  .chain(cube => fc.tuple(fc.constant(cube), fc.subarray(ids(cube)), fc.nat(), fc.nat()))
  .map(([cube, dead, a, b]) => {
    const live = ids(cube).filter(id => !dead.includes(id))
    return { cube, live, from: live[a % live.length], to: live[b % live.length] }
  })
  .filter(({ live }) => live.length >= 1)

t.test(
  'on a healthy cube of any membership every peer is reached in at most d hops, without a detour',
  async t => {
    const check = (cube: Cube) => {
      for (const from of ids(cube)) {
        for (const to of ids(cube)) {
          const { found, hops, entered } = walk(cube, from, to, everybody)
          if (!found || hops > cube.dimension || entered.length !== hops + 1) {
            t.fail(`${from} to ${to}: ${entered.join(' ')}`)
          }
        }
      }
    }
    for (let count = 1; count <= 33; count += 1) check(firstPeers(count))
    fc.assert(fc.property(anyCube(), check), { numRuns: 40 })
  },
)

t.test('on a full cube a request takes as many hops as there are dimensions to cross', async t => {
  const { entered } = walk(firstPeers(8), '000', '110', everybody)
  t.same(entered, ['000', '010', '110'])
})

t.test(
  'every live peer that is connected over live links is reached, nobody else, and nobody twice',
  async t => {
    fc.assert(
      fc.property(faultyCube, ({ cube, live, from, to }) => {
        const alive = (id: string) => live.includes(id)
        const connected = reach(from!, linksOf(cube), alive).has(to!)
        const { found, entered } = walk(cube, from!, to!, alive)
        t.equal(found, connected)
        t.equal(new Set(entered).size, entered.length)
      }),
      { numRuns: 1_000 },
    )
  },
)

t.test('it is reached as well when nobody knows yet who is dead', async t => {
  fc.assert(
    fc.property(faultyCube, ({ cube, live, from, to }) => {
      const alive = (id: string) => live.includes(id)
      const connected = reach(from!, linksOf(cube), alive).has(to!)
      t.equal(walk(cube, from!, to!, alive, everybody).found, connected)
    }),
    { numRuns: 500 },
  )
})

t.test('every pair of live peers finds each other when one or two peers of a 3-cube are dead', async t => {
  const cube = firstPeers(8)
  for (const a of ids(cube)) {
    for (const b of ids(cube)) {
      const alive = (id: string) => id !== a && id !== b
      const live = ids(cube).filter(alive)
      for (const from of live) {
        for (const to of live) {
          const { found, hops } = walk(cube, from, to, alive)
          if (!found || hops > 5) t.fail(`${from} to ${to} without ${a} and ${b}: ${hops} hops`)
        }
      }
    }
  }
})

t.test(
  'live neighbours nearer to the target come first, then the others, never the dead or the visited',
  async t => {
    const at000 = {
      self: '000',
      target: '110',
      dimension: 3,
      neighbours: ['001', '010', '100'],
      alive: everybody,
      visited: new Set<string>(),
    }
    t.same(nextHops(at000), ['010', '100', '001'])
    t.same(nextHops({ ...at000, alive: id => id !== '010' }), ['100', '001'])
    t.same(nextHops({ ...at000, visited: new Set(['010', '100']) }), ['001'])
    t.same(nextHops({ ...at000, visited: new Set(['001', '010', '100']) }), [], 'back')
    t.same(nextHops({ ...at000, target: '100' })[0], '100', 'a neighbour that is the target')
  },
)

t.test('of several targets the living come first, this peer before all, then the fewest hops', async t => {
  const replicas = ['110', '010', '100']
  t.same(orderTargets('010', replicas, 3, everybody), ['010', '110', '100'])
  t.same(orderTargets('011', replicas, 3, everybody), ['010', '110', '100'])
  t.same(
    orderTargets('011', replicas, 3, id => id !== '010'),
    ['110', '100', '010'],
    'what is believed dead stays, last',
  )
  t.same(
    orderTargets('010', replicas, 3, () => false),
    ['010', '110', '100'],
    'this peer needs no belief about itself',
  )
  t.same(orderTargets('000', [], 3, everybody), [])
})
