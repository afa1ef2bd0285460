import { formatLabel, idFault, type PeerId, parseLabel } from './labels.ts'
import {
  lastNumberOf,
  peerAt,
  type Roster,
  type RosterBounds,
  type RosterNote,
  type RosterPeer,
  reasonFault,
  rosterFault,
  staying,
  uidFault,
  urlFault,
} from './roster.ts'
import { commonFormat, formatOf, formatRefusal, listedFormat, running } from './roster-format.ts'
import {
  addressTaken,
  invalid,
  otherHolder,
  otherStore,
  outdated,
  type Refusal,
  refused,
  underWay,
  unknownPeer,
} from './roster-refusal.ts'

/** Who wants a change and why, as texts for people; every peer keeps those of the last change. */
export interface Reason {
  readonly by: string
  readonly why: string
  /** The version at which it was judged that the change may be: it is none under any other. */
  readonly follows?: number
}

/**
 * An entry of the roster's log.
 * - `found`: the first roster; an entry of its own in every founding voter's log.
 * - `join`: a store becomes a peer, on the lowest free corner or on the one asked for.
 * - `leave`, `evict`: a peer is to hold nothing more; `evict` is said by others, so it names the store it means.
 * - `replace`: the store of a peer is lost, another one takes its place under a number of its own.
 * - `address`: a peer is reached elsewhere from now on. It listens there itself, so whoever is listed there is there no
 *   more: that peer is given the mover's address for now, since each address is listed once, and says its own when it can.
 * - `remove`: a leaving peer that holds nothing any more goes off the list.
 * - `format`: a peer runs another version of the program from now on, which speaks formats up to this one.
 *
 * Whatever the change, the cluster goes over to the newest format that all listed peers speak, and never back.
 */
export type RosterChange =
  | { readonly kind: 'found'; readonly roster: Roster }
  | (Reason &
      (
        | {
            readonly kind: 'join'
            readonly uid: string
            readonly url: string
            readonly id?: PeerId
            /** The newest format its program speaks; absent means 1. */
            readonly format?: number
          }
        | { readonly kind: 'leave'; readonly id: PeerId }
        | { readonly kind: 'evict'; readonly id: PeerId; readonly uid: string }
        | {
            readonly kind: 'replace'
            readonly id: PeerId
            /** The new store. */
            readonly uid: string
            /** The store that is lost. */
            readonly replaces: string
            readonly url: string
            /** The newest format its program speaks; absent means 1. */
            readonly format?: number
          }
        | {
            readonly kind: 'address'
            readonly uid: string
            readonly url: string
            /** The store that is listed at `url`, if one is: none but this one is displaced. */
            readonly displaces?: string
          }
        | { readonly kind: 'remove'; readonly uid: string }
        | { readonly kind: 'format'; readonly uid: string; readonly format: number }
      ))

/** What became of a change: the version it made, the version that says it already, or why there is none. */
export type ChangeOutcome = { readonly kind: 'changed' | 'unchanged'; readonly roster: Roster } | Refusal

type Noted<K = RosterNote['kind']> = Extract<RosterChange, { readonly kind: K }>

/** What a change makes of the list; undefined where it says what is so already. */
interface Draft {
  /** The peer it is about. */
  readonly id: PeerId
  readonly peers: readonly RosterPeer[]
  readonly dimension?: number
  readonly lastNumber?: number
}
type Drafted = Draft | Refusal | undefined

/**
 * Applies one change to a roster; the same arguments give the same outcome on every replica.
 * @param roster undefined before the founding
 * @param timeMs the primary's stamp, milliseconds since 1970
 */
export function changeRoster(
  roster: Roster | undefined,
  change: RosterChange,
  timeMs: number,
  bounds: RosterBounds,
): ChangeOutcome {
  if (change.kind === 'found') return found(roster, change.roster, bounds)
  if (roster === undefined) return refused('WRONG_SLOT', 'There is no roster here to change.')
  const { kind, by, why } = change
  const fault = reasonFault(by, why, bounds)
  if (fault !== undefined) return invalid(fault)
  const draft = draftOf(roster, change, bounds)
  if (draft === undefined) return { kind: 'unchanged', roster }
  if ('kind' in draft) return draft
  const { follows = roster.version } = change
  if (follows !== roster.version) return outdated(follows, roster.version)
  const { id, ...changed } = draft
  const lastNumber = lastNumberOf(roster)
  const version = roster.version + 1
  const next = { ...roster, lastNumber, ...changed, version, change: { kind, id, by, why, timeMs } }
  const format = Math.max(formatOf(roster), commonFormat(next.peers))
  return { kind: 'changed', roster: { ...next, ...listedFormat(format) } }
}

function found(roster: Roster | undefined, first: Roster, bounds: RosterBounds): ChangeOutcome {
  if (roster !== undefined) return refused('WRONG_SLOT', 'The roster is founded already.')
  const fault = rosterFault(first, bounds)
  return fault === undefined ? { kind: 'changed', roster: first } : invalid(fault)
}

function draftOf(roster: Roster, change: Noted, bounds: RosterBounds): Drafted {
  switch (change.kind) {
    case 'join':
      return join(roster, change, bounds)
    case 'leave':
      return leave(roster, peerAt(roster, change.id), change.id)
    case 'evict':
      return evict(roster, change)
    case 'replace':
      return replace(roster, change, bounds)
    case 'address':
      return move(roster, change, bounds)
    case 'remove':
      return remove(roster, change.uid)
    case 'format':
      return upgrade(roster, change)
  }
}

function join(roster: Roster, change: Noted<'join'>, bounds: RosterBounds): Drafted {
  const { uid, url, id: asked, format = 1 } = change
  const badId = asked === undefined ? undefined : idFault(asked, bounds.MAX_DIMENSION)
  const fault = storeFault(uid, url, bounds) ?? badId
  if (fault !== undefined) return invalid(fault)
  const known = roster.peers.find(peer => peer.uid === uid)
  if (known !== undefined) return joinAgain(known, change)
  const unfit = formatRefusal(roster, format)
  if (unfit !== undefined) return unfit
  const holder = roster.peers.find(peer => peer.url === url)
  if (holder !== undefined) return addressTaken(url, holder)
  const place = freeCorner(roster, asked, bounds)
  if ('kind' in place) return place
  const { corner, dimension } = place
  const number = lastNumberOf(roster) + 1
  const id = formatLabel(corner, dimension)
  const peers = [...roster.peers, { id, uid, number, url, ...listedFormat(format) }]
  peers.sort((one, other) => parseLabel(one.id) - parseLabel(other.id))
  return { id, peers, dimension, lastNumber: number }
}

function joinAgain(known: RosterPeer, { uid, url, id }: Noted<'join'>): Drafted {
  if (known.leaving) return underWay(known)
  if (known.url !== url) {
    return refused('STORE_LISTED', `The store ${uid} is peer ${known.id} already, at ${known.url}.`)
  }
  if (id !== undefined && parseLabel(id) !== parseLabel(known.id)) {
    return refused(
      'STORE_LISTED',
      `The store ${uid} is peer ${known.id} already, it cannot be ${id} as well.`,
    )
  }
  return undefined
}

/** Where a newcomer is put, and the dimension the cube then has: one more when every corner was taken. */
function freeCorner(
  { dimension, peers }: Roster,
  asked: PeerId | undefined,
  bounds: RosterBounds,
): { readonly corner: number; readonly dimension: number } | Refusal {
  const holders = new Map(peers.map(peer => [parseLabel(peer.id), peer]))
  const grown = holders.size === 2 ** dimension ? dimension + 1 : dimension
  if (asked !== undefined) {
    const corner = parseLabel(asked)
    const holder = holders.get(corner)
    if (holder !== undefined) {
      const state = holder.leaving ? ', which is leaving' : ''
      return refused('LABEL_TAKEN', `The label ${asked} belongs to the peer at ${holder.url}${state}.`)
    }
    if (corner < 2 ** grown) return { corner, dimension: grown }
    const room = `the cube has dimension ${dimension}${grown > dimension ? ' and grows by one only' : ' and free corners'}`
    return refused('LABEL_TOO_WIDE', `The label ${asked} does not fit: ${room}.`)
  }
  if (grown > bounds.MAX_DIMENSION) {
    return refused('CUBE_FULL', `All ${holders.size} corners are taken and the cube cannot grow further.`)
  }
  let corner = 0
  while (holders.has(corner)) corner += 1
  return { corner, dimension: grown }
}

function leave(roster: Roster, peer: RosterPeer | undefined, id: string): Drafted {
  if (peer === undefined) return unknownPeer(id)
  if (peer.leaving) return undefined
  if (staying(roster).peers.length === 1) {
    return refused('LAST_PEER', `Peer ${peer.id} is the last one that is not leaving.`)
  }
  return revised(roster, peer, { leaving: true })
}

function evict(roster: Roster, { id, uid }: Noted<'evict'>): Drafted {
  const peer = peerAt(roster, id)
  if (peer !== undefined && peer.uid !== uid) return otherStore(peer, uid)
  return leave(roster, peer, id)
}

function replace(roster: Roster, change: Noted<'replace'>, bounds: RosterBounds): Drafted {
  const { id, uid, replaces, url, format = 1 } = change
  const fault = storeFault(uid, url, bounds)
  if (fault !== undefined) return invalid(fault)
  const peer = peerAt(roster, id)
  if (peer === undefined) return unknownPeer(id)
  if (peer.leaving) return underWay(peer)
  if (peer.uid === uid && peer.url === url) return undefined
  const same = roster.peers.find(other => other.uid === uid)
  if (same !== undefined) {
    return refused('STORE_LISTED', `The store ${uid} is peer ${same.id} already, at ${same.url}.`)
  }
  if (peer.uid !== replaces) return otherStore(peer, replaces)
  const holder = roster.peers.find(other => other.url === url)
  if (holder !== undefined && holder !== peer) return addressTaken(url, holder)
  const unfit = formatRefusal(roster, format)
  if (unfit !== undefined) return unfit
  const { given: _, ...place } = running(peer, format)
  const number = lastNumberOf(roster) + 1
  return { ...revised(roster, place, { uid, url, number }), lastNumber: number }
}

function move(roster: Roster, change: Noted<'address'>, bounds: RosterBounds): Drafted {
  const { uid, url, displaces } = change
  const fault = addressFault(url, bounds)
  if (fault !== undefined) return invalid(fault)
  const peer = roster.peers.find(other => other.uid === uid)
  if (peer === undefined) return unknownPeer(uid)
  if (peer.url === url && !peer.given) return undefined
  const { given: _, ...own } = peer
  const holder = roster.peers.find(other => other.url === url && other !== peer)
  if (holder === undefined) return revised(roster, own, { url })
  if (displaces === undefined) return addressTaken(url, holder)
  if (displaces !== holder.uid) return otherHolder(url, holder)
  const peers = roster.peers.map(other => {
    if (other === peer) return { ...own, url }
    return other === holder ? { ...holder, url: peer.url, given: true as const } : other
  })
  return { id: peer.id, peers }
}

function remove(roster: Roster, uid: string): Drafted {
  const peer = roster.peers.find(other => other.uid === uid)
  if (peer === undefined) return undefined
  if (!peer.leaving) return refused('NOT_LEAVING', `Peer ${peer.id} is not leaving.`)
  return { id: peer.id, peers: roster.peers.filter(other => other !== peer) }
}

/** A peer may go back as well, until the cluster has gone over. */
function upgrade(roster: Roster, { uid, format }: Noted<'format'>): Drafted {
  const peer = roster.peers.find(other => other.uid === uid)
  if (peer === undefined) return unknownPeer(uid)
  if (formatOf(peer) === format) return undefined
  return formatRefusal(roster, format) ?? revised(roster, running(peer, format))
}

function revised(roster: Roster, peer: RosterPeer, what: Partial<RosterPeer> = {}): Draft {
  const { id } = peer
  return { id, peers: roster.peers.map(other => (other.id === id ? { ...peer, ...what } : other)) }
}

function storeFault(uid: string, url: string, bounds: RosterBounds): string | undefined {
  const badUid = uidFault(uid, bounds)
  return badUid === undefined ? addressFault(url, bounds) : `the uid ${badUid}`
}

function addressFault(url: string, bounds: RosterBounds): string | undefined {
  if (url.length > bounds.MAX_ADDRESS_LENGTH) {
    return `the address has more than ${bounds.MAX_ADDRESS_LENGTH} characters`
  }
  const fault = urlFault(url)
  return fault === undefined ? undefined : `the address ${fault}`
}
