import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { freePorts } from '../../scripts/lib/ports.ts'
import { ROOT, runShell } from '../e2e/support.ts'

/** Runs a command to its end and fails the test with all it said when its code is not 0. */
async function run(t: { fail(message: string): void }, command: string, cwd: string): Promise<string> {
  const running = runShell(command, { cwd })
  const { code } = await running.exited
  if (code !== 0) t.fail(`${command} ended with ${code}:\n${running.output()}\n${running.errors()}`)
  return running.output()
}

const USE_THE_CLIENT = `
import { PeerClient, Publisher, Subscriber } from '@hypercast/client'
import { SharedSubscriber } from '@hypercast/client/shared'
const url = process.argv[2]
await new PeerClient(url).createTopic('sports')
const subscriber = new Subscriber(url, 'sports', { from: 'earliest' })
const { offset } = await new Publisher(url, 'sports').publish('Match Update 1')
for await (const event of subscriber) {
  console.log(offset, event.offset, event.data)
  break
}
for await (const event of new SharedSubscriber(url, ['sports'], { from: 'earliest' })) {
  console.log(event.topic, event.offset)
  break
}
`

t.test('the packed peer and client install and run in an empty folder', async t => {
  const folder = t.testdir({ packed: {}, empty: { 'package.json': '{"private":true,"type":"module"}' } })
  const packed = join(folder, 'packed')
  const empty = join(folder, 'empty')
  for (const workspace of ['@hypercast/peer', '@hypercast/client']) {
    await run(t, `npm pack --silent --workspace ${workspace} --pack-destination '${packed}'`, ROOT)
  }
  const tarballs = readdirSync(packed).sort()
  t.match(tarballs, [/^hypercast-client-.*\.tgz$/, /^hypercast-peer-.*\.tgz$/])
  await run(
    t,
    `npm install --no-audit --no-fund --prefer-offline ${tarballs.map(name => `'${join(packed, name)}'`).join(' ')}`,
    empty,
  )

  t.match(await run(t, 'npx hypercast peer --help', empty), /--node-id <label>/)
  const [port] = await freePorts(1)
  // Without npx between them, so that the signal below reaches the launcher.
  const cube = runShell(`exec node_modules/.bin/hypercast cube --peers 1 --base-port ${port}`, { cwd: empty })
  await cube.until(/every slot has its primary/)
  writeFileSync(join(empty, 'use-the-client.js'), USE_THE_CLIENT)
  t.equal(
    await run(t, `node use-the-client.js http://127.0.0.1:${port}`, empty),
    '1 1 Match Update 1\nsports 1\n',
  )
  cube.child.kill('SIGTERM')
  t.equal((await cube.exited).code, 0)
})
