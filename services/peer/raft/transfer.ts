import type { RaftState } from './state.ts'

/** Starts handing leadership to `to`, once its log is level (thesis 3.10). Ignored unless leader, and for no voter. */
export function transferTo(state: RaftState, to: number): void {
  if (state.role !== 'leader' || state.transferee === to || !state.progress.has(to)) return
  if (!state.configurations.current.voters.some(({ number }) => number === to)) return
  state.transferee = to
  state.transferElapsed = 0
  state.transfereeTold = false
  tellTransferee(state)
}

/** Tells the transferee to stand for election when it holds the whole log. */
export function tellTransferee(state: RaftState): void {
  const progress = state.progress.get(state.transferee)
  if (progress === undefined || state.transfereeTold || progress.match < state.log.lastIndex) return
  state.transfereeTold = true
  state.send({ type: 'timeoutNow', from: state.number, to: state.transferee, term: state.term })
}

/** Gives the transfer up after an election timeout: then proposals are taken again. */
export function tickTransfer(state: RaftState): void {
  if (state.transferee === 0) return
  state.transferElapsed++
  if (state.transferElapsed >= state.options.electionTicks) state.transferee = 0
}
