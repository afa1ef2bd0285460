import { labelFault, type PeerId } from './labels.ts'

/** One member of the cube as the roster lists it. */
export interface RosterPeer {
  /** The corner's binary label, as wide as the roster's dimension, e.g. `011`. */
  readonly id: PeerId
  /** The random id kept in the peer's store beside its terms and votes. */
  readonly uid: string
  /** The Raft member number the peer was given when it was added; never given twice. */
  readonly number: number
  /** Base URL that other peers and clients reach it at, without a trailing slash. */
  readonly url: string
}

/**
 * The versioned list of peers from which every placement is computed.
 * Any two peers that hold the same version compute the same answers from it.
 */
export interface Roster {
  readonly version: number
  readonly clusterId: string
  readonly dimension: number
  /** Number of hash slots, a power of two fixed at founding. */
  readonly slots: number
  /** Sorted by label. */
  readonly peers: readonly RosterPeer[]
}

/** How large a roster may be: give it `LIMITS`, which this pure room does not import. */
export interface RosterBounds {
  readonly MAX_DIMENSION: number
  readonly MAX_SLOTS: number
  /** Characters of a uid or cluster id. */
  readonly MAX_UID_LENGTH: number
}

/**
 * What is wrong with a roster, as a text that says what to do; undefined when it is sound.
 * Takes anything, since rosters come from disk and from the network.
 */
export function rosterFault(candidate: unknown, bounds: RosterBounds): string | undefined {
  if (!isRecord(candidate)) return 'the roster must be an object'
  const { version, clusterId, dimension, slots, peers } = candidate
  if (!isCount(version)) return 'the version of the roster must be a whole number from 1 up'
  if (!isId(clusterId, bounds)) return `clusterId must be a text of 1 to ${bounds.MAX_UID_LENGTH} characters`
  return cubeFault(dimension, slots, peers, bounds) ?? membersFault(peers as readonly unknown[], bounds)
}

/**
 * What is wrong with the list of ids and URLs a cluster is to be founded from, and with its dimension and slots;
 * undefined when they are sound. The part of `rosterFault` that does not need the cluster to exist.
 */
export function cubeFault(
  dimension: unknown,
  slots: unknown,
  peers: unknown,
  bounds: RosterBounds,
): string | undefined {
  if (!isCount(dimension) || dimension > bounds.MAX_DIMENSION) {
    return `the dimension must be a whole number from 1 to ${bounds.MAX_DIMENSION}`
  }
  if (!isCount(slots) || slots > bounds.MAX_SLOTS || (slots & (slots - 1)) !== 0) {
    return `the number of slots must be a power of two from 1 to ${bounds.MAX_SLOTS}`
  }
  if (!Array.isArray(peers) || peers.length === 0) return 'the list of peers must name at least one peer'
  return addressesFault(peers, dimension)
}

/** Ids are labels of the cube, in order, each once; URLs are origins, each once. */
function addressesFault(peers: readonly unknown[], dimension: number): string | undefined {
  let before = ''
  const urls = new Map<string, PeerId>()
  for (const peer of peers) {
    if (!isRecord(peer)) return 'each peer of the list must be an object with id and url'
    const fault = labelFault(peer.id, dimension)
    if (fault !== undefined) return fault
    const id = peer.id as PeerId
    if (id === before) return `peer ${id} is listed twice: give every peer a label of its own`
    if (id < before) return `peer ${id} is listed after ${before}: sort the peers by label`
    before = id
    const badUrl = urlFault(peer.url)
    if (badUrl !== undefined) return `the address of peer ${id} ${badUrl}`
    const url = peer.url as string
    const other = urls.get(url)
    if (other !== undefined) return `peers ${other} and ${id} have the same address ${url}: give each its own`
    urls.set(url, id)
  }
  return undefined
}

/** What distinguishes a roster from a list: each peer's store and number. */
function membersFault(peers: readonly unknown[], bounds: RosterBounds): string | undefined {
  const uids = new Map<string, PeerId>()
  const numbers = new Map<number, PeerId>()
  for (const { id, uid, number } of peers as readonly Record<string, unknown>[]) {
    if (!isId(uid, bounds))
      return `the uid of peer ${id} must be a text of 1 to ${bounds.MAX_UID_LENGTH} characters`
    if (!isCount(number)) return `the number of peer ${id} must be a whole number from 1 up`
    const sameUid = uids.get(uid)
    if (sameUid !== undefined) {
      return `peers ${sameUid} and ${id} have the same uid ${uid}: one data folder is a copy of the other, empty one of them`
    }
    const sameNumber = numbers.get(number)
    if (sameNumber !== undefined) return `peers ${sameNumber} and ${id} have the same member number ${number}`
    uids.set(uid, id as PeerId)
    numbers.set(number, id as PeerId)
  }
  return undefined
}

/** What is wrong with a peer's base URL; undefined for an http or https origin in its usual spelling. */
export function urlFault(url: unknown): string | undefined {
  const example = 'write it like http://127.0.0.1:5555'
  if (typeof url !== 'string' || !URL.canParse(url)) return `is not a URL: ${example}`
  const parsed = new URL(url)
  if (parsed.protocol !== 'http:' && parsed.protocol !== 'https:') {
    return `is neither http nor https: ${example}`
  }
  // One spelling for each address, so that two lists can be compared and two peers cannot share one unnoticed.
  if (parsed.origin !== url) return `must be written as ${parsed.origin}`
  return undefined
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 1
}

function isId(value: unknown, bounds: RosterBounds): value is string {
  return typeof value === 'string' && value.length >= 1 && value.length <= bounds.MAX_UID_LENGTH
}
