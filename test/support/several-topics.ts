import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'

/** What a slot holds, in its order. */
export interface SlotEvent {
  readonly topic: string
  readonly offset: number
}

/** The slots whose events are streamed, by number. */
export type SlotLogs = ReadonlyMap<number, readonly SlotEvent[]>

/** Whole numbers below `bound`, the same ones for the same seed. */
export function numbers(seed: number): (bound: number) => number {
  let state = seed
  return bound => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * bound)
  }
}

/** `count` events of each topic, spread over slots as `slotOf` says, in an order of chance. */
export function slotLogs(slotOf: Readonly<Record<string, number>>, count: number, seed: number): SlotLogs {
  const chance = numbers(seed)
  const logs = new Map<number, SlotEvent[]>()
  const offsets = new Map(Object.keys(slotOf).map(topic => [topic, 0]))
  while (offsets.size > 0) {
    const topic = [...offsets.keys()][chance(offsets.size)]!
    const offset = offsets.get(topic)! + 1
    offsets.set(topic, offset)
    if (offset === count) offsets.delete(topic)
    const slot = slotOf[topic]!
    logs.set(slot, [...(logs.get(slot) ?? []), { topic, offset }])
  }
  return logs
}

/** A frame of a stream over several topics; `cursor` is the vector behind it. */
export function severalFrame(
  cursor: string,
  { topic, offset }: SlotEvent,
  data = `${topic} ${offset}`,
): string {
  const attributes = {
    specversion: '1.0',
    id: `${offset}-1`,
    source: `/v1/topics/${topic}`,
    type: 'hypercast.event',
  }
  const rest = {
    time: '2025-01-31T12:00:00.000Z',
    datacontenttype: 'text/plain; charset=utf-8',
    topic,
    offset,
    data,
  }
  return `id: ${cursor}\ndata: ${JSON.stringify({ ...attributes, ...rest })}\n\n`
}

/**
 * A peer that serves these slots at `GET /v1/events`: each stream in another order among the slots, from the vector it is
 * given, with marks of the position in between, and cut after so many bytes as `cutAfter` says (undefined: left open).
 */
export async function severalPeer(t: Test, logs: SlotLogs, seed: number, cutAfter: () => number | undefined) {
  const chance = numbers(seed)
  const asked: { readonly url: string; readonly cursor: string | undefined }[] = []
  const answer = ({ url = '', headers }: IncomingMessage, response: ServerResponse) => {
    const cursor = headers['last-event-id'] as string | undefined
    asked.push({ url, cursor })
    const places = readVector(logs, cursor)
    let text = `retry: 500\n\nid: ${vector(places)}\n\n`
    for (;;) {
      const rest = [...logs].filter(([slot, log]) => places.get(slot)! < log.length)
      if (rest.length === 0) break
      const [slot, log] = rest[chance(rest.length)]!
      const event = log[places.get(slot)!]!
      places.set(slot, places.get(slot)! + 1)
      text += severalFrame(vector(places), event)
      if (chance(5) === 0) text += `:\n\nid: ${vector(places)}\n\n`
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const bytes = cutAfter()
    if (bytes === undefined) response.write(text)
    else response.write(Buffer.from(text).subarray(0, bytes), () => response.destroy())
  }
  const server = createServer(answer).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

function vector(places: ReadonlyMap<number, number>): string {
  return [...places].map(([slot, at]) => `${slot.toString(36)}.${at.toString(36)}.0`).join('~')
}

function readVector(logs: SlotLogs, cursor: string | undefined): Map<number, number> {
  const places = new Map([...logs.keys()].sort((one, other) => one - other).map(slot => [slot, 0]))
  for (const component of cursor?.split('~') ?? []) {
    const [slot, at] = component.split('.').map(part => Number.parseInt(part, 36))
    places.set(slot!, at!)
  }
  return places
}
