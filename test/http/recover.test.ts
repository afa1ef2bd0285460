import t, { type Test } from 'tap'
import { ask, CommandError } from '../../services/peer/commands/ask.ts'
import { parseRecover } from '../../services/peer/commands/commands.ts'
import { recoveryLines, runRecover } from '../../services/peer/commands/recover.ts'
import { ConfigError } from '../../services/peer/config.ts'
import { ERRORS, HypercastError } from '../../services/peer/errors.ts'
import { LIMITS } from '../../services/peer/limits.ts'
import { listen, makeApp } from '../support/app.ts'
import { ROSTER } from '../support/fake-peer.ts'

const PLAN = {
  slots: [
    { slot: 3, peer: '110', term: 1_004, last: 17, lastTerm: 4, corrupt: ['010', '100'] },
    { slot: 5, peer: '110', term: 1_000, last: 0, lastTerm: 0, corrupt: [] },
    { slot: ROSTER.slots, peer: '110', term: 1_002, last: 9, lastTerm: 2, corrupt: [] },
  ],
  kept: 62,
  stuck: [{ slot: 7, corrupt: ['110'] }],
}

async function world(t: Test) {
  const { app, peer } = await makeApp(t)
  peer.membership.recovery = PLAN
  const post = async (payload: object, headers = {}) => {
    const answer = await app.inject({ method: 'POST', url: '/v1/recover', payload, headers })
    return { status: answer.statusCode, body: answer.json() }
  }
  const said: string[] = []
  const { signal } = new AbortController()
  return { app, peer, post, said, tools: { say: (line: string) => void said.push(line), signal, lookMs: 1 } }
}

t.test('without force a recovery is a plan, slot by slot', async t => {
  const { post, peer } = await world(t)
  const { status, body } = await post({ lost: ['001', '111'] })
  t.equal(status, 200)
  t.same(body, {
    done: false,
    version: 1,
    lost: [
      { id: '001', url: 'http://127.0.0.1:5556' },
      { id: '111', url: 'http://127.0.0.1:5562' },
    ],
    slots: [
      { slot: 3, roster: false, action: 'continued', peer: '110', last: 17, corrupt: ['010', '100'] },
      { slot: 5, roster: false, action: 'founded', peer: '110', last: 0, corrupt: [] },
      { slot: 64, roster: true, action: 'continued', peer: '110', last: 9, corrupt: [] },
    ],
    kept: 62,
    stuck: [{ slot: 7, corrupt: ['110'] }],
  })
  t.match(peer.membership.asked, [{ lost: ['001', '111'], force: false, by: '127.0.0.1 at peer 110' }])
  t.match((await post({ lost: ['001'], force: true, by: 'ops@desk' })).body, { done: true })
  t.match(peer.membership.asked.at(-1), { force: true, by: 'ops@desk, 127.0.0.1 at peer 110' })
})

t.test('the note of who asked fits into the roster', async t => {
  const { post, peer } = await world(t)
  const by = 'x'.repeat(LIMITS.MAX_RECOVERED_BY_LENGTH)
  await post({ lost: ['001'], by })
  const longest = (peer.membership.asked.at(-1) as { by: string }).by.length + 'ffff:'.repeat(8).length
  t.ok(longest <= LIMITS.MAX_NOTE_LENGTH)
})

t.test(
  'a recovery that is asked for wrongly is 400, and what it is refused with has its own words',
  async t => {
    const { post, peer } = await world(t)
    for (const [body, words] of [
      [{}, /lacks "lost"/],
      [{ lost: [] }, /"lost"/],
      [{ lost: '001' }, /"lost"/],
      [{ lost: ['2'] }, /"lost/],
      [{ lost: ['0'.repeat(11)] }, /"lost/],
      [{ lost: ['001'], force: 'yes' }, /"force"/],
      [{ lost: ['001'], by: 'x'.repeat(101) }, /"by"/],
      [{ lost: ['001'], now: true }, /"now"/],
    ] as const) {
      const { body: problem } = await post(body)
      t.match(problem, { status: 400, code: 'INVALID_REQUEST', detail: words }, JSON.stringify(body))
    }
    t.match((await post({ lost: ['001'] }, { origin: 'http://evil.example' })).body, {
      code: 'FOREIGN_ORIGIN',
    })
    t.same(peer.membership.asked, [])
    for (const code of ['PEER_NOT_LOST', 'PEER_SILENT', 'RECOVERY_INCOMPLETE', 'CHANGE_UNDER_WAY'] as const) {
      peer.membership.failure = new HypercastError(code, `because of ${code}`)
      const { body } = await post({ lost: ['001'] })
      t.match(body, { code, status: ERRORS[code].status, detail: `because of ${code}` })
    }
  },
)

t.test('recover prints what would be done, changes nothing and says how it is done', async t => {
  const { app, peer, said, tools } = await world(t)
  const { url } = await listen(app)
  const refused = await runRecover({ url, lost: ['001'], force: false }, tools).catch(error => error)
  t.ok(refused instanceof CommandError)
  t.match(
    refused.message,
    /^nothing was changed: .* --force\. What only they had is lost then\. Slots that stay/,
  )
  t.same(said, [
    'slot 3 would go on at peer 110 up to entry 17 of its log: what only the lost, and peer 010, 100 with a corrupt record, had behind it is gone',
    'slot 5 would be founded anew at peer 110, because no copy is left: its topics are gone, it begins empty',
    'the roster would go on at peer 110 up to entry 9 of its log: what only the lost had behind it is gone',
    'slot 7 stays lost: all that is left of it is at peer 110 and has a corrupt record',
    'peer 001 at http://127.0.0.1:5556 would be off the list: empty its data folder before it is started again',
    '62 slots have a majority and are left alone',
  ])
  t.match(peer.membership.asked, [{ lost: ['001'], force: false, by: /@.*, 127\.0\.0\.1 at peer 110$/ }])
})

t.test('recover with force waits until the cube has settled', async t => {
  const { app, peer, said, tools } = await world(t)
  const { url } = await listen(app)
  peer.membership.recovery = { slots: PLAN.slots.slice(0, 2), kept: 63, stuck: [] }
  const answers = [
    { moving: 2, unknown: 1, bytesToMove: 0, behind: 0 },
    { moving: 2, unknown: 0, bytesToMove: 0, behind: 0 },
  ]
  const { progress } = peer.membership
  peer.membership.progress = async deadlineMs => {
    peer.membership.state = answers.shift() ?? { moving: 0, unknown: 0, bytesToMove: 0, behind: 0 }
    return progress.call(peer.membership, deadlineMs)
  }
  await runRecover({ url, lost: ['001'], force: true }, tools)
  t.match(said, [
    /^slot 3 goes on at peer 110 up to entry 17/,
    /^slot 5 is founded anew at peer 110/,
    /^peer 001 .* is off the list/,
    '63 slots have a majority and are left alone',
    /^2 slots, .* still to move; nobody answered for 1 slot$/,
    /^2 slots, .* still to move$/,
    'no slot is still to move',
  ])
})

t.test('recover does not wait for slots that stay lost, and says what helps', async t => {
  const { app, peer, said, tools } = await world(t)
  const { url } = await listen(app)
  peer.membership.state = { moving: 1, unknown: 1, bytesToMove: 0, behind: 0 }
  const failed = await runRecover({ url, lost: ['001'], force: true }, tools).catch(error => error)
  t.ok(failed instanceof CommandError)
  t.match(failed.message, /^Slots that stay lost: 7\. Stop a peer .* and name it as lost as well/)
  t.equal(said.at(-1), '62 slots have a majority and are left alone')
})

t.test('a peer that takes long may still be going on with what it was asked', async t => {
  const { app, peer } = await world(t)
  const { url } = await listen(app)
  let answer = () => {}
  peer.membership.recover = () =>
    new Promise((_, reject) => {
      answer = () => reject(new HypercastError('PEER_SILENT'))
    })
  const asked = ask(
    'POST',
    url,
    '/v1/recover',
    undefined,
    { lost: ['001'] },
    { timeoutMs: 100, late: 'it is late' },
  )
  await t.rejects(asked, new CommandError('it is late'))
  answer()
})

t.test('recover is done when nothing is lost', async t => {
  const { app, peer, said, tools } = await world(t)
  const { url } = await listen(app)
  peer.membership.recovery = { slots: [], kept: 65, stuck: [] }
  peer.current = { ...ROSTER, peers: ROSTER.peers.slice(2) }
  await runRecover({ url, lost: ['001'], force: false }, tools)
  t.same(said, ['no slot has lost its majority (65 looked at)'])
  const nothing = { done: true, version: 1, lost: [], slots: [], kept: 65, stuck: [] }
  t.same(recoveryLines(nothing), said)
})

t.test('the labels of the lost are checked before anybody is asked', async t => {
  t.same(parseRecover({ lost: '011, 101' }), {
    url: 'http://127.0.0.1:5555',
    lost: ['011', '101'],
    force: false,
  })
  const full = { lost: '0', url: 'http://localhost:80/', force: true }
  t.same(parseRecover(full), { url: 'http://localhost', lost: ['0'], force: true })
  for (const lost of ['', '011,', '2', '011;101']) t.throws(() => parseRecover({ lost }), ConfigError, lost)
})
