import { invariant } from './invariant.ts'
import { advanceMembership } from './membership.ts'
import type { Progress } from './progress.ts'
import { becomeFollower } from './roles.ts'
import type { RaftState } from './state.ts'
import { tellTransferee } from './transfer.ts'
import type { Message, SnapshotMeta } from './types.ts'

type AppendResponse = Extract<Message, { type: 'appendResponse' }>
type HeartbeatResponse = Extract<Message, { type: 'heartbeatResponse' }>

/** True when the leader has something to say to a follower now. */
export function wantsSend(state: RaftState, progress: Progress): boolean {
  if (progress.state === 'snapshot') return progress.offerDue
  if (progress.state === 'probe') return !progress.paused
  if (progress.poke) return true
  const { inflight } = progress
  if (progress.next <= state.log.lastIndex) return inflight.length < state.options.maxInflightAppends
  return inflight.length === 0 && progress.commitTold < state.log.commit
}

/** Queues all appends and offers that are due: everything proposed since the last time, in as few as possible. */
export function sendAppends(state: RaftState): void {
  for (const [to, progress] of state.progress) {
    while (wantsSend(state, progress)) sendOne(state, to, progress)
  }
}

/** Queues a heartbeat to everybody; `context` is the ReadIndex round to confirm, 0 for none. */
export function sendHeartbeats(state: RaftState, context: number): void {
  for (const [to, { match }] of state.progress) {
    const commit = Math.min(state.log.commit, match)
    state.send({ type: 'heartbeat', from: state.number, to, term: state.term, commit, context })
  }
}

/** A follower answered an append or told how far a snapshot has brought it. */
export function onAppendResponse(state: RaftState, progress: Progress, message: AppendResponse): void {
  progress.heardAtTick = state.leaderTicks
  progress.lostSinceTick = undefined
  if (message.rejected) {
    // Everything behind what both ends rule out cannot match (fast back-up, paper 5.3).
    const hint =
      message.hintTerm > 0
        ? state.log.lastNotAbove(message.hintIndex, message.hintTerm).index
        : message.hintIndex
    progress.refused(message.index, hint)
    return
  }
  const last = state.log.lastIndex
  invariant(
    message.index <= last,
    `member ${message.from} acknowledged ${message.index}, the log ends at ${last}`,
  )
  const before = progress.match
  progress.accepted(message.index)
  if (progress.state === 'snapshot') leaveSnapshot(state, progress, message.index)
  else if (progress.state === 'probe' && (progress.match > before || progress.match === message.index)) {
    progress.replicate()
  }
  if (progress.match > before) advanceCommit(state)
  tellTransferee(state)
}

/** A follower answered a heartbeat. */
export function onHeartbeatResponse(state: RaftState, progress: Progress, message: HeartbeatResponse): void {
  progress.heardAtTick = state.leaderTicks
  progress.answeredBeat(state.leaderTicks, state.options.electionTicks)
  if (message.context > 0) confirmReads(state, message.context, message.from)
}

/** A message to a follower could not be delivered: wait for a sign of life, then find out where it is. */
export function onUnreachable(state: RaftState, number: number): void {
  const progress = state.progress.get(number)
  if (progress === undefined) return
  progress.probe(progress.match + 1, true)
  progress.lostSinceTick ??= state.leaderTicks
  if (state.transferee === number) state.transferee = 0
}

/**
 * Commits what a quorum holds durably. Only an entry of the own term is committed by counting; those before it follow
 * (paper 5.4.2, figure 8). The own log counts as far as it is durable.
 */
export function advanceCommit(state: RaftState): void {
  const { log, configurations } = state
  const reached = configurations.reachedByQuorum(number =>
    number === state.number ? log.durable : (state.progress.get(number)?.match ?? 0),
  )
  if (reached <= log.commit || log.term(reached) !== state.term) return
  log.commitTo(reached)
  state.uncommitted.release(reached)
  advanceMembership(state)
  // Those who have answered may be a quorum of what is in force now, and nobody else be left to ask.
  if (state.role === 'leader' && state.reads.openRound > 0)
    confirmReads(state, state.reads.openRound, state.number)
}

/** Check-quorum (thesis 6.2): a leader that a majority has not answered for an election timeout steps down. */
export function checkQuorum(state: RaftState): void {
  const { configurations, number: self } = state
  if (!configurations.isQuorum(number => number === self || isActive(state, number)))
    becomeFollower(state, state.term, 0)
}

/**
 * The follower was heard from within the election timeout, and is reached. One that asks for heartbeats itself, and that
 * nothing can be sent to, would keep a leader in office that commits nothing. Who was offered a snapshot has nothing to
 * answer until it is installed.
 */
export function isActive(state: RaftState, number: number): boolean {
  const progress = state.progress.get(number)
  if (progress === undefined) return false
  const isRecent = (tick: number) => state.leaderTicks - tick < state.options.electionTicks
  const { heardAtTick, lostSinceTick = state.leaderTicks } = progress
  return isRecent(heardAtTick) && (progress.state === 'snapshot' || isRecent(lostSinceTick))
}

/** Reads may begin: the term's no-op is committed, so the commit index is the cluster's (thesis 6.4). */
export function canReadAtCommit(state: RaftState): boolean {
  return state.role === 'leader' && state.log.commit >= state.termStart
}

/** Begins one round for all reads that wait. */
export function beginReads(state: RaftState): void {
  const round = state.reads.begin(state.log.commit)
  confirmReads(state, round, state.number)
  if (state.reads.openRound === 0) return
  state.heartbeatElapsed = 0
  sendHeartbeats(state, round)
}

function confirmReads(state: RaftState, round: number, by: number): void {
  const { configurations } = state
  state.reads.confirm(round, by, who => configurations.isQuorum(number => who.has(number)))
}

function sendOne(state: RaftState, to: number, progress: Progress): void {
  const { log, options } = state
  if (progress.state === 'snapshot') {
    offerSnapshot(state, to, progress)
    return
  }
  if (isCommitAlone(state, progress)) {
    tellCommit(state, to, progress)
    return
  }
  const prevIndex = progress.next - 1
  const prevTerm = log.term(prevIndex)
  if (prevTerm === undefined || progress.next < log.firstIndex) {
    progress.snapshot()
    return
  }
  const full = progress.state === 'replicate' && progress.inflight.length >= options.maxInflightAppends
  const entries =
    full || progress.next > log.lastIndex
      ? []
      : log.entries(progress.next, log.lastIndex + 1, options.maxAppendBytes)
  const { number: from, term } = state
  state.send({ type: 'append', from, to, term, prevIndex, prevTerm, commit: log.commit, entries })
  progress.sent(prevIndex + entries.length, entries.length, log.commit)
}

/** There is nothing to tell but a commit index, and the follower is known to hold what is committed. */
function isCommitAlone({ log }: RaftState, { state, poke, next, match }: Progress): boolean {
  return state === 'replicate' && !poke && next > log.lastIndex && match >= log.commit
}

/** As a heartbeat, which wants no answer that says how far the follower is: an append of nothing would. */
function tellCommit(state: RaftState, to: number, progress: Progress): void {
  const { number: from, term } = state
  const { commit } = state.log
  progress.commitTold = commit
  state.send({ type: 'heartbeat', from, to, term, commit, context: 0 })
}

function offerSnapshot(state: RaftState, to: number, progress: Progress): void {
  const snapshot = currentSnapshot(state)
  progress.offerDue = false
  progress.offeredIndex = snapshot.index
  progress.offeredAtTick = state.leaderTicks
  state.send({ type: 'snapshot', from: state.number, to, term: state.term, snapshot })
}

/** What the engine can serve: the state as applied here. */
function currentSnapshot(state: RaftState): SnapshotMeta {
  const index = state.applied
  const term = state.log.term(index)
  invariant(term !== undefined, `the applied entry ${index} is compacted and has no term`)
  return { index, term, configuration: state.configurations.at(index) }
}

function leaveSnapshot(state: RaftState, progress: Progress, index: number): void {
  if (progress.match + 1 >= state.log.firstIndex) progress.replicate()
  else if (index >= progress.offeredIndex) progress.offerDue = true
}
