/** What this process has started of other people's programs, so that it can be ended whenever it must, also while it starts. */
const running = new Set<{ close(): Promise<void> }>()

/** To be called before its first process is started. */
export function started(server: { close(): Promise<void> }): void {
  running.add(server)
}

export function closed(server: { close(): Promise<void> }): void {
  running.delete(server)
}

/** Closes all that is not closed. */
export async function closeRunning(): Promise<void> {
  await Promise.all([...running].map(server => server.close()))
}
