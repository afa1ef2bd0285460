import type { Item } from './feed.ts'
import { freshItems } from './fresh.ts'
import { Listening } from './listening.ts'
import type { Start } from './selection.ts'

/**
 * Follows one topic, or several topics and patterns together, over any peer of a list: each event once, ascending in
 * its topic. When a stream breaks it resumes behind the last event on the next peer.
 *
 * Listening throws ProblemError for what trying again does not mend, such as an unknown topic; it ends quietly when
 * its only topic ends, the signal is aborted or `close()` is called.
 */
export class Subscriber extends Listening {
  protected items(start: Start, signal: AbortSignal): AsyncGenerator<Item, void, undefined> {
    return freshItems(this.peers, this.selection, start, this.options, signal)
  }
}
