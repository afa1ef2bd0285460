import type { PeerApi } from './api.ts'
import { deadline } from './outcome.ts'
import type { ProgressBody } from './schemas.ts'

/**
 * What is still to move, asked of the whole cube only when the query wants it. Waits at most as long as any request.
 * @throws HypercastError
 */
export async function progressOf(
  api: PeerApi,
  query: { readonly progress?: boolean },
): Promise<ProgressBody> {
  if (query.progress !== true) return { moving: null, bytesToMove: null, behind: null, unknown: null }
  const { moving, bytesToMove, behind, unknown } = await api.membership.progress(deadline(api))
  return { moving, bytesToMove, behind, unknown }
}
