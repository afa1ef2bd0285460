import { createHash } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { parseLabel } from '../../services/peer/cube/labels.ts'
import {
  type Cube,
  cornerOf,
  distance,
  home,
  nearest,
  placement,
  replicasOf,
  slotOf,
  successors,
  successorsOf,
} from '../../services/peer/cube/placement.ts'
import type { Roster } from '../../services/peer/cube/roster.ts'
import { rosterOf } from './changes.ts'
import { anyCube, cubeOf, firstPeers, ids } from './cubes.ts'

const SLOTS = 64
const digest = (topic: string) => createHash('sha256').update(topic, 'utf8').digest()

t.test('topics fall on the slots and corners of the design', async t => {
  const cases = [
    ['sports', 30, '110'],
    ['news', 4, '100'],
    ['тема', 32, '000'],
    ['a', 59, '011'],
  ] as const
  for (const [topic, slot, corner] of cases) {
    t.equal(slotOf(digest(topic), SLOTS), slot, topic)
    t.equal(cornerOf(slot, 3), corner, topic)
    t.equal(home(slot, firstPeers(8)), corner, topic)
  }
})

t.test('a slot is read from the last four bytes, wherever the digest lies in its buffer', async t => {
  const bytes = new Uint8Array(40)
  bytes.set(digest('sports'), 5)
  t.equal(slotOf(bytes.subarray(5, 37), SLOTS), 30)
  t.equal(
    slotOf(
      Uint8Array.from({ length: 32 }, () => 255),
      16_384,
    ),
    16_383,
  )
  t.throws(() => slotOf(new Uint8Array(20), SLOTS), RangeError)
})

t.test(
  'replicas on the full cube are the corner and its neighbours across the two highest dimensions',
  async t => {
    const cube = firstPeers(8)
    t.same(placement(0b101, cube, 3), ['101', '001', '111'])
    t.same(placement(0b110, cube, 3), ['110', '010', '100'])
  },
)

t.test('replicas of empty corners are the peers nearest to them', async t => {
  const cube = firstPeers(5)
  t.same(placement(0b101, cube, 3), ['001', '011', '100'])
  t.same(placement(0b110, cube, 3), ['010', '100', '000'])
  t.same(placement(0b111, cube, 3), ['011', '001', '010'])
})

t.test('there are fewer replicas where there are fewer peers', async t => {
  t.same(placement(7, firstPeers(1), 3), ['0'])
  t.same(placement(7, firstPeers(2), 3), ['1', '0'])
  t.same(nearest('000', firstPeers(8), 5), ['000', '100', '010', '110', '001'])
  t.throws(() => home(0, { dimension: 1, peers: [] }), RangeError)
  t.same(successors(0, { dimension: 1, peers: [] }, 3), [])
})

t.test('distance is symmetric, zero only to itself, without ties, and keeps the triangle', async t => {
  const corner = fc.nat(63)
  fc.assert(
    fc.property(corner, corner, corner, (a, b, c) => {
      const ab = distance(a, b, 6)
      t.equal(ab, distance(b, a, 6))
      t.equal(ab === 0, a === b)
      if (b !== c) t.not(ab, distance(a, c, 6))
      t.ok(ab <= distance(a, c, 6) + distance(c, b, 6))
    }),
  )
})

t.test('the highest dimension is the nearest', async t => {
  t.equal(distance(0b000, 0b100, 3), 1)
  t.equal(distance(0b000, 0b010, 3), 2)
  t.equal(distance(0b000, 0b001, 3), 4)
})

t.test('placement does not depend on the order in which peers are listed', async t => {
  fc.assert(
    fc.property(anyCube(), fc.nat(SLOTS - 1), (cube, slot) => {
      const backwards: Cube = { dimension: cube.dimension, peers: [...cube.peers].reverse() }
      t.same(placement(slot, backwards, 3), placement(slot, cube, 3))
    }),
  )
})

t.test('a peer on the slot’s own corner is its home, and the replicas ascend in distance', async t => {
  fc.assert(
    fc.property(anyCube(), fc.nat(SLOTS - 1), (cube, slot) => {
      const corner = cornerOf(slot, cube.dimension)
      const replicas = placement(slot, cube, 3)
      t.equal(replicas.length, Math.min(3, cube.peers.length))
      if (ids(cube).includes(corner)) t.equal(replicas[0], corner)
      const far = replicas.map(id => distance(parseLabel(id), parseLabel(corner), cube.dimension))
      t.same(
        far,
        [...far].sort((a, b) => a - b),
      )
    }),
  )
})

t.test('homes per peer stay within a factor of 2 for peers 0 to N-1', async t => {
  for (let count = 1; count <= 33; count += 1) {
    const homes = countHomes(firstPeers(count))
    const most = Math.max(...homes.values())
    const least = Math.min(...homes.values())
    t.equal(homes.size, count, `${count} peers: each is home to some slot`)
    t.ok(most <= 2 * least, `${count} peers: ${least} to ${most} slots`)
  }
})

t.test('when one joins, at most the ideal share of homes moves, and only to the newcomer', async t => {
  for (let count = 1; count <= 32; count += 1) {
    const before = firstPeers(count)
    const after = firstPeers(count + 1)
    let moved = 0
    for (let slot = 0; slot < SLOTS; slot += 1) {
      const from = parseLabel(home(slot, before))
      const to = parseLabel(home(slot, after))
      if (from === to) continue
      moved += 1
      if (to !== count) t.fail(`slot ${slot} moved to old peer ${to} when ${count} joined`)
    }
    t.ok(moved <= SLOTS / (count + 1), `${count} + 1 peers: ${moved} of ${SLOTS} homes move`)
  }
})

t.test('the home comes first in the order of succession, and all replicas are in it', async t => {
  fc.assert(
    fc.property(anyCube(), fc.nat(SLOTS - 1), (cube, slot) => {
      const order = successors(slot, cube, 3)
      t.equal(order[0], home(slot, cube))
      t.same([...order].sort(), placement(slot, cube, 3).sort())
    }),
  )
})

t.test('the slots of a dead home are shared evenly by its other replicas', async t => {
  for (const [cube, replicas] of [
    [firstPeers(8), 3],
    [firstPeers(4), 3],
    [firstPeers(16), 5],
    [cubeOf(3, [0, 1, 2, 3, 4]), 3],
  ] as const) {
    for (let corner = 0; corner < 2 ** cube.dimension; corner += 1) {
      const takers = new Map<string, number>()
      let slots = 0
      for (let slot = corner; slot < SLOTS; slot += 2 ** cube.dimension) {
        const next = successors(slot, cube, replicas)[1]!
        takers.set(next, (takers.get(next) ?? 0) + 1)
        slots += 1
      }
      const others = Math.min(replicas, cube.peers.length) - 1
      t.equal(takers.size, others, `corner ${corner}: ${others} successors take part`)
      for (const [id, share] of takers) {
        t.ok(Math.abs(share - slots / others) < 1, `corner ${corner}: ${id} takes ${share} of ${slots}`)
      }
    }
  }
})

t.test('slots of one home rotate, and slots with the same place in their round do not', async t => {
  const cube = firstPeers(8)
  t.same(successors(0b101, cube, 3), ['101', '001', '111'])
  t.same(successors(0b101 + 8, cube, 3), ['101', '111', '001'])
  t.same(successors(0b101 + 16, cube, 3), ['101', '001', '111'])
})

function countHomes(cube: Cube): Map<string, number> {
  const homes = new Map<string, number>()
  for (let slot = 0; slot < SLOTS; slot += 1) {
    const id = home(slot, cube)
    homes.set(id, (homes.get(id) ?? 0) + 1)
  }
  return homes
}

const COUNTS = { REPLICAS: 3, ROSTER_REPLICAS: 5 }
const eight = ['000', '001', '010', '011', '100', '101', '110', '111']
const withSlots = (roster: Roster): Roster => ({ ...roster, slots: SLOTS })

t.test('under a roster nobody leaves, a slot lies where its corner and the ids put it', async t => {
  const roster = withSlots(rosterOf(3, eight))
  for (let slot = 0; slot < SLOTS; slot += 1) {
    t.same(replicasOf(slot, roster, COUNTS), placement(slot, roster, 3))
    t.same(successorsOf(slot, roster, COUNTS), successors(slot, roster, 3))
  }
})

t.test('nothing is placed on a peer that leaves', async t => {
  const roster = withSlots(rosterOf(3, eight, ['101', '000']))
  const left = cubeOf(3, [1, 2, 3, 4, 6, 7])
  t.same(replicasOf(0b101, roster, COUNTS), placement(0b101, left, 3))
  t.same(replicasOf(0b101, roster, COUNTS), ['001', '111', '011'])
  for (let slot = 0; slot <= SLOTS; slot += 1) {
    const held = [...replicasOf(slot, roster, COUNTS), ...successorsOf(slot, roster, COUNTS)]
    t.notOk(held.includes('101') || held.includes('000'))
  }
})

t.test('the roster lies on the five peers nearest corner 0, which take it over in that order', async t => {
  const roster = withSlots(rosterOf(3, eight))
  t.same(replicasOf(SLOTS, roster, COUNTS), ['000', '100', '010', '110', '001'])
  t.same(successorsOf(SLOTS, roster, COUNTS), replicasOf(SLOTS, roster, COUNTS))
  t.same(replicasOf(SLOTS, withSlots(rosterOf(2, ['01', '10', '11'], ['10'])), COUNTS), ['01', '11'])
})

t.test('there is no slot beyond the one of the roster', async t => {
  const roster = withSlots(rosterOf(3, eight))
  for (const slot of [SLOTS + 1, -1, 0.5, Number.NaN]) {
    t.throws(() => replicasOf(slot, roster, COUNTS), RangeError)
    t.throws(() => successorsOf(slot, roster, COUNTS), RangeError)
  }
})

t.test('a cube that has grown places by the values of its ids, however wide they are', async t => {
  fc.assert(
    fc.property(anyCube(2), fc.nat(SLOTS - 1), (cube, slot) => {
      const narrow = ids(cube).map(id => id.replace(/^0+(?=.)/, ''))
      const wide = (peers: readonly string[]) => peers.map(id => id.padStart(cube.dimension, '0'))
      const [written, grown] = [rosterOf(cube.dimension, ids(cube)), rosterOf(cube.dimension, narrow)].map(
        withSlots,
      )
      for (const place of [replicasOf, successorsOf]) {
        t.same(wide(place(slot, grown!, COUNTS)), place(slot, written!, COUNTS))
        t.same(wide(place(SLOTS, grown!, COUNTS)), place(SLOTS, written!, COUNTS))
      }
    }),
  )
})
