/**
 * What a message between two peers is for. A request and its answer are two messages; a stream is one message for each
 * chunk that is written to it.
 */
export type MessageKind = 'heartbeat' | 'raft' | 'operation' | 'follow' | 'other'

/** Counts messages where they leave a peer, from one `reset` to the next. */
export class Tally {
  readonly messages = { heartbeat: 0, raft: 0, operation: 0, follow: 0, other: 0 }
  /** Operations sent on to another peer: hops, those that led nowhere included. */
  hops = 0
  /** Events in chunks of streams between peers. */
  followedEvents = 0
  /** How often an event came down an edge: `asker>asked`, topic and offset. */
  readonly copies = new Map<string, number>()
  /** Heartbeat exchanges begun, by the pair: `asker>asked`. */
  readonly exchanges = new Map<string, number>()
  /** What there would have to be a connection for: `asker>asked kind`. */
  readonly connections = new Set<string>()

  /** A message that leaves on a connection that `asker` opened. */
  message(kind: MessageKind, asker: string, asked: string): void {
    this.messages[kind] += 1
    this.connections.add(`${asker}>${asked} ${kind}`)
  }

  /** An event that `asker` got of `asked`. */
  followed(asker: string, asked: string, topic: string, offset: number): void {
    this.followedEvents += 1
    const copy = `${asker}>${asked} ${topic} ${offset}`
    this.copies.set(copy, (this.copies.get(copy) ?? 0) + 1)
  }

  exchange(asker: string, asked: string): void {
    const pair = `${asker}>${asked}`
    this.exchanges.set(pair, (this.exchanges.get(pair) ?? 0) + 1)
  }

  reset(): void {
    for (const kind of Object.keys(this.messages) as MessageKind[]) this.messages[kind] = 0
    this.hops = 0
    this.followedEvents = 0
    this.copies.clear()
    this.exchanges.clear()
    this.connections.clear()
  }

  /** How many connections each peer is an end of; peers without any are left out. */
  connectionsByPeer(): Map<string, number> {
    return ends([...this.connections].map(connection => connection.split(' ', 1)[0]!))
  }

  /** How many exchanges each peer took part in; peers without any are left out. */
  exchangesByPeer(): Map<string, number> {
    const counts = new Map<string, number>()
    for (const [pair, count] of this.exchanges) {
      for (const id of pair.split('>')) counts.set(id, (counts.get(id) ?? 0) + count)
    }
    return counts
  }
}

function ends(pairs: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const pair of pairs) for (const id of pair.split('>')) counts.set(id, (counts.get(id) ?? 0) + 1)
  return counts
}
