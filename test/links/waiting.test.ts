import t from 'tap'
import { CubeDispatcher } from '../../services/peer/links/dispatcher.ts'
import { ProducerStamps } from '../../services/peer/links/producer.ts'
import type { ForwardedAnswer } from '../../services/peer/links/types.ts'
import type { Request } from '../../services/peer/topics/types.ts'
import { FakeClock } from '../engine/fake-clock.ts'
import { quiet } from './support/cube.ts'

const PATIENCE_MS = 10_000
const roster = {
  ...{ version: 1, clusterId: 'test', dimension: 1, slots: 1 },
  peers: ['0', '1'].map((id, at) => ({ id, uid: `uid-${id}`, number: at + 1, url: `http://${id}.invalid` })),
}
const request: Request = { kind: 'publish', topic: 'sports', events: [{ data: Buffer.from('goal') }] }
const nobody: ForwardedAnswer = { kind: 'exhausted', visited: ['1'], primary: null, definite: true }
const published: ForwardedAnswer = {
  kind: 'answered',
  path: ['0', '1'],
  result: {
    ...{ kind: 'appended', replicas: 2, primary: '1' },
    result: { kind: 'published', incarnation: 1, first: 1, last: 1, sequence: 1, timeMs: 0 },
  },
}

/** A peer whose requests come back from the way at once, without a primary until `hasPrimary`. */
function ingress() {
  const clock = new FakeClock()
  const way = { attempts: 0, hasPrimary: false }
  const dispatcher = new CubeDispatcher({
    self: '0',
    roster: () => roster,
    clock,
    random: () => 0.5,
    log: quiet,
    slots: { holds: () => false, onCubeEvent: () => () => {} } as never,
    router: {
      route: async () => {
        way.attempts++
        return way.hasPrimary ? published : nobody
      },
    } as never,
    edges: { alive: () => true, drop() {} },
    producers: new ProducerStamps({ uid: 'uid-0', boot: 1 }),
  })
  const publish = (count: number) =>
    Array.from({ length: count }, () => dispatcher.append(request, clock.monotonicMs() + PATIENCE_MS))
  return { clock, way, publish, dispatcher }
}

t.test('many that wait for one slot make few attempts together, and all are answered', async t => {
  const alone = ingress()
  const [one] = alone.publish(1)
  await alone.clock.advance(5_000)
  const many = ingress()
  const waiting = many.publish(400)
  await many.clock.advance(5_000)
  t.ok(alone.way.attempts >= 20, `alone it tries ${alone.way.attempts} times in 5 s`)
  t.ok(many.way.attempts < 400 + 16 * alone.way.attempts, `400 try ${many.way.attempts} times`)
  await Promise.all([alone.clock.advance(PATIENCE_MS), many.clock.advance(PATIENCE_MS)])
  for (const { result } of await Promise.all([one!, ...waiting])) {
    t.match(result, { kind: 'failed', code: 'NO_PRIMARY', definite: true })
  }
})

t.test('the first that gets through wakes the others', async t => {
  const { clock, way, publish } = ingress()
  const waiting = publish(400)
  await clock.advance(3_000)
  way.hasPrimary = true
  const before = way.attempts
  let answered = 0
  for (const outcome of waiting) void outcome.then(() => answered++)
  // Far less than the pause of any one of them.
  await clock.advance(250)
  t.equal(answered, 400)
  t.equal(way.attempts - before, 400, 'one attempt each')
})

t.test('a peer that stops lets nobody wait and tries no more', async t => {
  const { clock, way, publish, dispatcher } = ingress()
  const waiting = publish(20)
  await clock.advance(1_000)
  const { attempts } = way
  dispatcher.close()
  for (const { result } of await Promise.all([...waiting, ...publish(1)])) {
    t.match(result, { kind: 'failed', definite: true })
  }
  t.equal(clock.timers, 0)
  await clock.advance(PATIENCE_MS)
  t.equal(way.attempts, attempts)
})
