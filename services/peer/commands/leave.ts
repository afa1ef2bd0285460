import { setTimeout as sleep } from 'node:timers/promises'
import type { PeerBody } from '../http/schemas.ts'
import { ask, askPeers, CommandError, type PeersAnswer } from './ask.ts'
import type { LeaveOptions } from './commands.ts'
import { progressLine } from './peers.ts'

const LOOK_MS = 1_000
/** Bytes are fewer at every look: in so many looks they are told once, while the number of slots is the same. */
const LOOKS_A_LINE = 10
/** Looks in a row that no peer answers before the waiting ends. */
const MAX_VAIN_LOOKS = 30

export interface LeaveTools {
  readonly say: (line: string) => void
  /** Ends the waiting. */
  readonly signal: AbortSignal
  /** Pause between two looks, in milliseconds. */
  readonly lookMs?: number
}

/**
 * `hypercast leave`: asks for it and waits until the peer is off the list, saying what is still to move whenever fewer
 * slots are, and now and then while it is the same. Rejects with CommandError when it is refused, and when the waiting ends before.
 */
export async function runLeave({ url, id, force }: LeaveOptions, tools: LeaveTools): Promise<void> {
  const { say, signal } = tools
  const path = `/v1/peers/${id}${force ? '?force=true' : ''}`
  const { peer } = await unlessStopped(signal, `whether peer ${id} leaves is not known`, () =>
    ask<{ readonly peer: PeerBody }>('DELETE', url, path, signal),
  )
  say(`peer ${peer.id} at ${peer.url} is leaving: its slots move to the others`)
  const goesOn = `peer ${peer.id} goes on leaving, "hypercast peers" shows it`
  await unlessStopped(signal, goesOn, () => untilGone(url, peer, goesOn, tools))
  say(`peer ${peer.id} is off the list`)
}

/** Another peer may take the label at once: it is the store that must be off the list. */
async function untilGone(
  url: string,
  { uid, url: leaver }: PeerBody,
  goesOn: string,
  { say, signal, lookMs = LOOK_MS }: LeaveTools,
): Promise<void> {
  // The one that leaves is asked last: it may be gone before the others say so.
  let known = [url]
  let said = ''
  let saidMoving: number | null = null
  let looks = 0
  for (let vain = 0; vain < MAX_VAIN_LOOKS; ) {
    const answer = await firstAnswer([...known.filter(one => one !== leaver), leaver], signal)
    vain = answer ? 0 : vain + 1
    if (answer) {
      if (!answer.peers.some(peer => peer.uid === uid)) return
      known = [...new Set([url, ...answer.peers.map(peer => peer.url)])]
      const line = progressLine(answer)
      const isDue = answer.moving !== saidMoving || looks % LOOKS_A_LINE === 0
      if (line !== said && isDue) say(line)
      if (isDue) said = line
      saidMoving = answer.moving
      looks += 1
    }
    await sleep(lookMs, undefined, { signal })
  }
  throw new CommandError(`no peer answers any more: ${goesOn}`)
}

/** What the first of these peers that answers says; undefined when none does. */
async function firstAnswer(urls: readonly string[], signal: AbortSignal): Promise<PeersAnswer | undefined> {
  for (const url of urls) {
    try {
      return await askPeers(url, signal)
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof CommandError)) throw error
    }
  }
  return undefined
}

async function unlessStopped<T>(signal: AbortSignal, state: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (signal.aborted) throw new CommandError(`stopped: ${state}`)
    throw error
  }
}
