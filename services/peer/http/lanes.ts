import type { IncomingMessage, Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { HypercastError } from '../errors.ts'
import { LANE_PATH, LANE_PROTOCOL } from '../links/lane.ts'
import type { PeerApi } from './api.ts'
import { refuseRaw } from './client-errors.ts'
import type { HalfOpenWatch } from './half-open.ts'
import { senderOf } from './senders.ts'

const SWITCH = `HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: ${LANE_PROTOCOL}\r\n\r\n`

/**
 * Whether a request goes over to another protocol: only another peer's that opens a lane. Whatever else a client offers to
 * upgrade to (curl offers h2c) is served as HTTP/1.1, as RFC 9110, 7.8 has it.
 */
export function opensLane({ method, url, headers }: IncomingMessage): boolean {
  return method === 'POST' && url === LANE_PATH && headers.upgrade === LANE_PROTOCOL
}

/** Gives connections of other peers that open a lane to the links; others are answered with a problem and closed. */
export function serveLanes(server: Server, api: PeerApi, halfOpen: HalfOpenWatch): void {
  server.on('upgrade', ({ headers }: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy())
    try {
      const from = senderOf(api, headers)
      socket.write(SWITCH)
      api.links.lane(from, socket, head)
      halfOpen.watch(socket as Socket)
    } catch (error) {
      refuseRaw(socket, error instanceof HypercastError ? error : new HypercastError('INTERNAL'))
    }
  })
}
