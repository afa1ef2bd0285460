import { Client } from 'undici'
import { LIMITS } from '../limits.ts'
import { toLinkError } from './errors.ts'

/**
 * POST /v1/peers of the peer at `via`, as any client may. Rejects with LinkError when no answer comes in time.
 */
export async function askToJoin(via: string, wish: object): Promise<{ status: number; body: unknown }> {
  const client = new Client(via, { connect: { timeout: LIMITS.JOIN_TIMEOUT_MS } })
  try {
    const { statusCode, body } = await client.request({
      method: 'POST',
      path: '/v1/peers',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(wish),
      headersTimeout: LIMITS.JOIN_TIMEOUT_MS,
      bodyTimeout: LIMITS.JOIN_TIMEOUT_MS,
    })
    return { status: statusCode, body: await body.json().catch(() => null) }
  } catch (error) {
    throw toLinkError(error, true)
  } finally {
    client.destroy().catch(() => {})
  }
}
