/** Runs `work` with a signal that the first SIGINT or SIGTERM aborts; the second ends the process as if nobody listened. */
export async function interruptible(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const aborter = new AbortController()
  const names = ['SIGINT', 'SIGTERM'] as const
  const stop = () => {
    for (const name of names) process.removeListener(name, stop)
    aborter.abort()
  }
  for (const name of names) process.once(name, stop)
  try {
    await work(aborter.signal)
  } finally {
    for (const name of names) process.removeListener(name, stop)
  }
}
