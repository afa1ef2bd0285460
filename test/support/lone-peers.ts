import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { freePorts } from '../../scripts/lib/ports.ts'
import { parsePeerArguments } from '../../services/peer/arguments.ts'
import type { Roster, RosterPeer } from '../../services/peer/cube/roster.ts'
import { FORMAT } from '../../services/peer/engine/formats.ts'
import type { Peer } from '../../services/peer/lives.ts'
import { startPeer } from '../../services/peer/peer.ts'
import { openLmdbStore } from '../../services/peer/store/open.ts'

/** A peer in this process, quick to elect itself. */
const QUICK = '--tick 5ms --heartbeat 10ms --election 50ms --disk-reserve 0'.split(' ')

export interface LonePeer {
  readonly peer: Peer
  readonly url: string
  /** What was told as fatal: there should be nothing. */
  readonly fatal: Error[]
}

/** What the peer logs as information, as it does. */
export type OnInfo = (message: string) => void

/** A folder that is gone after the test. */
export function folder(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'hypercast-peer-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** Where nobody listens, for now. */
export async function freeUrl(): Promise<string> {
  const [port] = await freePorts(1)
  return `http://127.0.0.1:${port}`
}

/** Starts a peer that listens at the port of `url`; it is closed after the test. */
export async function start(
  t: Test,
  url: string,
  data: string,
  flags: readonly string[],
  onInfo: OnInfo = () => {},
): Promise<LonePeer> {
  const config = parsePeerArguments(['--port', new URL(url).port, '--data', data, ...QUICK, ...flags], {})
  const fatal: Error[] = []
  const log = { debug() {}, info: (_: object, message: string) => onInfo(message), warn() {}, error() {} }
  const peer = await startPeer(config, { log, onFatal: error => fatal.push(error), onRemoved: () => {} })
  t.teardown(() => peer.close())
  return { peer, url: config.url, fatal }
}

/** Makes a store in the folder that belongs to a cube of one slot already: of its peer alone, and `others`. */
export async function foundStore(
  data: string,
  url: string,
  others: readonly RosterPeer[] = [],
): Promise<Roster> {
  const store = openLmdbStore(data)
  const own = { id: '0', uid: store.identity.uid, number: 1, url }
  const peers = [own, ...others].map(peer => ({ ...peer, format: FORMAT }))
  const roster = { version: 1, clusterId: 'c', dimension: 1, slots: 1, peers, format: FORMAT }
  await store.writeRoster(roster)
  await store.close()
  return roster
}

/** The roster that is on the disk of a peer that does not run. */
export async function rosterIn(data: string): Promise<Roster | null> {
  const store = openLmdbStore(data)
  const roster = store.roster()
  await store.close()
  return roster
}

/** Somebody who answers at an address of their own as they like; they are gone after the test. */
export async function somebody(
  t: Test,
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  const server = createServer(answer)
  const sockets = new Set<Socket>()
  server.on('connection', socket => sockets.add(socket))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
