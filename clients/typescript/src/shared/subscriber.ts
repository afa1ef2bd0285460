import type { Item } from '../feed.ts'
import { freshItems } from '../fresh.ts'
import { LIMITS } from '../limits.ts'
import { Listening, type SubscriberOptions } from '../listening.ts'
import type { Start } from '../selection.ts'
import { type Surroundings, surroundings } from './messages.ts'
import { Tab } from './tab.ts'

/** Where a shared stream begins for this tab, and how it is kept up. */
export interface SharedOptions extends SubscriberOptions {
  /** How often the leading tab is asked for a sign of life when nothing is heard of it. Default 3,000. */
  readonly heartbeatMs?: number
  /** Locks and channels of another kind. Default: the browser's; null for a stream of this tab's own. */
  readonly surroundings?: Surroundings | null
}

/**
 * A Subscriber that shares one connection with all tabs of this origin that want the same topics of the same peers.
 *
 * One tab, elected by a lock, holds the stream and passes on what comes; when it is closed or frozen another goes on
 * from the last cursor. A tab that asks for the past reads it by a short stream of its own until that meets the shared
 * one; with `latest` it begins where the shared stream is. Where there are no locks or channels it is a Subscriber.
 */
export class SharedSubscriber extends Listening<SharedOptions> {
  protected items(start: Start, signal: AbortSignal): AsyncGenerator<Item, void, undefined> {
    const { heartbeatMs = LIMITS.HEARTBEAT_MS, surroundings: given } = this.options
    const found = given === undefined ? surroundings() : given
    if (found === undefined || found === null) {
      return freshItems(this.peers, this.selection, start, this.options, signal)
    }
    const tab = new Tab(this.peers, this.selection, start, {
      ...this.options,
      surroundings: found,
      heartbeatMs,
    })
    return tab.items(signal)
  }
}
