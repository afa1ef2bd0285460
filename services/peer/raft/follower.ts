import type { RaftState } from './state.ts'
import type { Entry, Message, SnapshotMeta } from './types.ts'

type Append = Extract<Message, { type: 'append' }>
type Heartbeat = Extract<Message, { type: 'heartbeat' }>

/** Takes entries of the leader into the log when what is before them matches (paper 5.3). */
export function onAppend(state: RaftState, message: Append): void {
  if (!isWellFormed(message)) return
  const { log } = state
  if (message.prevIndex < log.commit) {
    // What is committed matches; below it the log may be compacted.
    accept(state, message.from, log.commit)
    return
  }
  if (!log.matches(message.prevIndex, message.prevTerm)) {
    refuse(state, message)
    return
  }
  const fresh = message.entries.findIndex(entry => !log.matches(entry.index, entry.term))
  if (fresh >= 0) append(state, message.entries.slice(fresh))
  const last = message.prevIndex + message.entries.length
  log.commitTo(Math.min(message.commit, last))
  state.matchedIndex = state.matchedTerm === state.term ? Math.max(state.matchedIndex, last) : last
  state.matchedTerm = state.term
  accept(state, message.from, last)
}

/**
 * Learns the commit index, which the leader keeps within what this member has acknowledged: in an earlier life perhaps,
 * so one that lost its log goes no further than the appends of this one have told.
 */
export function onHeartbeat(state: RaftState, message: Heartbeat): void {
  const matched = state.matchedTerm === state.term ? state.matchedIndex : 0
  const { log } = state
  log.commitTo(log.floor === undefined ? message.commit : Math.min(message.commit, matched))
  const { from, context } = message
  state.send({ type: 'heartbeatResponse', from: state.number, to: from, term: state.term, context })
}

/**
 * Lets the log begin behind a snapshot whose state the engine holds (paper section 7). One that is not ahead of the
 * commit index is ignored; where the log already holds its last entry, that entry is committed and nothing is lost.
 */
export function restore(state: RaftState, snapshot: SnapshotMeta): void {
  const { log } = state
  if (snapshot.index <= log.commit) return
  if (log.matches(snapshot.index, snapshot.term)) {
    log.commitTo(snapshot.index)
    return
  }
  log.restore(snapshot)
  state.configurations.restore(snapshot.index, snapshot.configuration)
  state.applied = snapshot.index
}

/** Tells the leader that everything up to `index` is durable here, once it is. */
export function accept(state: RaftState, to: number, index: number): void {
  const { number: from, term } = state
  state.send({ type: 'appendResponse', from, to, term, index, rejected: false, hintIndex: 0, hintTerm: 0 })
}

function append(state: RaftState, entries: readonly Entry[]): void {
  state.log.append(entries)
  state.configurations.append(entries)
}

function refuse(state: RaftState, message: Append): void {
  const hint = state.log.lastNotAbove(message.prevIndex, message.prevTerm)
  state.send({
    type: 'appendResponse',
    from: state.number,
    to: message.from,
    term: state.term,
    index: message.prevIndex,
    rejected: true,
    hintIndex: hint.index,
    hintTerm: hint.term,
  })
}

/** Entries follow each other behind `prevIndex`, with terms that rise no further than the sender's. */
function isWellFormed(message: Append): boolean {
  let index = message.prevIndex
  let term = message.prevTerm
  for (const entry of message.entries) {
    if (entry.index !== ++index || entry.term < term) return false
    if ((entry.type === 'config') !== (entry.configuration !== undefined)) return false
    term = entry.term
  }
  return term <= message.term
}
