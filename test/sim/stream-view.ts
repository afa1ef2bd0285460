import type { SseFrame } from '../../clients/typescript/src/sse.ts'
import { parseCursor, type TopicCursor } from '../../services/peer/topics/cursor.ts'
import { type Cluster, idOf } from './cluster.ts'
import type { PlannedTopic } from './topics.ts'

export interface StreamViewOptions {
  readonly cluster: Cluster
  /** Who reads. */
  readonly client: string
  readonly topic: PlannedTopic
  /** The cursor it resumes behind. */
  readonly cursor: TopicCursor | undefined
  /** The position it must be told first, where that is certain. */
  readonly firstOffset: number | undefined
}

/** What a subscriber makes of the frames of one stream: DESIGN 8 says how they must follow each other. */
export class StreamView {
  /** The last position it was told. */
  cursor: TopicCursor | undefined
  received = 0
  gaps = 0
  readonly #options: StreamViewOptions
  #isPlaced = false

  constructor(options: StreamViewOptions) {
    this.#options = options
    this.cursor = options.cursor
  }

  /** Takes frames in; why the stream is over for good, when it is. */
  take(frames: readonly SseFrame[]): string | undefined {
    const events: { offset: number; id: string }[] = []
    let end: string | undefined
    for (const frame of frames) {
      const cursor = parseCursor(frame.lastEventId)
      if (frame.event === 'end') end = (JSON.parse(frame.data ?? '{}') as { reason: string }).reason
      else if (!cursor) this.#violation(`was sent ${JSON.stringify(frame)} without a cursor`)
      else if (frame.data === undefined) this.#position(cursor)
      else if (frame.event === 'gap') {
        this.#flush(events)
        this.#gap(cursor, frame.data)
      } else if (frame.event === 'message') {
        this.#event(cursor)
        events.push({ offset: cursor.offset, id: idOf(Buffer.from(frame.data)) })
      } else this.#violation(`was sent an event named ${frame.event}`)
    }
    this.#flush(events)
    return end
  }

  #position(told: TopicCursor): void {
    const { cursor, firstOffset } = this.#options
    if (!this.#isPlaced && cursor && !isSame(cursor, told)) {
      this.#violation(`resumed behind ${text(cursor)} and was put at ${text(told)}`)
    }
    if (!this.#isPlaced && firstOffset !== undefined && told.offset !== firstOffset) {
      this.#violation(`asked for all there is and was put at ${text(told)}`)
    }
    if (!this.#isPlaced) {
      const { cluster, client, topic } = this.#options
      cluster.record({ kind: 'position', client, topic: topic.name, atMs: cluster.world.nowMs, ...told })
    }
    this.#isPlaced = true
    this.cursor = told
  }

  #event(told: TopicCursor): void {
    this.#follows(told, told.offset)
    this.cursor = told
    this.received++
  }

  /** Events up to the cursor are gone; that is said only of what is. */
  #gap(told: TopicCursor, data: string): void {
    const { cluster, topic } = this.#options
    const { from, to } = JSON.parse(data) as { from: number; to: number }
    this.#follows(told, from)
    if (to !== told.offset || to < from)
      this.#violation(`was told of a gap ${from} to ${to} at ${text(told)}`)
    if (!cluster.isTrimmed(topic, told)) {
      this.#violation(`was told that ${topic.name} up to ${text(told)} is gone`)
    }
    const { client } = this.#options
    const atMs = cluster.world.nowMs
    cluster.record({ kind: 'gap', client, topic: topic.name, atMs, incarnation: told.incarnation, to })
    this.cursor = told
    this.gaps++
  }

  #follows(told: TopicCursor, offset: number): void {
    const { cursor } = this
    if (!cursor) this.#violation(`was sent ${text(told)} before its position`)
    else if (cursor.incarnation !== told.incarnation || cursor.offset + 1 !== offset) {
      this.#violation(`was sent ${text(told)} behind ${text(cursor)}`)
    }
  }

  /** Gives a record of the events and forgets them. */
  #flush(events: { offset: number; id: string }[]): void {
    const { cursor } = this
    if (events.length === 0 || !cursor) return
    const { cluster, client, topic } = this.#options
    const { incarnation } = cursor
    for (const { offset, id } of events) cluster.ledger.saw(client, topic.slot, incarnation, offset, id)
    const atMs = cluster.world.nowMs
    cluster.record({ kind: 'poll', client, topic: topic.name, atMs, incarnation, events: events.splice(0) })
  }

  #violation(what: string): void {
    const { cluster, client, topic } = this.#options
    cluster.violation(`the subscriber ${client} of ${topic.name} ${what}`)
  }
}

function isSame(one: TopicCursor, other: TopicCursor): boolean {
  return one.offset === other.offset && one.incarnation === other.incarnation
}

function text({ offset, incarnation }: TopicCursor): string {
  return `${offset}-${incarnation}`
}
