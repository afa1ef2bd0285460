/** Where a stream begins. */
export interface Start {
  /** Resumes behind what this cursor has passed; beats `from` and `last`. */
  readonly cursor?: string
  /** `latest` (the default), `earliest`, a time or, for a single topic, an offset (inclusive). */
  readonly from?: 'latest' | 'earliest' | number | Date
  /** Begins with the last so many events, of all topics together. */
  readonly last?: number
}

/** What one stream is about: a single topic, or several topics and patterns together. */
export class Selection {
  /** Topic names and patterns. */
  readonly topics: readonly string[]
  /** The name, when it is a single topic and no pattern. */
  readonly single: string | undefined
  readonly #path: string

  /**
   * @param topics a topic's name or a pattern (a segment `*` is any one segment, `**` any number), or several of them;
   *   a list is asked for as a list, also when it has one entry
   * @throws TypeError for an empty list
   */
  constructor(topics: string | readonly string[]) {
    this.topics = [...new Set([topics].flat())].sort()
    if (this.topics.length === 0) throw new TypeError('Give at least one topic.')
    this.single = typeof topics === 'string' && !topics.includes('*') ? topics : undefined
    this.#path =
      this.single === undefined
        ? `/v1/events?${this.topics.map(topic => `topic=${encodeURIComponent(topic)}`).join('&')}`
        : `/v1/topics/${encodeURIComponent(this.single)}/events?format=cloudevents`
  }

  /** The request's path and query. @throws TypeError for a start that cannot be asked for */
  url({ from, last }: Start): string {
    if (from !== undefined && last !== undefined) throw new TypeError('Give either from or last, not both.')
    if (last !== undefined) return `${this.#path}&last=${last}`
    if (from === undefined) return this.#path
    if (typeof from === 'number' && this.single === undefined) {
      throw new TypeError('Several topics have no offsets in common: begin from a time or a cursor.')
    }
    return `${this.#path}&from=${encodeURIComponent(from instanceof Date ? from.toISOString() : from)}`
  }
}
