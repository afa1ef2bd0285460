import type { Locks } from './messages.ts'

/**
 * Does `work` while holding a lock; after `waitMs`, or where there is no lock to be had, without it: whoever holds it
 * may be frozen. Does nothing when the signal is aborted meanwhile.
 * @throws what `work` throws
 */
export async function inTurn(
  locks: Locks,
  name: string,
  waitMs: number,
  signal: AbortSignal,
  work: () => Promise<void>,
): Promise<void> {
  const waiting = new AbortController()
  const giveUp = () => waiting.abort()
  const timer = setTimeout(giveUp, waitMs)
  signal.addEventListener('abort', giveUp)
  if (signal.aborted) giveUp()
  const done = () => {
    clearTimeout(timer)
    signal.removeEventListener('abort', giveUp)
  }
  let working: Promise<void> | undefined
  try {
    await locks.request(name, { signal: waiting.signal }, () => {
      done()
      working = work()
      return working
    })
  } catch {
    // What `work` threw is thrown below; else there was no lock.
  }
  done()
  if (working !== undefined) await working
  else if (!signal.aborted) await work()
}
