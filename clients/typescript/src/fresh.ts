import { Feed, type FeedOptions, type Item } from './feed.ts'
import type { Peers } from './peers.ts'
import { Progress } from './progress.ts'
import type { Selection, Start } from './selection.ts'

/**
 * A selection's items behind `start`, each event once, until the signal is aborted or all has ended.
 * @throws ProblemError, StreamError for what trying again does not mend; TypeError for a start that cannot be asked for
 */
export async function* freshItems(
  peers: Peers,
  selection: Selection,
  start: Start,
  options: FeedOptions,
  signal: AbortSignal,
): AsyncGenerator<Item, void, undefined> {
  const feed = new Feed(peers, selection, start, options)
  const progress = new Progress()
  let before = start.cursor ?? ''
  for await (const batch of feed.batches(signal)) {
    for (const { cursor, read } of batch) {
      const reads = read === undefined ? [] : progress.take(read, before, true)
      // Whoever is told of a gap before an event has not had the event.
      for (const fresh of reads.slice(0, -1)) yield { cursor: before, read: fresh }
      yield { cursor, read: reads.at(-1) }
      before = cursor
    }
  }
}
