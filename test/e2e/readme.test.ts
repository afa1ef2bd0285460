import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { TestCube } from '../../scripts/lib/test-cube.ts'
import { ROOT, type Running, runShell } from './support.ts'

/** The README's commands that call a peer, in order. */
function commands(): string[] {
  const blocks = readFileSync(join(ROOT, 'README.md'), 'utf8').matchAll(/^```sh\n([\s\S]*?)^```/gm)
  return [...blocks].flatMap(([, block]) => block!.split('\n')).filter(line => line.includes('curl '))
}

t.test('the curl commands of the README work as they are printed', async t => {
  const cube = await TestCube.start({ peers: 8 })
  t.teardown(() => cube.close())
  const here = (command: string) =>
    command.replace(
      /localhost:(55[56]\d)/g,
      (_, port: string) => `localhost:${cube.plans[Number(port) - 5555]!.port}`,
    )

  const lines = commands()
  t.ok(lines.length >= 8, `${lines.length} commands`)
  t.ok(lines.includes('curl -X PUT localhost:5555/v1/topics/sports'))
  const watching: Running[] = []
  const outputs: string[] = []
  for (const line of lines) {
    const running = runShell(`${line.includes('|') ? '' : 'exec '}${here(line)}`)
    if (line.startsWith('curl -N')) {
      await running.until(/^id: ?\S+$/m)
      watching.push(running)
      continue
    }
    t.equal((await running.exited).code, 0, line)
    t.notMatch(running.output(), /"code":/, `${line} is answered without an error`)
    outputs.push(running.output())
  }
  t.match(JSON.parse(outputs.at(-1)!).peers.length, 8, 'the last shows the cube')
  const expected = [
    'Match Update 1',
    '{"home":2,"away":1}',
    'Match Update 2',
    'Match Update 3',
    '{"home":3,"away":1}',
  ]
  t.ok(watching.length > 0)
  for (const { until, output, child, exited } of watching) {
    await until(/"home":3/)
    const data = [...output().matchAll(/^data: ?(.*)$/gm)].map(([, text]) => text)
    t.same(data, expected, 'the subscriber on another peer saw all, live and in order')
    child.kill('SIGTERM')
    await exited
  }
})
