export type { BackoffOptions } from './backoff.ts'
export {
  type BatchPublished,
  type CallOptions,
  type Cube,
  PeerClient,
  type PublishEventOptions,
  type Published,
  type PublishOptions,
  type SendOptions,
  type Topic,
  type TopicSettings,
} from './client.ts'
export type { End } from './feed.ts'
export type { SubscriberOptions } from './listening.ts'
export type { components, operations, paths } from './openapi.ts'
export type { BatchEvent, EventData, EventOptions } from './payload.ts'
export { Peers } from './peers.ts'
export { NoPeerError, type Problem, ProblemError } from './problem.ts'
export { Publisher } from './publisher.ts'
export { type Notice, type ReceivedEvent, StreamError } from './received.ts'
export type { RequestOptions } from './requests.ts'
export { type SseFrame, SseParser } from './sse.ts'
export { Subscriber } from './subscriber.ts'
export { type CallbackOptions, Subscription } from './subscription.ts'
