import fc from 'fast-check'
import t from 'tap'
import { parseLabel } from '../../services/peer/cube/labels.ts'
import { choices, links, neighbours } from '../../services/peer/cube/neighbours.ts'
import { anyCube, firstPeers, ids, reach } from './cubes.ts'

const everybody = () => true

t.test('on a full cube the links are exactly its edges', async t => {
  for (let dimension = 1; dimension <= 6; dimension += 1) {
    const cube = firstPeers(2 ** dimension)
    for (const [id, others] of links(cube)) {
      const expected = Array.from({ length: dimension }, (_, bit) => parseLabel(id) ^ (1 << bit))
      t.same(
        others.map(parseLabel),
        expected.sort((a, b) => a - b),
        `neighbours of ${id}`,
      )
    }
  }
  t.same(neighbours('000', firstPeers(8)), ['001', '010', '100'])
})

t.test('where a neighbour’s corner is empty the peer nearest to it on that side stands in', async t => {
  const cube = firstPeers(5)
  t.same(choices('100', cube), ['001', '010', '000'], '101 is empty, its twin 001 stands in; 110 likewise')
  t.same(choices('001', cube), ['000', '011'], 'nobody differs from 001 first in the highest dimension')
  t.same(neighbours('001', cube), ['000', '011', '100'], 'but 100 chose 001')
  t.same(neighbours('111', cube), [], 'a corner without a peer has no links')
})

t.test('links are symmetric and nobody is its own neighbour', async t => {
  fc.assert(
    fc.property(anyCube(), cube => {
      const all = links(cube)
      t.same([...all.keys()], ids(cube))
      for (const [id, others] of all) {
        t.notOk(others.includes(id))
        for (const other of others) t.ok(all.get(other)?.includes(id), `${id} and ${other}`)
      }
    }),
  )
})

t.test('a peer chooses at most one neighbour for each dimension', async t => {
  fc.assert(
    fc.property(anyCube(), cube => {
      for (const id of ids(cube)) {
        const chosen = choices(id, cube)
        t.ok(chosen.length <= cube.dimension)
        t.equal(new Set(chosen).size, chosen.length)
      }
    }),
  )
})

t.test('a neighbour across a dimension is the peer nearest to the label with that bit flipped', async t => {
  fc.assert(
    fc.property(anyCube(), cube => {
      for (const self of ids(cube)) {
        const expected: string[] = []
        for (let bit = 0; bit < cube.dimension; bit += 1) {
          const flipped = parseLabel(self) ^ (1 << bit)
          const lowBits = (1 << (bit + 1)) - 1
          const peers = cube.peers.filter(({ id }) => ((parseLabel(id) ^ flipped) & lowBits) === 0)
          const byXor = peers
            .map(({ id }) => id)
            .sort((a, b) => (parseLabel(a) ^ flipped) - (parseLabel(b) ^ flipped))
          expected.push(...byXor.slice(0, 1))
        }
        t.same(choices(self, cube), expected, `choices of ${self}`)
      }
    }),
    { numRuns: 60 },
  )
})

t.test(
  'any membership is connected, within d hops of each other, also after the loss of any one peer',
  async t => {
    fc.assert(
      fc.property(anyCube(), cube => {
        const all = links(cube)
        for (const from of ids(cube)) {
          const hops = reach(from, all, everybody)
          t.equal(hops.size, cube.peers.length)
          t.ok(Math.max(...hops.values()) <= cube.dimension)
        }
        for (const lost of ids(cube)) {
          const start = ids(cube).find(id => id !== lost)
          if (start === undefined) continue
          t.equal(reach(start, all, id => id !== lost).size, cube.peers.length - 1, `without ${lost}`)
        }
      }),
      { numRuns: 60 },
    )
  },
)

t.test('peers 0 to N-1 have at most d links, or one more where a stand-in serves several', async t => {
  const beyond: number[] = []
  for (let count = 3; count <= 33; count += 1) {
    const cube = firstPeers(count)
    const most = Math.max(...[...links(cube).values()].map(others => others.length))
    t.ok(most <= cube.dimension + 1, `${count} peers: ${most} links in dimension ${cube.dimension}`)
    if (most > cube.dimension) beyond.push(count)
  }
  t.same(beyond, [7, 11, 13, 14, 15, 19, 21, 22, 23, 25, 26, 27, 28, 29, 30, 31])
})
