import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { CommandError } from '../../services/peer/commands/ask.ts'
import { parseLeave } from '../../services/peer/commands/commands.ts'
import { runLeave } from '../../services/peer/commands/leave.ts'
import { peerTable, progressLine, runPeers } from '../../services/peer/commands/peers.ts'
import { ConfigError } from '../../services/peer/config.ts'
import type { PeerId } from '../../services/peer/cube/labels.ts'
import { HypercastError } from '../../services/peer/errors.ts'
import { listen, makeApp } from '../support/app.ts'
import { type FakePeer, ROSTER } from '../support/fake-peer.ts'

const PROGRAM = fileURLToPath(new URL('../../services/peer/bin/hypercast.js', import.meta.url))

/** A peer that is asked over the network, and what the commands say. */
async function world(t: Test) {
  const { app, peer } = await makeApp(t)
  const { url } = await listen(app)
  const said: string[] = []
  return { peer, url, said, say: (line: string) => void said.push(line) }
}

function drop(peer: FakePeer, id: PeerId): void {
  const roster = peer.current!
  peer.current = {
    ...roster,
    version: roster.version + 1,
    peers: roster.peers.filter(one => one.id !== id),
  }
}

/** What `work` is refused with: one line. */
async function refusal(t: Test, work: Promise<void>): Promise<string> {
  try {
    await work
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
    t.notMatch(error.message, /\n/, 'it is one line')
    return error.message
  }
  return ''
}

t.test('peers prints a table, and what is still to move', async t => {
  const { peer, url, said, say } = await world(t)
  peer.statuses.set('001', 'down')
  peer.membership.state = { moving: 12, bytesToMove: 13_000_000, behind: 0, unknown: 0 }
  await peer.membership.leave('001', { force: false, by: 'me' }, 0)
  await runPeers(url, say)
  t.equal(said.length, 10)
  t.equal(said[0], 'id   url                    status  leaving  homes  primaries')
  t.equal(said[1], '000  http://127.0.0.1:5555  up      no       8      0')
  t.equal(said[2], '001  http://127.0.0.1:5556  down    yes      0      0')
  t.match(said[7], /^110 .* self {4}no {7}8 {6}63$/)
  t.equal(said[9], '12 slots, 12.4 MiB still to move')
})

t.test('a cluster of one or two peers is told that it does not survive a failure', async t => {
  const { peer, url, said, say } = await world(t)
  for (const [count, words] of [
    [1, /^a cluster of one peer does not survive a failure/],
    [2, /^a cluster of 2 peers does not survive/],
    [3, /^no slot is still to move$/],
  ] as const) {
    peer.current = { ...ROSTER, peers: ROSTER.peers.slice(-count) }
    await runPeers(url, say)
    t.match(said.at(-1), words)
  }
})

t.test('replicas that are down or behind are told of, since no other peer may be stopped then', async t => {
  const { peer, url, said, say } = await world(t)
  for (const [behind, words] of [
    [0, 'no slot is still to move'],
    [1, '1 replica is down or still behind: stop no other peer until none is'],
    [24, '24 replicas are down or still behind: stop no other peer until none is'],
  ] as const) {
    peer.membership.state = { moving: 0, bytesToMove: 0, behind, unknown: 0 }
    await runPeers(url, say)
    t.equal(said.at(-1), words)
  }
})

t.test('slots that nobody answered for are never passed over as settled', async t => {
  const line = (moving: number, unknown: number, bytesToMove = 0) =>
    progressLine({ moving, bytesToMove, unknown })
  t.equal(line(0, 0), 'no slot is still to move')
  t.equal(line(1, 0), '1 slot, 0 B still to move')
  t.equal(line(1, 0, 1_023), '1 slot, 1023 B still to move')
  t.equal(line(2, 0, 1_024), '2 slots, 1.0 KiB still to move')
  t.equal(line(2, 0, 300_000_000_000), '2 slots, 279 GiB still to move')
  t.equal(line(0, 64), 'nobody answered for 64 slots')
  t.equal(line(3, 1, 5_000), '3 slots, 4.9 KiB still to move; nobody answered for 1 slot')
  const nobody = peerTable({ peers: [], format: 1, moving: 0, bytesToMove: 0, behind: 0, unknown: 0 })
  t.same(nobody, ['id  url  status  leaving  homes  primaries'])
})

t.test(
  'leave asks, tells the progress once for each step, and ends when the peer is off the list',
  async t => {
    const { peer, url, said } = await world(t)
    const asked = peer.membership.asked
    peer.membership.state = { moving: 20, bytesToMove: 2_048, behind: 0, unknown: 0 }
    let looks = 0
    const progress = peer.membership.progress.bind(peer.membership)
    peer.membership.progress = async deadlineMs => {
      looks += 1
      const { moving } = peer.membership.state
      peer.membership.state = {
        moving: looks >= 3 ? 1 : moving,
        bytesToMove: 2_048 - 20 * looks,
        behind: 0,
        unknown: 0,
      }
      if (looks === 25) drop(peer, '101')
      return progress(deadlineMs)
    }
    const { signal } = new AbortController()
    await runLeave({ url, id: '101', force: true }, { say: line => said.push(line), signal, lookMs: 1 })
    t.match(asked[0], { id: '101', force: true })
    t.same(said, [
      'peer 101 at http://127.0.0.1:5560 is leaving: its slots move to the others',
      '20 slots, 2.0 KiB still to move',
      '1 slot, 1.9 KiB still to move',
      '1 slot, 1.8 KiB still to move',
      '1 slot, 1.6 KiB still to move',
      'peer 101 is off the list',
    ])
    t.equal(looks, 25)
  },
)

t.test(
  'leave goes on when another store takes the label, and asks another peer than the one that leaves',
  async t => {
    const one = await world(t)
    const other = await world(t)
    const roster = {
      ...ROSTER,
      peers: [
        { id: '000', uid: 'uid-other', number: 1, url: other.url },
        { id: '110', uid: 'uid-leaver', number: 2, url: one.url },
      ],
    }
    one.peer.current = roster
    other.peer.current = roster
    other.peer.membership.progress = async () => {
      const peers = roster.peers.map(peer => (peer.id === '110' ? { ...peer, uid: 'uid-next' } : peer))
      other.peer.current = { ...roster, peers }
      return { moving: 0, bytesToMove: 0, behind: 0, unknown: 0 }
    }
    // The one that leaves would say for ever that it is listed.
    const say = (line: string) => void one.said.push(line)
    await runLeave(
      { url: one.url, id: '110', force: false },
      { say, signal: new AbortController().signal, lookMs: 1 },
    )
    t.equal(one.said.at(-1), 'peer 110 is off the list')
  },
)

t.test('an end of the waiting is no end of the leaving, and is said to be none', async t => {
  const { peer, url, said } = await world(t)
  const aborter = new AbortController()
  const say = (line: string) => {
    said.push(line)
    if (said.length === 2) aborter.abort()
  }
  const message = await refusal(
    t,
    runLeave({ url, id: '101', force: false }, { say, signal: aborter.signal, lookMs: 60_000 }),
  )
  t.equal(message, 'stopped: peer 101 goes on leaving, "hypercast peers" shows it')
  t.ok(peer.current?.peers[5]?.leaving)
})

t.test('what a peer refuses is one line with what to do', async t => {
  const { peer, url, say } = await world(t)
  const leave = (id: string) =>
    refusal(t, runLeave({ url, id, force: false }, { say, signal: new AbortController().signal, lookMs: 1 }))
  t.equal(
    await leave('111111'),
    'The roster lists no peer "111111". GET /v1/peers lists the peers. (UNKNOWN_PEER)',
  )
  peer.membership.failure = new HypercastError('LAST_PEER', 'Peer 101 is the last one.')
  t.match(await leave('101'), /^Peer 101 is the last one\. Let another peer join first.* \(LAST_PEER\)$/)
  peer.current = null
  t.match(await refusal(t, runPeers(url, say)), /does not know its cube yet .*\(NOT_FOUNDED\)$/)
})

t.test('where no peer is, it is said so', async t => {
  const say = () => t.fail('nothing is printed')
  const server = createServer((_request, response) => response.end('<html>')).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  t.match(await refusal(t, runPeers(url, say)), `${url} is no peer: it answers no JSON`)
  server.removeAllListeners('request').on('request', (_request, response) => response.end('{}'))
  t.match(await refusal(t, runPeers(url, say)), `${url} is no peer: it answers no list of peers`)
  server.removeAllListeners('request').on('request', (_request, response) => {
    response.statusCode = 502
    response.end('Bad\nGateway')
  })
  t.match(await refusal(t, runPeers(url, say)), 'answers 502: is a peer there?')
  await new Promise(resolve => server.close(resolve))
  t.match(
    await refusal(t, runPeers(url, say)),
    /^no peer answers at .* \(ECONNREFUSED\): start one there, or/,
  )
})

t.test('what leave is asked for is checked before anybody is asked', async t => {
  t.same(parseLeave('101', {}), { url: 'http://127.0.0.1:5555', id: '101', force: false })
  const full = { url: 'http://localhost:80/', force: true }
  t.same(parseLeave('0', full), { url: 'http://localhost', id: '0', force: true })
  for (const id of ['', '2', 'peer', '0'.repeat(11)]) t.throws(() => parseLeave(id, {}), ConfigError, id)
  t.throws(() => parseLeave('1', { url: 'localhost:5555' }), /--url has the URL "localhost:5555": give http/)
})

t.test('the commands end with 2 when they are asked for wrongly and with 1 when they fail', async t => {
  const { url } = await world(t)
  const run = (...argv: string[]) =>
    new Promise<{ code: number; out: string; err: string }>(resolve => {
      execFile(process.execPath, [PROGRAM, ...argv], (error, out, err) =>
        resolve({ code: error ? Number(error.code) : 0, out, err }),
      )
    })
  const [good, ...bad] = await Promise.all([
    run('peers', '--url', url),
    run('peers', '--url', 'nonsense'),
    run('leave'),
    run('leave', 'x', '--force'),
    run('leave', '1111', '--url', url),
  ])
  t.equal(good.code, 0)
  t.match(good.out, /^id .*\n000 .*\n(.*\n){7}no slot is still to move\n$/)
  t.same(
    bad.map(({ code }) => code),
    [2, 2, 2, 1],
  )
  for (const { err, out } of bad) {
    t.match(err, /^[^\n]+\n$/)
    t.equal(out, '')
  }
  t.match(bad[1]!.err, "missing required argument 'id'")
  t.match(bad[3]!.err, /^hypercast: The roster lists no peer "1111"/)
})
