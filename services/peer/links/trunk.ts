import type { Dispatcher as HttpDispatcher } from 'undici'
import type { PeerId } from '../cube/labels.ts'
import type { Clock } from '../engine/types.ts'
import { LIMITS } from '../limits.ts'
import { collect } from './exchange.ts'
import { encodeWants, TRUNK_CONTENT_TYPE, trunkPath, WANTS_PATH, type WantsUpdate } from './trunk-wants.ts'
import { type TrunkFrame, TrunkParser } from './trunk-wire.ts'

/** The lower end's way to the upper end of a trunk. */
export interface TrunkLinks {
  /**
   * Opens the trunk: yields the frames of each chunk that arrives. Throws when the peer cannot be reached, refuses, falls
   * silent or sends what is no frame; ends when the peer ends it.
   */
  open(peer: PeerId, trunk: string, signal: AbortSignal): AsyncIterable<readonly TrunkFrame[]>
  /** Rejects when the update did not arrive, or the peer knows no such trunk: the trunk is then of no more use. */
  say(peer: PeerId, update: WantsUpdate): Promise<void>
}

export interface TrunkLinksOptions {
  /** Connections to a peer, with one to spare for each stream: PeerPools.bulk. Throws for a peer it does not know. */
  readonly streams: (peer: PeerId) => HttpDispatcher
  /** Connections for short requests: PeerPools.operations. */
  readonly requests: (peer: PeerId) => HttpDispatcher
  /** The headers every request between peers carries. */
  readonly headers: () => Record<string, string>
  readonly clock: Clock
  /** A trunk that is silent this long is broken. */
  readonly silenceMs?: number
}

/** Trunks over HTTP: `GET /v1/relay/trunk` and `POST /v1/relay/wants`. */
export function makeTrunkLinks(options: TrunkLinksOptions): TrunkLinks {
  return {
    open: (peer, trunk, signal) => trunkFrames(options, peer, trunk, signal),
    say: (peer, update) => sayWants(options, peer, update),
  }
}

async function* trunkFrames(
  { streams, headers, silenceMs = LIMITS.FOLLOW_SILENCE_MS }: TrunkLinksOptions,
  peer: PeerId,
  trunk: string,
  signal: AbortSignal,
): AsyncGenerator<readonly TrunkFrame[]> {
  const response = await streams(peer).request({
    method: 'GET',
    path: trunkPath(trunk),
    headers: { ...headers(), accept: TRUNK_CONTENT_TYPE },
    headersTimeout: silenceMs,
    bodyTimeout: silenceMs,
    signal,
  })
  if (response.statusCode !== 200) {
    await response.body.dump()
    throw new Error(`trunk: peer ${peer} answers ${response.statusCode}`)
  }
  const parser = new TrunkParser()
  for await (const chunk of response.body) {
    const frames = parser.push(chunk)
    if (frames.length > 0) yield frames
  }
}

async function sayWants(
  { requests, headers, clock }: TrunkLinksOptions,
  peer: PeerId,
  update: WantsUpdate,
): Promise<void> {
  const ask = {
    method: 'POST',
    path: WANTS_PATH,
    headers: { ...headers(), 'content-type': TRUNK_CONTENT_TYPE },
    body: encodeWants(update),
    timeoutMs: LIMITS.FOLLOW_SILENCE_MS,
  } as const
  await collect(requests(peer), ask, clock)
}
