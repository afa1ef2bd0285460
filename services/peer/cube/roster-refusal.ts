import type { RosterPeer } from './roster.ts'

/** Why a change is refused; but for WRONG_SLOT, which no client can cause, codes of the error table. */
export type RosterRefusalCode =
  | 'LABEL_TAKEN'
  | 'LABEL_TOO_WIDE'
  | 'ADDRESS_TAKEN'
  | 'STORE_LISTED'
  | 'CUBE_FULL'
  | 'UNKNOWN_PEER'
  | 'CHANGE_UNDER_WAY'
  | 'LAST_PEER'
  | 'NOT_LEAVING'
  | 'JOIN_REFUSED'
  | 'INVALID_REQUEST'
  /** The slot has no roster, or has one already. */
  | 'WRONG_SLOT'

export interface Refusal {
  readonly kind: 'refused'
  readonly code: RosterRefusalCode
  /** What is in the way, for a person. */
  readonly detail: string
}

export function refused(code: RosterRefusalCode, detail: string): Refusal {
  return { kind: 'refused', code, detail }
}

/** What was asked for is wrong in itself; `fault` says how, as `rosterFault` words it. */
export function invalid(fault: string): Refusal {
  return refused('INVALID_REQUEST', fault)
}

export function unknownPeer(name: string): Refusal {
  return refused('UNKNOWN_PEER', `The roster lists no peer ${name.slice(0, 64)}.`)
}

export function otherStore(peer: RosterPeer, uid: string): Refusal {
  return refused('UNKNOWN_PEER', `Peer ${peer.id} has the store ${peer.uid}, not ${uid.slice(0, 64)}.`)
}

export function addressTaken(url: string, holder: RosterPeer): Refusal {
  return refused('ADDRESS_TAKEN', `The address ${url} belongs to peer ${holder.id}.`)
}

/** The peer that is to be displaced is at that address no more, and another one is. */
export function otherHolder(url: string, holder: RosterPeer): Refusal {
  return refused('CHANGE_UNDER_WAY', `The address ${url} belongs to peer ${holder.id} by now.`)
}

/** The peer's program speaks no format as new as the cluster's. */
export function olderProgram(format: number, cluster: number): Refusal {
  return refused(
    'JOIN_REFUSED',
    `The peers of this cluster speak format ${cluster} with each other and the program of this one knows up to ${format}: run a version on it that speaks it, as the others do.`,
  )
}

export function outdated(follows: number, version: number): Refusal {
  return refused(
    'CHANGE_UNDER_WAY',
    `The change was judged at version ${follows} of the roster, which is at ${version} by now.`,
  )
}

export function underWay(peer: RosterPeer): Refusal {
  return refused('CHANGE_UNDER_WAY', `Peer ${peer.id} is leaving, and is listed until its slots have moved.`)
}
