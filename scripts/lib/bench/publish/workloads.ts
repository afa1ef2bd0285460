import type { ServerName } from './servers/server.ts'

/** One way of publishing in a closed loop. */
export interface Workload {
  readonly part: 'throughput' | 'payloads' | 'topics'
  /** Publishes that are under way. */
  readonly inFlight: number
  /** Events of one publish. */
  readonly batch: number
  readonly payloadBytes: number
  readonly topics: number
}

export const PAYLOAD_BYTES = 256
/** In flight where something else is looked at. */
export const IN_FLIGHT = 64
const SINGLE = { batch: 1, payloadBytes: PAYLOAD_BYTES, topics: 1 } as const

/** All of a part. */
export function workloads(
  part: Workload['part'],
  { batchesInFlight, manyTopics }: { readonly batchesInFlight: number; readonly manyTopics: number },
): Workload[] {
  switch (part) {
    case 'throughput':
      return [
        ...[1, IN_FLIGHT, 512].map(inFlight => ({ part, ...SINGLE, inFlight })),
        ...[100, 1_000].map(batch => ({ part, ...SINGLE, batch, inFlight: batchesInFlight })),
      ]
    case 'payloads':
      return [16, 1_024, 65_536].map(payloadBytes => ({ part, ...SINGLE, payloadBytes, inFlight: IN_FLIGHT }))
    case 'topics':
      return [1, 64, manyTopics].map(topics => ({ part, ...SINGLE, topics, inFlight: IN_FLIGHT }))
  }
}

/** Whether a server takes part. Those that are there to be held against in one thing only do not in others; nchan has no batches. */
export function takesPart(server: ServerName, { part, batch }: Workload): boolean {
  if (server === 'nchan') return part === 'throughput' && batch === 1
  return part === 'throughput' || server !== 'jetstream-fsync'
}

/** As a server is asked for it: JetStream has no batches, so as many single publishes are under way, which suits it best. */
export function asAsked(
  server: ServerName,
  { inFlight, batch }: Workload,
): { inFlight: number; batch: number } {
  return server.startsWith('jetstream') ? { inFlight: inFlight * batch, batch: 1 } : { inFlight, batch }
}

/** In words. */
export function describe({ inFlight, batch, payloadBytes, topics }: Workload): string {
  const what = batch === 1 ? 'single publishes' : `batches of ${batch.toLocaleString('en-US')}`
  const size = payloadBytes < 1_024 ? `${payloadBytes} B` : `${payloadBytes / 1_024} KiB`
  const where = topics === 1 ? '' : `, ${topics.toLocaleString('en-US')} topics`
  return `${what} of ${size}, ${inFlight} in flight${where}`
}
