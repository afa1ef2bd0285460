import t from 'tap'
import { latencies } from '../../scripts/lib/bench/figures.ts'
import { Load } from '../../scripts/lib/bench/load.ts'
import { Hypercast } from '../../scripts/lib/bench/servers/hypercast.ts'
import { BareNode } from '../../scripts/lib/bench/servers/node.ts'

const SUBSCRIBERS = 10
const PUBLISHES = 20

t.test('every subscriber of each server has every event once, single and in batches', async t => {
  const load = new Load(2)
  t.teardown(() => load.end())
  const servers = await Promise.all([BareNode.start(), Hypercast.start({ peers: 1 })])
  t.teardown(() => Promise.all(servers.map(server => server.close())))
  for (const server of servers) {
    const { wire, pid } = await server.topic('tiny')
    t.ok(pid > 0)
    await load.open(wire, SUBSCRIBERS, 1)
    await load.measure(0)
    await load.publisher.ask('fill', { wire, from: 1, to: PUBLISHES / 2, batch: 1 })
    await load.publisher.ask('fill', { wire, from: PUBLISHES / 2 + 1, to: PUBLISHES, batch: 5 })
    t.same(await load.settle(PUBLISHES), [], `${server.name} is exact`)
    t.equal(latencies(await load.latencies()).count, SUBSCRIBERS * PUBLISHES)
    await load.close()
    const loop = await server.topic('loop')
    await load.open(loop.wire, SUBSCRIBERS, 1)
    const { events, failures } = await load.publisher.ask('rate', {
      wire: loop.wire,
      ratePerS: 200,
      seconds: 0.1,
      connections: 4,
    })
    t.same([events, failures], [PUBLISHES, []])
    t.same(await load.settle(PUBLISHES), [], `${server.name} is exact under an open loop`)
    await load.close()
    t.equal(server.lost(), undefined)
  }
})
