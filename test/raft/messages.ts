import type { Entry, Message, MessageType } from '../../services/peer/raft/types.ts'
import type { Cluster } from './cluster.ts'

type Of<T extends MessageType> = Extract<Message, { type: T }>

export function voteFrom(
  from: number,
  to: number,
  term: number,
  lastIndex = 100,
  lastTerm = 100,
): Of<'vote'> {
  return { type: 'vote', from, to, term, lastIndex, lastTerm, transfer: false }
}

export function preVoteFrom(
  from: number,
  to: number,
  term: number,
  lastIndex = 100,
  lastTerm = 100,
): Of<'preVote'> {
  return { type: 'preVote', from, to, term, lastIndex, lastTerm, transfer: false }
}

/** An append behind `prev` with `entries`; an empty one at the log's start when nothing is given. */
export function appendFrom(
  from: number,
  to: number,
  term: number,
  {
    prev = [0, 0],
    entries = [],
    commit = 0,
  }: { prev?: [number, number]; entries?: Entry[]; commit?: number } = {},
): Of<'append'> {
  return { type: 'append', from, to, term, prevIndex: prev[0], prevTerm: prev[1], commit, entries }
}

export function heartbeatFrom(from: number, to: number, term: number, commit = 0): Of<'heartbeat'> {
  return { type: 'heartbeat', from, to, term, commit, context: 0 }
}

export function acceptedBy(from: number, to: number, term: number, index: number): Of<'appendResponse'> {
  return { type: 'appendResponse', from, to, term, index, rejected: false, hintIndex: 0, hintTerm: 0 }
}

/** Takes all messages that are under way off the network and returns those of one type. */
export function sent<T extends MessageType>(cluster: Cluster, type: T): Of<T>[] {
  const all = cluster.network
  cluster.network = []
  return all.filter((message): message is Of<T> => message.type === type)
}
