import t from 'tap'
import { Backoff, pause } from '../../clients/typescript/src/backoff.ts'
import { Peers } from '../../clients/typescript/src/peers.ts'

t.test('untried peers are asked soon, a failed round waits longer each time, within a bound', async t => {
  const backoff = new Backoff(2, { retryMinMs: 200, retryMaxMs: 1_000, random: () => 1 })
  const pauses = Array.from({ length: 10 }, () => backoff.nextMs())
  t.same(pauses, [50, 200, 50, 400, 50, 800, 50, 1_000, 50, 1_000])
  backoff.reset()
  t.same([backoff.nextMs(), backoff.nextMs()], [50, 200])
})

t.test('jitter takes up to half of a pause away', async t => {
  t.equal(new Backoff(1, { retryMinMs: 200, random: () => 0 }).nextMs(), 100)
  t.equal(new Backoff(1, { retryMinMs: 200, random: () => 0.5 }).nextMs(), 150)
})

t.test('what a peer asks for is observed once no other is left', async t => {
  const backoff = new Backoff(2, { retryMinMs: 200, random: () => 1 })
  t.same([backoff.nextMs(3_000), backoff.nextMs(3_000)], [50, 3_000])
  backoff.minMs = 1e9
  backoff.reset()
  t.same([backoff.nextMs(), backoff.nextMs()], [50, 10_000], 'never above the longest pause')
})

t.test('many failures do not overflow', async t => {
  const backoff = new Backoff(1, { random: () => 1 })
  for (let count = 0; count < 5_000; count++) backoff.nextMs()
  t.equal(backoff.nextMs(), 10_000)
})

t.test('a pause ends when its signal is aborted', async t => {
  const controller = new AbortController()
  const paused = pause(1e6, controller.signal)
  controller.abort()
  await paused
  await pause(1e6, controller.signal)
  t.pass('ended')
})

t.test('a list of peers stays with one until it fails', async t => {
  const peers = new Peers(['http://a/', 'http://b:1/x/', 'http://a'])
  t.same(peers.urls, ['http://a', 'http://b:1/x'])
  t.equal(peers.current, 'http://a')
  peers.failed('http://a')
  peers.failed('http://a')
  t.equal(peers.current, 'http://b:1/x', 'told twice, moved once')
  peers.failed('http://b:1/x')
  t.equal(peers.current, 'http://a')
})

t.test('what is no list of peers is refused', async t => {
  t.throws(() => new Peers([]), /at least one/)
  t.throws(() => new Peers('peer:5555'), /http/)
  t.throws(() => new Peers('no url'), TypeError)
  t.throws(
    () => new Peers(Array.from({ length: 1_025 }, (_, port) => `http://a:${port + 1}`)),
    /at most 1024/,
  )
})
