import { leaderGone, onVoteRequest, onVoteResponse, standForElection, standForTransfer } from './election.ts'
import { accept, onAppend, onHeartbeat, restore } from './follower.ts'
import { invariant } from './invariant.ts'
import { changeMembers, isChanging } from './membership.ts'
import { goOnAlone } from './recovery.ts'
import {
  advanceCommit,
  beginReads,
  canReadAtCommit,
  checkQuorum,
  isActive,
  onAppendResponse,
  onHeartbeatResponse,
  onUnreachable,
  sendAppends,
  sendHeartbeats,
  wantsSend,
} from './replication.ts'
import { appendOwn, becomeFollower, hearLeader } from './roles.ts'
import { RaftState } from './state.ts'
import { courtesyTicks, isSticky, setSuccession } from './timing.ts'
import { tickTransfer, transferTo } from './transfer.ts'
import type {
  ChangeRefusal,
  Configuration,
  HardState,
  MembershipTarget,
  Message,
  ProgressStatus,
  ProposeRefusal,
  RaftMember,
  RaftOptions,
  RaftStatus,
  Ready,
  Role,
} from './types.ts'

interface Handed {
  readonly id: number
  readonly term: number
}

/**
 * The pure Raft member of one slot, in etcd/raft's shape: `tick`, `step` and `propose` change what it knows,
 * `ready` says what is to be written, sent and applied. Every method throws InvariantBroken when it finds what Raft
 * rules out; the peer must stop then.
 */
export class RaftNode implements RaftMember {
  readonly #state: RaftState
  #lastReady = 0
  #lastPersisted = 0
  #handed: Handed[] = []
  #writtenHardState: HardState

  constructor(options: RaftOptions) {
    this.#state = new RaftState(options)
    this.#writtenHardState = options.hardState
    // Nobody is known to lead: the first in order of succession asks at its first tick; pre-vote makes that harmless.
    this.#state.electionTimeout = 1 + courtesyTicks(this.#state)
  }

  get role(): Role {
    return this.#state.role
  }

  get term(): number {
    return this.#state.term
  }

  get leader(): number {
    return this.#state.leader
  }

  get configuration(): Configuration {
    return this.#state.configurations.current
  }

  get committedConfiguration(): Configuration {
    const { configurations, log } = this.#state
    return configurations.at(log.commit)
  }

  tick(): void {
    const state = this.#state
    if (state.role === 'leader') {
      this.#tickLeader()
      return
    }
    state.electionElapsed++
    if (state.electionElapsed >= state.electionTimeout) standForElection(state)
  }

  heardAgain(leader: number, term: number, commit: number): boolean {
    const state = this.#state
    const isNews = state.role !== 'follower' || state.leader !== leader || state.term !== term
    if (leader === 0 || isNews || commit > state.log.commit) return false
    state.electionElapsed = 0
    return true
  }

  step(message: Message): void {
    const state = this.#state
    if (message.to !== state.number || message.from === state.number) return
    if (message.term < state.term) this.#answerStale(message)
    else if (message.term === state.term || this.#adopt(message)) this.#dispatch(message)
  }

  propose(data: Uint8Array): { readonly index: number; readonly term: number } | ProposeRefusal {
    const state = this.#state
    if (state.role !== 'leader') return 'notLeader'
    if (state.transferee !== 0) return 'transferring'
    if (!state.uncommitted.fits(data.length)) return 'overloaded'
    const index = appendOwn(state, 'data', data)
    state.uncommitted.add(index, data.length)
    return { index, term: state.term }
  }

  changeMembers(target: MembershipTarget): { readonly index: number; readonly term: number } | ChangeRefusal {
    const begun = changeMembers(this.#state, target)
    return typeof begun === 'number' ? { index: begun, term: this.#state.term } : begun
  }

  goOnAlone(
    uid: string,
    term: number,
    rosterVersion: number,
  ): { readonly index: number; readonly term: number } {
    return { index: goOnAlone(this.#state, uid, term, rosterVersion), term }
  }

  readIndex(context: number): ProposeRefusal | undefined {
    if (this.#state.role !== 'leader') return 'notLeader'
    return this.#state.reads.request(context) ? undefined : 'overloaded'
  }

  transferLeadership(to: number): void {
    transferTo(this.#state, to)
  }

  leaderGone(number: number): void {
    leaderGone(this.#state, number)
  }

  setSuccession(numbers: readonly number[]): void {
    setSuccession(this.#state, numbers)
  }

  unreachable(number: number): void {
    onUnreachable(this.#state, number)
  }

  hasReady(): boolean {
    const state = this.#state
    return (
      state.log.hasWrites ||
      state.messages.length > 0 ||
      state.messagesAfterPersist.length > 0 ||
      state.log.hasCommitted ||
      state.reads.hasResults ||
      (state.reads.waiting && canReadAtCommit(state)) ||
      this.#hardState() !== undefined ||
      this.#wantsSend()
    )
  }

  ready(): Ready {
    const state = this.#state
    if (state.reads.waiting && canReadAtCommit(state)) beginReads(state)
    sendAppends(state)
    const id = ++this.#lastReady
    const split = state.log.splitsWrites
    const writes = state.log.take(id)
    const before = this.#writtenHardState
    const hardState = this.#hardState()
    this.#writtenHardState = hardState ?? before
    this.#handed.push({ id, term: state.term })
    const messages = state.messages
    state.messages = []
    // Behind a snapshot nothing is acknowledged before the Ready that carries the entries.
    const messagesAfterPersist = split ? [] : state.messagesAfterPersist
    if (!split) state.messagesAfterPersist = []
    return {
      id,
      ...(hardState === undefined ? {} : { hardState }),
      mustSync:
        writes.entries.length > 0 ||
        writes.truncateFrom !== undefined ||
        writes.snapshot !== undefined ||
        (hardState !== undefined && (hardState.term !== before.term || hardState.vote !== before.vote)),
      ...writes,
      messages,
      messagesAfterPersist,
      committed: state.log.takeCommitted(state.options.maxAppendBytes),
      ...state.reads.take(),
    }
  }

  persisted(id: number): void {
    const state = this.#state
    invariant(
      id <= this.#lastReady && id >= this.#lastPersisted,
      `Ready ${id} was not handed out or is long durable`,
    )
    this.#lastPersisted = id
    while (this.#handed.length > 0 && this.#handed[0]!.id <= id)
      state.durableTerm = this.#handed.shift()!.term
    state.log.persisted(id)
    if (state.role === 'leader') advanceCommit(state)
  }

  applied(index: number): void {
    const state = this.#state
    invariant(index <= state.log.delivered, `entry ${index} was applied and never handed out`)
    if (index <= state.applied) return
    state.applied = index
    state.configurations.forget(index)
  }

  holders(index: number): number {
    const { log, progress } = this.#state
    let count = log.durable >= index ? 1 : 0
    for (const { match } of progress.values()) if (match >= index) count++
    return count
  }

  status(): RaftStatus {
    const state = this.#state
    const { floor } = state.log
    const progress = new Map<number, ProgressStatus>()
    for (const [number, { match, state: kind }] of state.progress) {
      progress.set(number, { match, state: kind, recentActive: isActive(state, number) })
    }
    return {
      number: state.number,
      role: state.role,
      term: state.term,
      leader: state.leader,
      commit: state.log.commit,
      applied: state.applied,
      lastIndex: state.log.lastIndex,
      durable: state.log.durable,
      ...(floor !== undefined && { floor }),
      configuration: state.configurations.current,
      changing: isChanging(state),
      transferee: state.transferee,
      progress,
    }
  }

  #wantsSend(): boolean {
    for (const progress of this.#state.progress.values()) if (wantsSend(this.#state, progress)) return true
    return false
  }

  #tickLeader(): void {
    const state = this.#state
    state.leaderTicks++
    tickTransfer(state)
    checkQuorum(state)
    if (state.role !== 'leader') return
    const { heartbeatTicks, electionTicks } = state.options
    // The engine may beat by other means (heartbeatTicks beyond reach): a lost ReadIndex round goes again all the same.
    const paceTicks =
      state.reads.openRound === 0 ? heartbeatTicks : Math.min(heartbeatTicks, Math.ceil(electionTicks / 4))
    state.heartbeatElapsed++
    if (state.heartbeatElapsed < paceTicks) return
    state.heartbeatElapsed = 0
    sendHeartbeats(state, state.reads.openRound)
  }

  /** A higher term: follow it, unless the message does not stand for it. False: the message is ignored. */
  #adopt(message: Message): boolean {
    const state = this.#state
    if (message.type === 'preVote' || message.type === 'vote') {
      if (!message.transfer && isSticky(state)) return false
      if (message.type === 'preVote') return true
      becomeFollower(state, message.term, 0)
      return true
    }
    // A granted pre-vote names the term that was asked about, which nobody is in yet.
    if (message.type === 'preVoteResponse' && message.granted) return true
    becomeFollower(state, message.term, isFromLeader(message) ? message.from : 0)
    return true
  }

  /** A lower term: its sender learns the own one, so that a deposed leader or an outdated candidate steps down. */
  #answerStale(message: Message): void {
    const state = this.#state
    const { number: from, term } = state
    const to = message.from
    if (message.type === 'preVote') {
      state.send({ type: 'preVoteResponse', from, to, term, granted: false })
    } else if (message.type === 'vote') {
      state.send({ type: 'voteResponse', from, to, term, granted: false })
    } else if (isFromLeader(message)) {
      // A snapshot is committed state whoever leads now: what was pulled meanwhile is not thrown away.
      if (message.type === 'snapshot' && state.role !== 'leader') restore(state, message.snapshot)
      const refusal = { index: 0, rejected: true, hintIndex: 0, hintTerm: 0 }
      state.send({ type: 'appendResponse', from, to, term, ...refusal })
    }
  }

  /** A message of the own term, or a pre-vote about a later one. */
  #dispatch(message: Message): void {
    const state = this.#state
    const progress = state.progress.get(message.from)
    switch (message.type) {
      case 'preVote':
      case 'vote':
        onVoteRequest(state, message)
        break
      case 'preVoteResponse':
      case 'voteResponse':
        onVoteResponse(state, message)
        break
      case 'append':
        hearLeader(state, message.from)
        onAppend(state, message)
        break
      case 'heartbeat':
        hearLeader(state, message.from)
        onHeartbeat(state, message)
        break
      case 'snapshot':
        hearLeader(state, message.from)
        restore(state, message.snapshot)
        accept(state, message.from, state.log.commit)
        break
      case 'appendResponse':
        if (progress !== undefined) onAppendResponse(state, progress, message)
        break
      case 'heartbeatResponse':
        if (progress !== undefined) onHeartbeatResponse(state, progress, message)
        break
      case 'timeoutNow':
        hearLeader(state, message.from)
        standForTransfer(state)
        break
    }
  }

  /** What is to be written of term, vote and commit; undefined when nothing changed. */
  #hardState(): HardState | undefined {
    const { term, vote, log } = this.#state
    const commit = log.writableCommit
    const { floor } = log
    const written = this.#writtenHardState
    const isSame = term === written.term && vote === written.vote && floor === written.floor
    if (isSame && commit <= written.commit) return undefined
    return { term, vote, commit: Math.max(commit, written.commit), ...(floor !== undefined && { floor }) }
  }
}

function isFromLeader(message: Message): boolean {
  return (
    message.type === 'append' ||
    message.type === 'heartbeat' ||
    message.type === 'snapshot' ||
    message.type === 'timeoutNow'
  )
}
