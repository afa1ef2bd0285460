import type { PeerId } from '../cube/labels.ts'
import {
  type RecoveryAnswer,
  type RecoveryAsk,
  recoveryAnswerBody,
  recoveryAskBody,
} from '../engine/recovery-wire.ts'
import type { Clock } from '../engine/types.ts'
import { bodyFormat, CONTENT_TYPES } from '../engine/wire.ts'
import { HypercastError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { collect } from './exchange.ts'
import type { PeerBody } from './handlers.ts'
import type { PeerPools } from './pools.ts'

/**
 * POST /v1/relay/recovery at another peer, straight: the ways over the cube may lead through those that are lost.
 * Rejects with LinkError, with CodecError when the answer cannot be read.
 */
export async function askRecovery(
  pools: Pick<PeerPools, 'bulk'>,
  identity: Readonly<Record<string, string>>,
  peer: PeerId,
  ask: RecoveryAsk,
  clock: Clock,
): Promise<RecoveryAnswer> {
  const type = CONTENT_TYPES.json
  const body = await collect(
    pools.bulk(peer),
    {
      method: 'POST',
      path: '/v1/relay/recovery',
      headers: { ...identity, 'content-type': type, accept: type },
      body: recoveryAskBody.encode(ask),
      timeoutMs: LIMITS.RECOVERY_STEP_MS,
    },
    clock,
  )
  return recoveryAnswerBody.decode(body)
}

/** The other side. Rejects with HypercastError for a body that cannot be read. */
export async function handleRecovery(
  contentType: string | undefined,
  body: Uint8Array,
  answer: (ask: RecoveryAsk) => Promise<RecoveryAnswer>,
): Promise<PeerBody> {
  if (bodyFormat(contentType) !== 'json') {
    throw new HypercastError('UNSUPPORTED_MEDIA_TYPE', 'Recovery is spoken in JSON.')
  }
  const said = await answer(recoveryAskBody.decode(body))
  return { contentType: CONTENT_TYPES.json, body: recoveryAnswerBody.encode(said) }
}
