import t from 'tap'
import type { Roster } from '../../services/peer/cube/roster.ts'
import { HypercastError } from '../../services/peer/errors.ts'
import { JoinError, Joining, type JoiningOptions } from '../../services/peer/membership/joining.ts'
import { FakeClock } from '../engine/fake-clock.ts'

const VIA = 'http://127.0.0.1:1'
const quiet = { debug() {}, info() {}, warn() {}, error() {} }

function rosterWith(uid: string): Roster {
  return {
    version: 2,
    clusterId: 'c',
    dimension: 1,
    slots: 4,
    peers: [
      { id: '0', uid: 'first', number: 1, url: 'http://127.0.0.1:1' },
      { id: '1', uid, number: 2, url: 'http://127.0.0.1:2' },
    ],
  }
}

const problem = (status: number, code: string) => ({ status, body: { code, detail: `because of ${code}` } })

/** A store that joins a cluster which answers as told, one answer after the other. */
function joiner(answers: (() => { status: number; body: unknown })[], change: Partial<JoiningOptions> = {}) {
  const clock = new FakeClock()
  const asked: object[] = []
  const written: Roster[] = []
  const abort = new AbortController()
  const joining = new Joining({
    via: VIA,
    url: 'http://127.0.0.1:2',
    formats: { oldest: 1, newest: 2 },
    store: {
      identity: { uid: 'me', boot: 1 },
      writeRoster: async roster => void written.push(roster),
    },
    ask: async (_via, wish) => {
      asked.push(wish)
      return answers[Math.min(asked.length, answers.length) - 1]!()
    },
    identify: async () => ({ uid: 'another' }),
    clock,
    log: quiet,
    ...change,
  })
  return { clock, asked, written, abort, run: joining.run(abort.signal) }
}

t.test('a store that is taken in keeps the roster before it says so', async t => {
  const { run, asked, written } = joiner([() => ({ status: 201, body: { roster: rosterWith('me') } })], {
    id: '1',
    slots: 4,
  })
  t.same(await run, rosterWith('me'))
  t.same(written, [rosterWith('me')])
  t.same(asked, [{ uid: 'me', url: 'http://127.0.0.1:2', id: '1', slots: 4, format: 2, oldestFormat: 1 }])
})

t.test('what passes by itself is waited for, with the same wish each time', async t => {
  const { run, clock, asked } = joiner([
    () => {
      throw new Error('connect ECONNREFUSED')
    },
    () => problem(409, 'CHANGE_UNDER_WAY'),
    () => problem(503, 'NO_PRIMARY'),
    () => problem(504, 'OUTCOME_UNKNOWN'),
    () => ({ status: 200, body: { roster: rosterWith('me') } }),
  ])
  await clock.advance(10_000)
  t.equal((await run).version, 2)
  t.equal(asked.length, 5)
  t.equal(new Set(asked.map(wish => JSON.stringify(wish))).size, 1)
})

t.test('a refusal for good ends it with what the cluster said', async t => {
  for (const code of ['LABEL_TAKEN', 'ADDRESS_UNREACHABLE', 'JOIN_REFUSED']) {
    const { run, written, clock } = joiner([() => problem(409, code)])
    run.catch(() => {})
    await clock.advance(60_000)
    await t.rejects(run, { name: 'JoinError', message: new RegExp(`because of ${code}`) })
    t.same(written, [])
  }
})

t.test('an answer that does not name this store, or is none, is not believed', async t => {
  for (const body of [{ roster: rosterWith('another') }, { roster: { version: 1 } }, null, 'text']) {
    const { run, written } = joiner([() => ({ status: 201, body })])
    const error = await run.catch(reason => reason)
    t.ok(error instanceof JoinError && error instanceof HypercastError, JSON.stringify(body))
    t.same(written, [])
  }
})

t.test('a peer that stops stops joining', async t => {
  const { run, clock, abort } = joiner([() => problem(503, 'NO_PRIMARY')])
  const ended = t.rejects(run, { message: 'enough' })
  await clock.advance(1_000)
  abort.abort(new Error('enough'))
  await clock.advance(1_000)
  await ended
})

t.test('an address that is not reached once may be an accident', async t => {
  const { run, clock } = joiner([
    () => problem(422, 'ADDRESS_UNREACHABLE'),
    () => ({ status: 201, body: { roster: rosterWith('me') } }),
  ])
  await clock.advance(5_000)
  t.equal((await run).version, 2)
})

t.test('a peer that is told to join itself says so', async t => {
  const { run } = joiner([], { identify: async () => ({ uid: 'me' }) })
  await t.rejects(run, { name: 'JoinError', message: /is this peer itself/ })
})
