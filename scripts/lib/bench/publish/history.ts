import { median } from '../figures.ts'
import { requestHead } from '../load/wire.ts'
import { rotated } from '../rounds.ts'
import type { ReadOptions } from './load/read-all.ts'
import { command } from './load/resp.ts'
import type { Load } from './load.ts'
import type { PublishServer, ServerName, Topics } from './servers/server.ts'
import { PAYLOAD_BYTES } from './workloads.ts'

/** Reading a whole topic by one reader. */
export interface HistoryFigures {
  readonly server: ServerName
  readonly how: string
  readonly events: number
  readonly eventsPerS: number
  readonly bytesPerS: number
}

/** A way to ask for all events; made anew for each reading. */
interface Reading {
  readonly server: ServerName
  readonly how: string
  readonly ask: () => Promise<Pick<ReadOptions, 'port' | 'request'>>
}

const BATCH = 1_000
const TIMEOUT_MS = 120_000

/** Fills a topic of each server and reads it whole, `rounds` times; the median is told. */
export async function history(
  servers: readonly PublishServer[],
  load: Load,
  { events, rounds, batchesInFlight }: { events: number; rounds: number; batchesInFlight: number },
  tell: (text: string) => void,
): Promise<HistoryFigures[]> {
  const readings: Reading[] = []
  const made: Topics[] = []
  for (const server of servers.filter(({ name }) => name !== 'nchan' && name !== 'jetstream-fsync')) {
    const topics = await server.topics('history', 1)
    made.push(topics)
    const { failures } = await load.publisher.ask(
      'fill',
      { wire: topics.wire, inFlight: batchesInFlight, batch: BATCH, payloadBytes: PAYLOAD_BYTES, events },
      2 * TIMEOUT_MS,
    )
    if (failures.length > 0) throw new Error(failures.join('; '))
    readings.push(...readingsOf(server.name, topics))
  }
  const figures = new Map<Reading, { perS: number[]; bytes: number[] }>(
    readings.map(reading => [reading, { perS: [], bytes: [] }]),
  )
  for (let round = 0; round < rounds; round += 1) {
    for (const reading of rotated(readings, round)) {
      const options = { ...(await reading.ask()), events, timeoutMs: TIMEOUT_MS }
      const { seconds, bytes } = await load.publisher.ask('read', options, 2 * TIMEOUT_MS)
      figures.get(reading)!.perS.push(events / seconds)
      figures.get(reading)!.bytes.push(bytes / seconds)
      tell(`${reading.server}, history ${reading.how}: ${Math.round(events / seconds)} events/s`)
    }
  }
  for (const topics of made) await topics.remove()
  return [...figures].map(([{ server, how }, { perS, bytes }]) => ({
    server,
    how,
    events,
    eventsPerS: median(perS),
    bytesPerS: median(bytes),
  }))
}

function readingsOf(server: ServerName, { wire, subscribe }: Topics): Reading[] {
  const { port, topics } = wire
  if (server === 'redis')
    return [
      {
        server,
        how: 'XRANGE - +',
        ask: async () => ({ port, request: command('XRANGE', topics[0]!, '-', '+') }),
      },
    ]
  const stream: Reading = {
    server,
    how: server === 'jetstream' ? 'push consumer, no acknowledgements' : 'Server-Sent Events',
    ask: async () => {
      const { head, port: at } = await subscribe!()
      return { port: at, request: `${head}\r\n` }
    },
  }
  if (server === 'jetstream') return [stream]
  const path = `/v1/topics/${topics[0]}/events?from=earliest`
  const request = `${requestHead('GET', path, port, { Accept: 'application/x-ndjson' })}\r\n`
  return [{ server, how: 'application/x-ndjson', ask: async () => ({ port, request }) }, stream]
}
