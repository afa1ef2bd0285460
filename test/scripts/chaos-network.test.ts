import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tap, { type Test } from 'tap'
import { Network } from '../../scripts/lib/chaos/network.ts'

interface Known {
  readonly links: Readonly<Record<string, number>>
  readonly blocked: readonly number[]
}

/** Machines that greet whoever connects with their name. */
async function machines(t: Test, names: readonly string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'hypercast-network-'))
  const network = new Network(folder)
  const servers = new Map<string, Server>()
  const ports = new Map<string, number>()
  const listen = async (name: string, port: number) => {
    const server = createServer(socket => socket.on('error', () => {}).end(name)).listen(port, '127.0.0.1')
    await once(server, 'listening')
    servers.set(name, server)
    ports.set(name, port)
  }
  const add = async (name: string) => {
    const [port] = await network.freePorts(1)
    await listen(name, port!)
    await network.add(name, port!)
  }
  for (const name of names) await add(name)
  t.teardown(() => {
    network.close()
    for (const server of servers.values()) server.close()
    rmSync(folder, { recursive: true })
  })
  const knownTo = (name: string): Known => JSON.parse(readFileSync(network.file(name), 'utf8'))
  /** Where a machine's process connects to when it wants to reach another one. */
  const linkOf = (from: string, to: string) => knownTo(from).links[ports.get(to)!]
  return { network, servers, ports, add, listen, knownTo, linkOf }
}

/** What is said at a port to whoever connects. */
function greeting(port: number | undefined): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const socket: Socket = connect({ port: port!, host: '127.0.0.1' })
    socket.setEncoding('utf8').on('data', part => {
      text += part
    })
    socket.once('error', reject)
    socket.once('end', () => resolve(text))
  })
}

tap.test('a newcomer is reached by all and reaches all, over links of its own', async t => {
  const { add, linkOf, knownTo } = await machines(t, ['one', 'two'])
  t.equal(Object.keys(knownTo('one').links).length, 1)
  await add('three')
  t.equal(await greeting(linkOf('one', 'three')), 'three')
  t.equal(await greeting(linkOf('three', 'two')), 'two')
  t.not(linkOf('one', 'three'), linkOf('two', 'three'))
})

tap.test('a fault on all ways of a machine holds for newcomers, until it ends', async t => {
  const { network, add, ports, knownTo } = await machines(t, ['one', 'two'])
  const fault = {}
  network.shape(fault, [{ from: 'one' }], { held: true })
  await add('three')
  t.same([...knownTo('one').blocked].sort(), [ports.get('two'), ports.get('three')].sort())
  t.same(knownTo('three').blocked, [ports.get('one')])
  t.same(knownTo('two').blocked, [ports.get('one')])
  network.shape(fault, [], undefined)
  t.same(
    ['one', 'two', 'three'].flatMap(name => knownTo(name).blocked),
    [],
  )
})

tap.test('where faults overlap the worst counts, and each ends for itself', async t => {
  const { network, knownTo, ports } = await machines(t, ['one', 'two', 'three'])
  const [deaf, link] = [{}, {}]
  network.shape(deaf, [{ to: 'one' }], { held: true })
  network.shape(link, [{ from: 'one', to: 'two' }], { held: true })
  network.shape(deaf, [], undefined)
  t.same(knownTo('one').blocked, [ports.get('two')])
  t.same(knownTo('three').blocked, [])
})

tap.test('a machine at another port is reached there, over the same links', async t => {
  const { network, servers, listen, linkOf } = await machines(t, ['one', 'two'])
  const before = linkOf('one', 'two')
  servers.get('two')!.close()
  const [port] = await network.freePorts(1)
  await listen('two', port!)
  network.move('two', port!)
  t.equal(linkOf('one', 'two'), before)
  t.equal(await greeting(before), 'two')
})

tap.test('a machine that is gone for good is known to nobody, and nobody listens for it', async t => {
  const { network, linkOf, knownTo } = await machines(t, ['one', 'two', 'three'])
  const link = linkOf('one', 'two')
  network.remove('two')
  t.equal(Object.keys(knownTo('one').links).length, 1)
  await t.rejects(greeting(link), { code: 'ECONNREFUSED' })
})
