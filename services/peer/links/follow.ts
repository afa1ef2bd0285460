import type { Dispatcher as HttpDispatcher } from 'undici'
import type { PeerId } from '../cube/labels.ts'
import { LIMITS } from '../limits.ts'
import {
  FOLLOW_CONTENT_TYPE,
  type FollowFrame,
  FollowParser,
  type FollowRequest,
  followPath,
  type OpenFollow,
} from './follow-wire.ts'

export interface FollowOptions {
  /** Connections to a peer, with one to spare for each stream: PeerPools.bulk. Throws for a peer it does not know. */
  readonly connections: (peer: PeerId) => HttpDispatcher
  /** The headers every request between peers carries. */
  readonly headers: () => Record<string, string>
  /** A stream that is silent this long is broken. */
  readonly silenceMs?: number
}

/**
 * The client's side of `GET /v1/relay/follow`: one topic's events from a replica, for as long as it lasts.
 * The iteration throws when the peer cannot be reached, refuses, falls silent or sends what is not a frame, and ends
 * when the peer ends the stream; the caller goes on from its position, there or elsewhere.
 */
export function makeOpenFollow(options: FollowOptions): OpenFollow {
  return (peer, wanted, signal) => followFrames(options, peer, wanted, signal)
}

async function* followFrames(
  options: FollowOptions,
  peer: PeerId,
  wanted: FollowRequest,
  signal: AbortSignal,
): AsyncGenerator<readonly FollowFrame[]> {
  const silenceMs = options.silenceMs ?? LIMITS.FOLLOW_SILENCE_MS
  const response = await options.connections(peer).request({
    method: 'GET',
    path: followPath(wanted),
    headers: { ...options.headers(), accept: FOLLOW_CONTENT_TYPE },
    headersTimeout: silenceMs,
    bodyTimeout: silenceMs,
    signal,
  })
  if (response.statusCode !== 200) {
    await response.body.dump()
    throw new Error(`follow: peer ${peer} answers ${response.statusCode}`)
  }
  const parser = new FollowParser()
  for await (const chunk of response.body) {
    const frames = parser.push(chunk)
    if (frames.length > 0) yield frames
  }
}
