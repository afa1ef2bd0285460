import { CloudEvent, HTTP, type Message } from 'cloudevents'
import type { Test } from 'tap'
import { encodeAttribute } from '../../clients/typescript/src/payload.ts'
import { topicSlot } from '../../services/peer/links/topic-slot.ts'
import { toCloudEvent } from '../../services/peer/streams/cloudevents.ts'
import { makeApp } from './app.ts'
import { ROSTER } from './fake-peer.ts'

const TOPIC = 'sports'

/** An app with the topic `sports`, and what tests of CloudEvents do with it. */
export async function cloudApp(t: Test, settings: Parameters<typeof makeApp>[1] = {}) {
  const { app, peer } = await makeApp(t, settings)
  await app.inject({ method: 'PUT', url: `/v1/topics/${TOPIC}` })
  const post = (path: string, payload: string | Uint8Array, headers: Record<string, string | string[]>) =>
    app.inject({
      method: 'POST',
      url: `/v1/topics/${TOPIC}/${path}`,
      headers,
      payload: typeof payload === 'string' ? payload : Buffer.from(payload),
    })
  const slot = topicSlot(TOPIC, ROSTER.slots)
  /** Everything kept, as a stream with `format=cloudevents` gives it. */
  const out = () => {
    const { incarnation } = peer.slots.topic(slot, TOPIC)!
    return peer.slots.read(slot, incarnation, 1, 1_000_000, 1e9).map(event => toCloudEvent(TOPIC, event))
  }
  return {
    app,
    peer,
    post,
    out,
    /** A body in structured mode, given as it is or as an object. */
    structured: (body: string | object, headers: Record<string, string> = {}) =>
      post('publish', textOf(body), { 'content-type': 'application/cloudevents+json', ...headers }),
    batch: (body: string | object, headers: Record<string, string> = {}, path = 'publish') =>
      post(path, textOf(body), { 'content-type': 'application/cloudevents-batch+json', ...headers }),
    /** A message as the SDK makes it, with the encoding of headers that it leaves to who sends them. */
    message: ({ headers, body }: Message) => {
      const encoded = Object.entries(headers).map(([name, value]) => [
        name,
        name.startsWith('ce-') ? encodeAttribute(String(value)) : String(value),
      ])
      return post('publish', (body ?? '') as string, Object.fromEntries(encoded))
    },
    last: () => JSON.parse(out().at(-1)!) as Record<string, unknown>,
  }
}

/** Attributes that every event needs. */
export function required(more: object = {}): Record<string, unknown> {
  return { specversion: '1.0', id: 'e1', source: '/stadium/1', type: 'org.example.goal', ...more }
}

/** What the SDK makes of a structured event, all its checks on. Throws ValidationError. */
export function strictly(json: string): CloudEvent<unknown> {
  const event = HTTP.toEvent({ headers: { 'content-type': 'application/cloudevents+json' }, body: json })
  return new CloudEvent({ ...(event as CloudEvent<unknown>) })
}

function textOf(body: string | object): string {
  return typeof body === 'string' ? body : JSON.stringify(body)
}
