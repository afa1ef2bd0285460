import type { SubscribeWire } from '../../load/wire.ts'
import type { PublishWire } from '../load/wire.ts'

export const SERVER_NAMES = ['hypercast', 'jetstream', 'jetstream-fsync', 'redis', 'nchan'] as const
export type ServerName = (typeof SERVER_NAMES)[number]

/** Empty topics, and how to publish to them. */
export interface Topics {
  readonly wire: PublishWire
  /** Events that they hold now, so that it is known whether what was acknowledged is kept; undefined where nobody can tell. */
  stored(): Promise<number | undefined>
  /** How the first of them is subscribed to from its beginning on; not there where subscribers ask again and again. */
  readonly subscribe?: () => Promise<SubscribeWire>
  /** Removes them, or what they hold. */
  remove(): Promise<void>
}

/** One of the systems that are measured. */
export interface PublishServer {
  readonly name: ServerName
  /** With version and how it is run. */
  readonly title: string
  /** What holds of an event when its publish was acknowledged. */
  readonly guarantees: string
  /** Its processes. */
  readonly pids: readonly number[]
  /** `name`: letters and digits, not used before. */
  topics(name: string, count: number): Promise<Topics>
  /** How a process of it ended, if one did though nobody asked for it. */
  lost(): string | undefined
  /** Ends its processes and removes its folders. */
  close(): Promise<void>
}
