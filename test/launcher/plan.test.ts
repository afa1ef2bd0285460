import t from 'tap'
import { parsePeerArguments } from '../../services/peer/arguments.ts'
import { commandLine, cubeLabels, planCube } from '../../services/peer/launcher/plan.ts'

t.test('labels are as wide as the cube needs, also when the number of peers is no power of two', async t => {
  t.same(cubeLabels(1), ['0'])
  t.same(cubeLabels(2), ['0', '1'])
  t.same(cubeLabels(3), ['00', '01', '10'])
  t.same(cubeLabels(5), ['000', '001', '010', '011', '100'])
  t.equal(cubeLabels(8).at(-1), '111')
  t.equal(cubeLabels(9).at(-1), '1000')
  t.equal(cubeLabels(16).at(-1), '1111')
})

t.test('the plan of each size is one that every peer takes', async t => {
  for (let peers = 1; peers <= 16; peers += 1) {
    const ports = Array.from({ length: peers }, (_, index) => 5555 + index)
    for (const plan of planCube({ ports, data: '/tmp/a b', logs: 'logs' })) {
      const config = parsePeerArguments(plan.arguments.slice(1), {})
      t.match(config, {
        nodeId: plan.id,
        port: plan.port,
        url: plan.url,
        data: plan.data,
        found: peers === 1,
      })
      t.equal(config.peers.length, peers)
    }
  }
})

t.test('the command line of a peer leaves out what is the default and quotes what needs it', async t => {
  const [first] = planCube({ ports: [5555, 5556], data: 'data', logs: 'logs' })
  t.equal(
    commandLine(first!),
    'npx hypercast peer --node-id 0 --port 5555 --peers 0=http://127.0.0.1:5555,1=http://127.0.0.1:5556',
  )
  const [spaced] = planCube({ ports: [5555], data: "it's here", logs: '/var/log' })
  t.equal(
    commandLine(spaced!),
    `npx hypercast peer --node-id 0 --port 5555 --found --data 'it'\\''s here/0' --logs /var/log`,
  )
})
