import { replicasOf } from '../../../services/peer/cube/placement.ts'
import { LIMITS } from '../../../services/peer/limits.ts'
import { ask, askJson } from '../http.ts'

/** GET /v1/cube, what is looked at. */
export interface CubeView {
  readonly clusterId: string
  readonly version: number
  readonly dimension: number
  readonly slots: number
  readonly self: string
  readonly primaries: readonly (string | null)[]
  readonly peers: readonly {
    readonly id: string
    readonly url: string
    readonly uid: string
    readonly status: string
    readonly leaving?: true
  }[]
}

const ASK_TIMEOUT_MS = 5_000
const SURVEY_TIMEOUT_MS = 12_000
/** What a peer says of one that it misses; of one that it never had to do with it says `unknown`. */
const AWAY = new Set(['suspected', 'down'])

/** The cube as the peer at this URL sees it. Rejects when it does not answer. */
export function lookAt(url: string): Promise<CubeView> {
  return askJson(`${url}/v1/cube`, { timeoutMs: ASK_TIMEOUT_MS })
}

/**
 * What is not as it should be at one peer, in words. `peers` are the names of all, by URL; `seen` is given what the
 * peer says of the cube. Rejects when it does not answer.
 */
export async function ailmentOf(
  name: string,
  peers: ReadonlyMap<string, string>,
  seen: (view: CubeView) => void,
): Promise<string | undefined> {
  const [url] = [...peers].find(([, other]) => other === name)!
  const ready = await ask(`${url}/health/ready`, { timeoutMs: ASK_TIMEOUT_MS })
  if (ready.status !== 200) return `${name} is not ready: ${ready.body}`
  const view = await lookAt(url)
  seen(view)
  const stranger = view.peers.find(peer => !peers.has(peer.url))
  if (stranger) return `${name} lists ${stranger.id} at ${stranger.url}`
  const missing = [...peers].find(([other]) => !view.peers.some(peer => peer.url === other))
  if (missing) return `${name} does not list ${missing[1]}`
  const odd = view.peers.find(peer => peer.leaving || AWAY.has(peer.status))
  if (odd) return `${name} sees ${peers.get(odd.url)} as ${odd.leaving ? 'leaving' : odd.status}`
  return withoutHome(name, view)
}

/** A slot that the peer holds and whose home is not its primary, in words. */
function withoutHome(name: string, { version, clusterId, dimension, slots, self, ...view }: CubeView) {
  const peers = view.peers.map(({ id, url, uid }, index) => ({ id, url, uid, number: index + 1 }))
  const roster = { version, clusterId, dimension, slots, peers }
  for (let slot = 0; slot < slots; slot += 1) {
    const replicas = replicasOf(slot, roster, LIMITS)
    if (!replicas.includes(self) || view.primaries[slot] === replicas[0]) continue
    return `${name} sees ${view.primaries[slot]} as primary of slot ${slot}, whose home is ${replicas[0]}`
  }
  return undefined
}

interface Progress {
  readonly moving: number | null
  readonly behind: number | null
  readonly unknown: number | null
}

/** Slots that do not stand where they belong, or whose replicas are not level, in words, as all their primaries say. */
export async function unsettled(url: string): Promise<string | undefined> {
  const { moving, behind, unknown } = await askJson<Progress>(`${url}/v1/peers?progress=true`, {
    timeoutMs: SURVEY_TIMEOUT_MS,
  }).catch(() => ({ moving: null, behind: null, unknown: null }))
  if (moving === 0 && behind === 0 && unknown === 0) return undefined
  return moving === null
    ? 'nobody says whether slots are on the move'
    : `${moving} slots move, ${behind} replicas are behind, ${unknown} slots say nothing`
}
