import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { TestCube } from '../../scripts/lib/test-cube.ts'
import { ROOT, type Running, runShell } from './support.ts'

/** The README's commands that call a peer of the cube that `npm start` makes, in order. */
function commands(): string[] {
  const blocks = readFileSync(join(ROOT, 'README.md'), 'utf8').matchAll(/^```sh\n([\s\S]*?)^```/gm)
  return [...blocks]
    .flatMap(([, block]) => block!.split('\n'))
    .filter(line => /curl |npx hypercast (?:pub|sub) /.test(line))
}

t.test('the commands of the README that publish and subscribe work as they are printed', async t => {
  const cube = await TestCube.start({ peers: 8 })
  t.teardown(() => cube.close())
  const here = (command: string) =>
    command.replace(
      /localhost:(55[56]\d)/g,
      (_, port: string) => `localhost:${cube.plans[Number(port) - 5555]!.port}`,
    )

  const lines = commands()
  t.ok(lines.length >= 17, `${lines.length} commands`)
  t.ok(lines.includes('curl -X PUT localhost:5555/v1/topics/sports'))
  const watching: Running[] = []
  let several: Running | undefined
  const outputs = new Map<string, string>()
  for (const line of lines) {
    // Without npx between them, so that the signal below reaches what follows a topic.
    const command = line.replace(/^npx (?=hypercast sub [^|]*earliest$)/, 'node_modules/.bin/')
    const running = runShell(`${command.includes('|') ? '' : 'exec '}${here(command)}`)
    if (line.startsWith('curl -N')) {
      await running.until(/^id: ?\S+$/m)
      if (line.includes('/v1/events?')) several = running
      else watching.push(running)
      continue
    }
    if (/^npx hypercast sub [^|]*earliest$/.test(line)) {
      await running.until(/"home":3/)
      watching.push(running)
      continue
    }
    t.equal((await running.exited).code, 0, line)
    t.notMatch(running.output(), /"code":/, `${line} is answered without an error`)
    outputs.set(line, running.output())
  }
  t.match(JSON.parse(outputs.get('curl localhost:5555/v1/cube')!).peers.length, 8, 'it shows the cube')
  const expected = [
    'Match Update 1',
    '{"home":2,"away":1}',
    'Match Update 2',
    'Match Update 3',
    '{"home":3,"away":1}',
    '{"minute":45}',
    'Match Update 4',
    'Match Update 5',
    '{"home":3,"away":2}',
  ]
  const printed = [...outputs]
    .filter(([line]) => line.startsWith('npx hypercast sub '))
    .map(([, text]) => text)
  const [last, first] = printed
  t.equal(printed.length, 2)
  t.match(
    last,
    /"data":"Match Update 4"}\n.*"data":"Match Update 5"}\n.*"type":"goal".*"data":{"home":3,"away":2}}\n$/,
  )
  t.equal(first, 'Match Update 1\n')
  t.equal(watching.length, 2)
  for (const { until, output, child, exited } of watching) {
    await until(/"away":2/)
    const lines = output().split('\n').slice(0, -1)
    const isStream = lines.some(line => line.startsWith('data:'))
    const data = isStream ? [...output().matchAll(/^data: ?(.*)$/gm)].map(([, text]) => text) : lines
    t.same(data, expected, 'the subscriber on another peer saw all, live and in order')
    child.kill('SIGTERM')
    t.equal((await exited).signal, isStream ? 'SIGTERM' : null)
  }
  await several!.until(/"data":"Check"/)
  const found = [...several!.output().matchAll(/^data: ?(.*)$/gm)].map(([, text]) => JSON.parse(text!))
  t.match(found, [{ specversion: '1.0', topic: 'news/chess', offset: 1, data: 'Check' }])
  t.equal(found.length, 1, 'the stream of several topics began when it was opened')
  several!.child.kill('SIGTERM')
  await several!.exited
})
