import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { ask } from '../../scripts/lib/http.ts'
import { freePorts } from '../../scripts/lib/ports.ts'
import { isAlive, runNode, runShell, tableOfPeers } from '../e2e/support.ts'

/** Resolves when none of these processes is there. */
async function allGone(pids: readonly number[]): Promise<void> {
  const deadlineMs = performance.now() + 15_000
  while (pids.some(isAlive)) {
    if (performance.now() > deadlineMs) throw new Error(`still there: ${pids.filter(isAlive)}`)
    await new Promise(wake => setTimeout(wake, 20))
  }
}

function cube(folder: string, basePort: number, ...more: string[]) {
  const folders = ['--data', join(folder, 'data'), '--logs', join(folder, 'logs')]
  return runNode(['scripts/cube.ts', '--peers', '2', '--base-port', String(basePort), ...folders, ...more])
}

t.test(
  'a cube prints its peers, says when it is ready, and stops all of them in order at Ctrl-C',
  async t => {
    const folder = t.testdir()
    const [port] = await freePorts(2)
    const running = cube(folder, port!)
    await running.until(/ready after [\d.]+ s: every slot has its primary/)
    const peers = tableOfPeers(running.output())
    t.same([...peers.keys()], ['0', '1'])
    t.match(
      running.output(),
      new RegExp(`^1 +http://127.0.0.1:${port! + 1} .* 0$`, 'm'),
      'the table has neighbours',
    )
    t.equal((await ask(`http://127.0.0.1:${port}/health/ready`)).status, 200)
    running.child.kill('SIGINT')
    t.same(await running.exited, { code: 0, signal: null })
    t.match(running.output(), /all peers have stopped\n$/)
    t.equal(running.errors(), '')
    t.notOk([...peers.values()].some(({ pid }) => isAlive(pid)))
    t.same(readdirSync(join(folder, 'logs')).sort(), [`peer_node_${port}.log`, `peer_node_${port! + 1}.log`])
  },
)

t.test('a second start with a port in use is one clear line, and nothing is left running', async t => {
  const [port] = await freePorts(2)
  const server = createServer().listen(port! + 1, '127.0.0.1')
  t.teardown(() => server.close())
  const running = cube(t.testdir(), port!)
  t.same(await running.exited, { code: 1, signal: null })
  t.match(
    running.errors(),
    new RegExp(`^port ${port! + 1} is in use: stop what listens there .*--base-port\\n$`),
  )
  t.equal(running.output(), '')
})

t.test('a second start on data in use is one clear line, and the first goes on', async t => {
  const folder = t.testdir()
  const [first] = await freePorts(4)
  const running = cube(folder, first!)
  await running.until(/ready after/)
  const second = cube(folder, first! + 2)
  t.same(await second.exited, { code: 1, signal: null })
  t.match(second.errors(), /^[^\n]*in use[^\n]*\n$/)
  t.equal(second.output(), '')
  t.equal((await ask(`http://127.0.0.1:${first}/health/ready`)).status, 200)
  await t.rejects(ask(`http://127.0.0.1:${first! + 2}/health/live`), 'nothing of the second is left')
  running.child.kill('SIGINT')
  await running.exited
})

t.test('a folder that cannot be written is one clear line', async t => {
  const folder = t.testdir({ file: '' })
  const [port] = await freePorts(2)
  for (const option of ['data', 'logs']) {
    const running = runNode([
      'scripts/cube.ts',
      ...[
        '--peers',
        '2',
        '--base-port',
        String(port),
        '--data',
        join(folder, 'd'),
        '--logs',
        join(folder, 'l'),
      ],
      ...[`--${option}`, join(folder, 'file', 'x')],
    ])
    t.same(await running.exited, { code: 1, signal: null })
    t.match(
      running.errors(),
      new RegExp(`^cannot write to .*file.x \\(\\w+\\): give a writable folder with --${option}\\n$`),
    )
  }
})

t.test('data of a cube of another size is refused with what to do', async t => {
  const folder = t.testdir()
  for (const id of ['000', '001', '010']) mkdirSync(join(folder, 'data', id), { recursive: true })
  const [port] = await freePorts(2)
  const running = cube(folder, port!)
  t.same(await running.exited, { code: 1, signal: null })
  t.match(running.errors(), /^.*holds the cube of 3 peers 000, 001, 010: start it with --peers 3, or .*\n$/)
})

t.test('options that make no sense are refused with code 2', async t => {
  for (const [args, expected] of [
    [['--peers', '0'], /^--peers is "0": give a number from 1 to 16\n$/],
    [['--peers', '17'], /^--peers is "17"/],
    [['--base-port', '65530'], /^--base-port is "65530": give a number from 1 to 65528\n$/],
    [['--bogus'], /^unknown option '--bogus'/],
  ] as const) {
    const running = runNode(['scripts/cube.ts', ...args])
    t.same(await running.exited, { code: 2, signal: null })
    t.match(running.errors(), expected)
  }
})

t.test('SIGTERM stops a cube as well, and an ephemeral one leaves nothing behind', async t => {
  const [port] = await freePorts(2)
  const running = runNode(['scripts/cube.ts', '--peers', '2', '--base-port', String(port), '--ephemeral'])
  await running.until(/ready after/)
  const { data } = tableOfPeers(running.output()).get('0')!
  t.ok(data.startsWith(tmpdir()))
  running.child.kill('SIGTERM')
  t.same(await running.exited, { code: 0, signal: null })
  t.throws(() => readdirSync(data), { code: 'ENOENT' })
})

t.test('a peer that is killed is told with the line that starts it again, and that line does', async t => {
  const folder = t.testdir()
  const [port] = await freePorts(2)
  const running = cube(folder, port!)
  await running.until(/ready after/)
  process.kill(tableOfPeers(running.output()).get('1')!.pid, 'SIGKILL')
  const [, line] = await running.until(
    /peer 1 \(pid \d+\) ended: by SIGKILL\. The others go on\. .*:\n {2}(npx .*)\n/,
  )
  t.ok(isAlive(tableOfPeers(running.output()).get('0')!.pid))
  const again = runShell(`exec node services/peer/bin/hypercast.js ${line!.replace('npx hypercast ', '')}`)
  await again.until(/peer 1 is ready/)
  t.equal((await ask(`http://127.0.0.1:${port! + 1}/health/ready`)).status, 200)
  again.child.kill('SIGTERM')
  t.same(await again.exited, { code: 0, signal: null })
  running.child.kill('SIGINT')
  await running.exited
})

t.test('when every peer has ended by itself the launcher ends too, with a code that says so', async t => {
  const [port] = await freePorts(2)
  const running = cube(t.testdir(), port!)
  await running.until(/ready after/)
  for (const { pid } of tableOfPeers(running.output()).values()) process.kill(pid, 'SIGKILL')
  t.same(await running.exited, { code: 1, signal: null })
  t.equal(running.errors(), 'no peer is left: see their logs\n')
})

t.test('when the launcher is killed its peers stop by themselves', async () => {
  const [port] = await freePorts(2)
  const running = cube(t.testdir(), port!)
  await running.until(/ready after/)
  const pids = [...tableOfPeers(running.output()).values()].map(({ pid }) => pid)
  running.child.kill('SIGKILL')
  await running.exited
  await allGone(pids)
})

t.test('a peer says in one line why it cannot start', async t => {
  const folder = t.testdir({ file: '' })
  const [port] = await freePorts(1)
  const server = createServer().listen(port!, '127.0.0.1')
  t.teardown(() => server.close())
  const peer = (...args: string[]) =>
    runNode([
      'services/peer/bin/hypercast.js',
      ...[
        'peer',
        '--node-id',
        '0',
        '--found',
        '--data',
        join(folder, 'd'),
        '--logs',
        join(folder, 'l'),
        ...args,
      ],
    ])
  const inUse = peer('--port', String(port))
  t.same(await inUse.exited, { code: 1, signal: null })
  t.match(
    inUse.errors(),
    new RegExp(`^hypercast: port ${port} is in use on 127.0.0.1: stop what .*--port\\n$`),
  )
  const unwritable = peer('--logs', join(folder, 'file', 'x'))
  t.same(await unwritable.exited, { code: 1, signal: null })
  t.match(unwritable.errors(), /^hypercast: cannot write logs to .*: give a writable folder with --logs\n$/)
  const exposed = peer('--host', '0.0.0.0')
  t.same(await exposed.exited, { code: 2, signal: null })
  t.match(exposed.errors(), /add --insecure/)
})

t.test('an old Node is told which one to install', async t => {
  const folder = t.testdir()
  const source = readFileSync(new URL('../../services/peer/bin/hypercast.js', import.meta.url), 'utf8')
  const old = source.replace('process.versions.node.split', "'20.1.0'.split")
  t.not(old, source)
  writeFileSync(join(folder, 'hypercast.mjs'), old)
  const running = runNode([join(folder, 'hypercast.mjs'), '--version'])
  t.same(await running.exited, { code: 2, signal: null })
  t.match(running.errors(), /^hypercast needs Node 24 or later and this is v.*\n$/)
})
