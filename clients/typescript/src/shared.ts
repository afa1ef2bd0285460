export type { Channel, Locks, Message, Surroundings, Term } from './shared/messages.ts'
export { type SharedOptions, SharedSubscriber } from './shared/subscriber.ts'
