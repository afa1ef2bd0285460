import { LIMITS } from '../limits.ts'
import type { StoredEvent } from '../topics/types.ts'
import { eventText } from './event-json.ts'

/**
 * One event a line, many lines a chunk. Resolves when the first event is there, so that what is wrong with the
 * request rejects before anything was sent.
 */
export async function historyText(events: AsyncIterable<StoredEvent>): Promise<AsyncIterable<string>> {
  const iterator = events[Symbol.asyncIterator]()
  const first = await iterator.next()
  return chunks(iterator, first)
}

async function* chunks(
  iterator: AsyncIterator<StoredEvent>,
  first: IteratorResult<StoredEvent>,
): AsyncGenerator<string, void> {
  let chunk = ''
  try {
    for (let next = first; !next.done; next = await iterator.next()) {
      chunk += `${eventText(next.value)}\n`
      if (chunk.length < LIMITS.HISTORY_CHUNK_BYTES) continue
      yield chunk
      chunk = ''
    }
    if (chunk !== '') yield chunk
  } finally {
    await iterator.return?.()
  }
}
