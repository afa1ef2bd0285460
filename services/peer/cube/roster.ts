import { idFault, labelFault, type PeerId, parseLabel } from './labels.ts'
import { formatsFault } from './roster-format.ts'

/** One member of the cube as the roster lists it. */
export interface RosterPeer {
  /**
   * The corner's binary label, as wide as the dimension was when the peer was added, e.g. `011`. It is never
   * rewritten: in a cube that has grown since, its value counts.
   */
  readonly id: PeerId
  /** The random id kept in the peer's store beside its terms and votes. */
  readonly uid: string
  /** The Raft member number the peer was given when it was added; never given twice. */
  readonly number: number
  /** Base URL that other peers and clients reach it at, without a trailing slash. */
  readonly url: string
  /** Its address is the one of a peer that took its own; it has not said yet where it is. */
  readonly given?: true
  /** On its way out: its address and rights stay, but no slot is placed on it. */
  readonly leaving?: true
  /** The newest format its program speaks with other peers; absent means 1. */
  readonly format?: number
}

/** What a change of the roster does; `found` makes the first version and leaves no note. */
export const NOTED_KINDS = ['join', 'leave', 'evict', 'replace', 'address', 'remove', 'format'] as const

/** What made a version of the roster, and who wanted it. */
export interface RosterNote {
  readonly kind: (typeof NOTED_KINDS)[number]
  /** The peer it was about; after a `remove` it is not listed any more. */
  readonly id: PeerId
  readonly by: string
  readonly why: string
  /** Milliseconds since 1970, the primary's stamp. */
  readonly timeMs: number
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
  /** Sorted by corner; at least one of them is not leaving. */
  readonly peers: readonly RosterPeer[]
  /** The highest member number ever given; absent means the highest listed. */
  readonly lastNumber?: number
  /** What made this version; absent at founding. */
  readonly change?: RosterNote
  /** The format the peers speak with each other: every listed one's program speaks it. It only rises; absent means 1. */
  readonly format?: number
}

/** How large a roster may be: give it `LIMITS`, which this pure room does not import. */
export interface RosterBounds {
  readonly MAX_DIMENSION: number
  readonly MAX_SLOTS: number
  /** Characters of a uid or cluster id. */
  readonly MAX_UID_LENGTH: number
  /** Characters of who made a change, and of why. */
  readonly MAX_NOTE_LENGTH: number
  /** Characters of an address. */
  readonly MAX_ADDRESS_LENGTH: number
}

/** The peer with this id, however wide it is written: `0101` finds `101`. Undefined for what is no label too. */
export function peerAt(roster: Roster, id: string): RosterPeer | undefined {
  if (idFault(id, id.length) !== undefined) return undefined
  const corner = parseLabel(id)
  return roster.peers.find(peer => parseLabel(peer.id) === corner)
}

/** The cube that slots are placed on: the peers that are not leaving. */
export function staying(roster: Roster): { dimension: number; peers: readonly RosterPeer[] } {
  const { dimension, peers } = roster
  return { dimension, peers: peers.filter(({ leaving }) => leaving !== true) }
}

/** The highest member number ever given in this cluster. */
export function lastNumberOf(roster: Roster): number {
  return roster.lastNumber ?? Math.max(...roster.peers.map(({ number }) => number))
}

/**
 * What is wrong with a roster, as a text that says what to do; undefined when it is sound.
 * Takes anything, since rosters come from disk and from the network.
 */
export function rosterFault(candidate: unknown, bounds: RosterBounds): string | undefined {
  if (!isRecord(candidate)) return 'the roster must be an object'
  const { version, clusterId, dimension, slots, peers, lastNumber, change, format } = candidate
  if (!isCount(version)) return 'the version of the roster must be a whole number from 1 up'
  if (!isId(clusterId, bounds)) return `clusterId must be a text of 1 to ${bounds.MAX_UID_LENGTH} characters`
  return (
    spaceFault(dimension, slots, bounds) ??
    peersFault(peers, dimension as number, idFault) ??
    membersFault(peers as readonly unknown[], lastNumber, bounds) ??
    formatsFault(peers as readonly RosterPeer[], format) ??
    (change === undefined ? undefined : noteFault(change, dimension as number, bounds))
  )
}

/**
 * What is wrong with the list of ids and URLs a cluster is to be founded from, and with its dimension and slots;
 * undefined when they are sound. Every id must be exactly as wide as the dimension.
 */
export function cubeFault(
  dimension: unknown,
  slots: unknown,
  peers: unknown,
  bounds: RosterBounds,
): string | undefined {
  return spaceFault(dimension, slots, bounds) ?? peersFault(peers, dimension as number, labelFault)
}

function spaceFault(dimension: unknown, slots: unknown, bounds: RosterBounds): string | undefined {
  if (!isCount(dimension) || dimension > bounds.MAX_DIMENSION) {
    return `the dimension must be a whole number from 1 to ${bounds.MAX_DIMENSION}`
  }
  if (!isCount(slots) || slots > bounds.MAX_SLOTS || (slots & (slots - 1)) !== 0) {
    return `the number of slots must be a power of two from 1 to ${bounds.MAX_SLOTS}`
  }
  return undefined
}

/** Ids are labels of the cube, in the order of their corners, each corner once; URLs are origins, each once. */
function peersFault(
  peers: unknown,
  dimension: number,
  faultOfId: (id: unknown, dimension: number) => string | undefined,
): string | undefined {
  if (!Array.isArray(peers) || peers.length === 0) return 'the list of peers must name at least one peer'
  let before: PeerId | undefined
  const urls = new Map<string, PeerId>()
  for (const peer of peers as readonly unknown[]) {
    if (!isRecord(peer)) return 'each peer of the list must be an object with id and url'
    const fault = faultOfId(peer.id, dimension)
    if (fault !== undefined) return fault
    const id = peer.id as PeerId
    const order = before === undefined ? 1 : parseLabel(id) - parseLabel(before)
    if (order === 0) return `peer ${id} is listed twice: give every peer a label of its own`
    if (order < 0) return `peer ${id} is listed after ${before}: sort the peers by label`
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

/** What distinguishes a roster from a list: each peer's store and number, and who stays. */
function membersFault(
  peers: readonly unknown[],
  lastNumber: unknown,
  bounds: RosterBounds,
): string | undefined {
  const uids = new Map<string, PeerId>()
  const numbers = new Map<number, PeerId>()
  let stays = false
  for (const peer of peers as readonly Record<string, unknown>[]) {
    const id = peer.id as PeerId
    const { uid, number, leaving } = peer
    const badUid = uidFault(uid, bounds)
    if (badUid !== undefined) return `the uid of peer ${id} ${badUid}`
    if (!isCount(number)) return `the number of peer ${id} must be a whole number from 1 up`
    if (leaving !== undefined && leaving !== true) return `leaving of peer ${id} must be true or absent`
    const sameUid = uids.get(uid as string)
    if (sameUid !== undefined) {
      return `peers ${sameUid} and ${id} have the same uid ${uid}: one data folder is a copy of the other, empty one of them`
    }
    const sameNumber = numbers.get(number)
    if (sameNumber !== undefined) return `peers ${sameNumber} and ${id} have the same member number ${number}`
    uids.set(uid as string, id)
    numbers.set(number, id)
    if (leaving === undefined) stays = true
  }
  if (!stays) return 'at least one peer of the roster must not be leaving'
  if (lastNumber === undefined) return undefined
  const highest = Math.max(...numbers.keys())
  if (isCount(lastNumber) && lastNumber >= highest) return undefined
  return `lastNumber must be a whole number from ${highest} up, the highest member number that is listed`
}

function noteFault(note: unknown, dimension: number, bounds: RosterBounds): string | undefined {
  if (!isRecord(note)) return 'the note of the change must be an object'
  if (!(NOTED_KINDS as readonly unknown[]).includes(note.kind)) {
    return `the kind of the change must be one of ${NOTED_KINDS.join(', ')}`
  }
  if (typeof note.timeMs !== 'number' || !Number.isFinite(note.timeMs)) {
    return 'the time of the change must be a number'
  }
  return idFault(note.id, dimension) ?? reasonFault(note.by, note.why, bounds)
}

/** What is wrong with who made a change and why, as texts; undefined when nothing is. */
export function reasonFault(by: unknown, why: unknown, bounds: RosterBounds): string | undefined {
  const isText = (value: unknown) => typeof value === 'string' && value.length <= bounds.MAX_NOTE_LENGTH
  if (!isText(by)) return `by must be a text of at most ${bounds.MAX_NOTE_LENGTH} characters`
  if (!isText(why)) return `why must be a text of at most ${bounds.MAX_NOTE_LENGTH} characters`
  return undefined
}

/** What is wrong with the uid of a store; undefined when it is one. */
export function uidFault(uid: unknown, bounds: RosterBounds): string | undefined {
  return isId(uid, bounds) ? undefined : `must be a text of 1 to ${bounds.MAX_UID_LENGTH} characters`
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
