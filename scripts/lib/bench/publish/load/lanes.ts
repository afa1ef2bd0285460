import { HttpLane } from './http-lane.ts'
import { NatsLanes } from './nats-lanes.ts'
import { RedisLane } from './redis-lane.ts'
import type { PublishWire } from './wire.ts'

/** The same payload `count` times in one publish. */
export interface Events {
  readonly count: number
  /** Latin1, and nothing that JSON would escape. */
  readonly payload: string
}

/** Told when a publish is acknowledged: with nothing, or with what went wrong in words. */
export type Done = (failure: string | undefined) => void

/** Publishes one after the other. */
export interface Lane {
  /** `topic`: number of the topic in the wire. To be called again only when `done` was. */
  publish(topic: number, events: Events, done: Done): void
}

export interface Lanes {
  readonly lanes: readonly Lane[]
  close(): void
}

/** So many lanes to a server, connected. With NATS they share one connection, as its clients do; elsewhere each has its own. */
export async function openLanes(wire: PublishWire, count: number): Promise<Lanes> {
  if (wire.kind === 'nats') {
    const lanes = new NatsLanes(wire, count)
    await lanes.connected
    return { lanes: lanes.lanes, close: () => lanes.close() }
  }
  const lanes = Array.from({ length: count }, () =>
    wire.kind === 'http' ? new HttpLane(wire) : new RedisLane(wire),
  )
  await Promise.all(lanes.map(lane => lane.connected))
  return {
    lanes,
    close: () => {
      for (const lane of lanes) lane.close()
    },
  }
}
