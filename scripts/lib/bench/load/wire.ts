/** How to subscribe to one topic of a server, for processes that know nothing of it. */
export interface SubscribeWire {
  readonly port: number
  /** The whole request up to, not including, the empty line that ends its headers. */
  readonly head: string
  /** The stream is open for certain when it has sent this. */
  readonly greeting: string
}

/** How to publish to one topic of a server. */
export interface PublishWire {
  readonly port: number
  /** Request of one event without its payload, content-length and empty line included. */
  readonly single: string
  /** Many events at once: one request with a body, or, where there is none such, that many requests one behind the other. */
  readonly batch:
    | {
        readonly kind: 'body'
        readonly path: string
        readonly contentType: string
        readonly before: string
        readonly after: string
      }
    | { readonly kind: 'pipelined' }
}

/** What a process of the load knows of one topic. */
export interface TopicWire {
  /** Subscribers are spread over these in turn. */
  readonly subscribe: readonly SubscribeWire[]
  readonly publish: PublishWire
}

/** Head of a request; more headers may follow it. */
export function requestHead(
  method: string,
  path: string,
  port: number,
  headers: Readonly<Record<string, string | number>> = {},
): string {
  const lines = Object.entries({ Host: `127.0.0.1:${port}`, ...headers }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  )
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}`
}
