import type { TopicWire } from '../load/wire.ts'

export const SERVER_NAMES = ['hypercast', 'nchan', 'node'] as const
export type ServerName = (typeof SERVER_NAMES)[number]

/** A topic that nobody has published to yet, and the process that serves its subscribers. */
export interface BenchTopic {
  readonly wire: TopicWire
  readonly pid: number
}

/** One of the systems that are measured. */
export interface BenchServer {
  readonly name: ServerName
  /** With version and how it is run. */
  readonly title: string
  /** What holds of an event when its publish was answered. */
  readonly guarantees: string
  /** `name`: letters and digits. */
  topic(name: string): Promise<BenchTopic>
  /** How a process of it ended, if one did though nobody asked for it. */
  lost(): string | undefined
  /** Ends its processes and removes its folders. */
  close(): Promise<void>
}

/** A system that cannot be measured here, in words that say what to do. */
export class Missing extends Error {}
