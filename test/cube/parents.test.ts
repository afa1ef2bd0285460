import t from 'tap'
import { formatLabel } from '../../services/peer/cube/labels.ts'
import { neighbours } from '../../services/peer/cube/neighbours.ts'
import { parentsOf } from '../../services/peer/cube/parents.ts'
import { placement } from '../../services/peer/cube/placement.ts'

function cubeOf(count: number, dimension: number) {
  const peers = Array.from({ length: count }, (_, corner) => ({ id: formatLabel(corner, dimension) }))
  return { dimension, peers }
}

t.test('first the neighbour on the way, then the replicas, then the other neighbours', async t => {
  const cube = cubeOf(8, 3)
  const of = (self: string, replicas: string[], alive = (_peer: string) => true) =>
    parentsOf({ ...{ self, replicas, dimension: 3, alive }, neighbours: neighbours(self, cube) })
  t.same(of('111', ['000']), ['110', '000', '101', '011'])
  t.same(of('110', ['000', '010', '100']), ['010', '100', '000', '111'], 'a replica is its own first choice')
  t.same(of('110', ['000', '010', '100'], peer => peer !== '010').slice(0, 2), ['100', '000'])
  t.same(of('000', ['000', '001']).slice(0, 1), ['001'], 'never itself, also where it is to have the slot')
  t.same(of('000', ['000']), [])
})

t.test('first choices lead from everywhere to a replica, whatever the cube', async t => {
  for (let count = 2; count <= 20; count += 1) {
    const dimension = Math.max(1, Math.ceil(Math.log2(count)))
    const cube = cubeOf(count, dimension)
    for (let slot = 0; slot < count; slot += 1) {
      const replicas = placement(slot, cube, 2)
      for (const { id } of cube.peers) {
        let at = id
        for (let hops = 0; !replicas.includes(at); hops += 1) {
          if (hops > dimension) {
            t.fail(`slot ${slot} of ${count} peers: from ${id} no way to ${replicas}`)
            break
          }
          at = parentsOf({
            ...{ self: at, replicas, dimension, alive: () => true },
            neighbours: neighbours(at, cube),
          })[0]!
        }
      }
    }
  }
})
