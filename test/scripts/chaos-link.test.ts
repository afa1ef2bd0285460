import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import tap, { type Test } from 'tap'
import { Link } from '../../scripts/lib/chaos/link.ts'
import { freePorts } from '../../scripts/lib/ports.ts'

/** What a socket has received so far. */
function received(socket: Socket): () => string {
  let text = ''
  socket.setEncoding('utf8').on('data', part => {
    text += part
  })
  return () => text
}

/** How a connection to a port ends: with an error's code, or in order. */
function dial(port: number): Promise<string> {
  return new Promise(resolve => {
    const socket = connect({ port, host: '127.0.0.1' }).resume()
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.name))
    socket.once('close', () => resolve('closed'))
  })
}

/** Resolves when a socket is closed, with an error or without. */
function closed(socket: Socket): Promise<void> {
  return new Promise(resolve => socket.once('close', () => resolve()))
}

async function until(condition: () => boolean, timeoutMs = 5_000): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs
  while (!condition()) {
    if (performance.now() > deadlineMs) throw new Error('it did not come to this')
    await delay(5)
  }
}

/** A server behind a link, and one connection through it. */
async function linked(t: Test) {
  const [port, target] = (await freePorts(2)) as [number, number]
  const server = createServer({ allowHalfOpen: true }).listen(target, '127.0.0.1')
  await once(server, 'listening')
  const link = new Link(port, target)
  await link.open()
  const near = connect({ port, host: '127.0.0.1' })
  near.on('error', () => {})
  const [far] = (await once(server, 'connection')) as [Socket]
  far.on('error', () => {})
  t.teardown(() => {
    near.destroy()
    far.destroy()
    link.close()
    server.close()
  })
  return { link, near, far, server, port, target }
}

tap.test('a healthy link passes bytes and ends both ways', async t => {
  const { link, near, far } = await linked(t)
  const [atFar, atNear] = [received(far), received(near)]
  near.write('there')
  far.write('back')
  await until(() => atFar() === 'there' && atNear() === 'back')
  near.end()
  await once(far, 'end')
  far.end('last')
  await closed(near)
  t.equal(atNear(), 'backlast')
  await until(() => link.connections === 0)
})

tap.test(
  'a cut holds bytes both ways while the connection stays open, and they arrive when it ends',
  async t => {
    const { link, near, far } = await linked(t)
    const [atFar, atNear] = [received(far), received(near)]
    link.shape('forward', { held: true })
    link.shape('backward', { held: true })
    near.write('there')
    far.write('back')
    await delay(150)
    t.equal(atFar(), '')
    t.equal(atNear(), '')
    t.notOk(near.destroyed || far.destroyed)
    link.heal()
    await until(() => atFar() === 'there' && atNear() === 'back')
  },
)

tap.test('a cut one way holds only that way, and the end of the connection with it', async t => {
  const { link, near, far } = await linked(t)
  const [atFar, atNear] = [received(far), received(near)]
  link.shape('forward', { held: true })
  far.write('back')
  near.end('there')
  await until(() => atNear() === 'back')
  await delay(150)
  t.equal(atFar(), '')
  t.notOk(far.readableEnded)
  link.heal()
  await once(far, 'end')
  t.equal(atFar(), 'there')
})

tap.test('a slow link delays and narrows, and loses and reorders nothing', async t => {
  const { link, near, far } = await linked(t)
  const atFar = received(far)
  link.shape('forward', { delayMs: 120, bytesPerS: 200_000 })
  const sentMs = performance.now()
  const lines = Array.from({ length: 4_000 }, (_, index) => `${index}\n`.padStart(10)).join('')
  near.write(lines.slice(0, 10))
  await until(() => atFar().length >= 10)
  t.ok(performance.now() - sentMs >= 115, 'not before its delay')
  near.write(lines.slice(10))
  await until(() => atFar().length === lines.length)
  t.equal(atFar(), lines)
})

tap.test('more than a window of held bytes makes the sender wait', async t => {
  const { link, near, far } = await linked(t)
  let arrived = 0
  far.on('data', (part: Buffer) => {
    arrived += part.length
  })
  link.shape('forward', { held: true })
  const size = 32 * 1_048_576
  near.write(Buffer.alloc(size))
  await delay(300)
  t.ok(near.writableLength > 0, 'not everything left')
  link.heal()
  await until(() => arrived === size, 20_000)
})

tap.test('a reset ends the connections on both sides', async t => {
  const { link, near, far } = await linked(t)
  const [nearClosed, farClosed] = [closed(near), closed(far)]
  near.resume()
  far.resume()
  link.reset()
  await Promise.all([nearClosed, farClosed])
  t.equal(link.connections, 0)
})

tap.test('a link refuses while its target does, and listens again when that is back', async t => {
  const { near, far, server, port, target } = await linked(t)
  const gone = once(server, 'close')
  server.close()
  near.destroy()
  far.destroy()
  await gone
  // The first may still be taken and reset: by it the link learns.
  while ((await dial(port)) !== 'ECONNREFUSED') await delay(5)
  const back: Server = createServer(socket => socket.on('error', () => {}).end('again')).listen(
    target,
    '127.0.0.1',
  )
  t.teardown(() => back.close())
  while ((await dial(port)) === 'ECONNREFUSED') await delay(20)
  const again = connect({ port, host: '127.0.0.1' })
  const text = received(again)
  await closed(again)
  t.equal(text(), 'again')
})
