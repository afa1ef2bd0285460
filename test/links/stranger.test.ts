import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import type { Roster } from '../../services/peer/cube/roster.ts'
import { systemClock } from '../../services/peer/engine/clock.ts'
import { type Beat, NotListedError } from '../../services/peer/engine/types.ts'
import { rosterBody, WIRE_FORMAT } from '../../services/peer/engine/wire.ts'
import { LinkError } from '../../services/peer/links/errors.ts'
import { HttpTransport } from '../../services/peer/links/transport.ts'
import { patient, quiet, signal } from './support/cube.ts'

const ROSTER: Roster = {
  version: 2,
  clusterId: 'test',
  dimension: 1,
  slots: 1,
  peers: [{ id: '1', uid: 'uid-1', number: 2, url: 'http://1.test' }],
}
const vote = { type: 'vote', from: 1, to: 2, term: 2, lastIndex: 0, lastTerm: 0, transfer: false } as const
const beat: Beat = {
  uid: 'uid-0',
  boot: 1,
  to: 'uid-1',
  rosterVersion: 1,
  nowMs: 5,
  lowDisk: false,
  stopping: false,
  leads: [],
  follows: [],
}

/** A peer's way to another one that refuses everything with `status`, but tells the roster it goes by. */
async function refused(t: Test, status: number) {
  const headers: IncomingHttpHeaders[] = []
  const server = createServer((request, response) => {
    headers.push(request.headers)
    request.resume()
    response.statusCode = request.url === '/v1/relay/roster' ? 200 : status
    response.end(response.statusCode === 200 ? rosterBody.encode(ROSTER) : '{"code":"ANY"}')
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}`
  /** Who was looked for and not found, and where. */
  const missed: (readonly [string, string | undefined])[] = []
  const transport = new HttpTransport({
    self: '0',
    uid: 'uid-0',
    clusterId: 'test',
    url: 'http://127.0.0.1:1',
    whereabouts: { urlOf: () => url, missed: (peer, at) => missed.push([peer, at]), uidOf: () => 'uid-1' },
    wireFormat: () => WIRE_FORMAT,
    clock: systemClock,
    random: Math.random,
    log: quiet,
    settings: patient,
  })
  const asked: string[] = []
  const lost = signal<string>()
  transport.attach({
    receive: async () => {},
    connectionClosed: () => {},
    unreachable: lost.resolve,
    askForRoster: peer => asked.push(peer),
  })
  t.teardown(async () => {
    await transport.close()
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  })
  return { transport, url, missed, asked, headers, lost: lost.promise }
}

t.test('whoever is refused as a stranger on a Raft link asks for the roster the other goes by', async t => {
  const { transport, url, missed, asked, lost } = await refused(t, 403)
  transport.send('1', [{ slot: 0, message: vote }])
  t.equal(await lost, '1')
  t.same(asked, ['1'])
  t.same(await transport.roster('1'), ROSTER, 'and is told it all the same')
  await t.rejects(transport.heartbeat('1', beat), NotListedError)
  t.same(
    missed,
    [
      ['1', url],
      ['1', url],
    ],
    'and looks for it elsewhere',
  )
})

t.test('whoever finds another peer at an address looks for the one it means elsewhere', async t => {
  const { transport, url, missed, asked, headers, lost } = await refused(t, 421)
  transport.send('1', [{ slot: 0, message: vote }])
  t.equal(await lost, '1')
  t.same(asked, ['1'], 'whoever is there may know more')
  t.same(missed, [['1', url]])
  t.match(headers[0], { 'hypercast-to': 'uid-1', 'hypercast-url': 'http://127.0.0.1:1' })
})

t.test('any other refusal says nothing about the roster, nor about where the peer is', async t => {
  for (const status of [400, 500, 503]) {
    const { transport, missed, asked, lost } = await refused(t, status)
    transport.send('1', [{ slot: 0, message: vote }])
    t.equal(await lost, '1')
    t.same(asked, [], `${status}`)
    await t.rejects(transport.heartbeat('1', beat), LinkError)
    t.same(missed, [], `${status}`)
  }
})
