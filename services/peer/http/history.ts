import { LIMITS } from '../limits.ts'
import type { HistoryItem } from '../streams/history.ts'
import { eventText } from './event-json.ts'

/**
 * One event or gap a line, many lines a chunk. Resolves when the first event is there, so that what is wrong with the
 * request rejects before anything was sent.
 */
export async function historyText(items: AsyncIterable<HistoryItem>): Promise<AsyncIterable<string>> {
  const iterator = items[Symbol.asyncIterator]()
  const first = await iterator.next()
  return chunks(iterator, first)
}

async function* chunks(
  iterator: AsyncIterator<HistoryItem>,
  first: IteratorResult<HistoryItem>,
): AsyncGenerator<string, void> {
  let chunk = ''
  try {
    for (let next = first; !next.done; next = await iterator.next()) {
      chunk += `${itemText(next.value)}\n`
      if (chunk.length < LIMITS.HISTORY_CHUNK_BYTES) continue
      yield chunk
      chunk = ''
    }
    if (chunk !== '') yield chunk
  } finally {
    await iterator.return?.()
  }
}

/** Loss is said in its place: a line with nothing but the offsets that are gone. */
function itemText(item: HistoryItem): string {
  return 'offset' in item ? eventText(item) : JSON.stringify({ gap: item })
}
