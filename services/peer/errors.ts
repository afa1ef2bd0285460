/**
 * The one table of errors. Each has a stable code, an HTTP status, a title and what the caller should do;
 * docs/ERRORS.md is generated from it and its anchors are the `type` of the answers (RFC 9457).
 */
export interface ErrorRow {
  readonly status: number
  readonly title: string
  /** What to do about it. */
  readonly remedy: string
  /** Seconds for Retry-After, where trying again may help. */
  readonly retryAfterS?: number
}

const table = {
  UNKNOWN_TOPIC: {
    status: 404,
    title: 'There is no such topic',
    remedy: 'Create it with PUT /v1/topics/{topic}, or look at GET /v1/topics for the names that exist.',
  },
  TOPIC_EXISTS: {
    status: 409,
    title: 'The topic exists with different settings',
    remedy: 'Read them with GET /v1/topics/{topic} and change them with PATCH, or choose another name.',
  },
  TOO_MANY_TOPICS: {
    status: 507,
    title: 'The slot of this topic holds as many topics as it may',
    remedy: 'Delete topics that are no longer used; see the limits in the README.',
  },
  INVALID_TOPIC_NAME: {
    status: 400,
    title: 'The name cannot be a topic',
    remedy:
      'Use 1 to 255 bytes of UTF-8 without control characters, not "." or "..", without "*", not starting with "$"; percent-encode it in the path.',
  },
  INVALID_REQUEST: {
    status: 400,
    title: 'The request is not as the contract says',
    remedy: 'Compare it with openapi.yaml (or /docs); the detail names the part that is wrong.',
  },
  UNKNOWN_PARAMETER: {
    status: 400,
    title: 'The query has a parameter that this path does not know',
    remedy: 'Remove it or correct its spelling; openapi.yaml lists the parameters of each path.',
  },
  INVALID_CURSOR: {
    status: 400,
    title: 'The cursor cannot be read',
    remedy: 'Give back the id of the last event as it was received, for example 42-1.',
  },
  CURSOR_FROM_FUTURE: {
    status: 400,
    title: 'The cursor names an event that was never published',
    remedy: 'It belongs to another cluster or topic. Start again with from=earliest or from=latest.',
  },
  INVALID_EVENT: {
    status: 400,
    title: 'The event cannot be published as it is',
    remedy:
      'The detail says what is wrong; types "open", "error", "message", "gap", "end" and "cloudevent" are reserved.',
  },
  EMPTY_BATCH: {
    status: 400,
    title: 'The batch holds no event',
    remedy:
      'Send one JSON object a line, for example {"data":"Match Update 1"}, or a JSON list of at least one CloudEvent.',
  },
  IDEMPOTENCY_KEY_REUSED: {
    status: 422,
    title: 'This Idempotency-Key was used with another payload',
    remedy:
      'Use a new key for a new event. Without a key, the source and id of a CloudEvent are one: use a new id.',
  },
  IDEMPOTENCY_KEY_IN_FLIGHT: {
    status: 409,
    title: 'A publish with this Idempotency-Key is under way',
    remedy: 'Wait for its answer, or try again in a moment: the same key gives the same answer.',
    retryAfterS: 1,
  },
  KEY_SPACE_FULL: {
    status: 503,
    title: 'No more idempotency keys can be remembered now',
    remedy:
      'Publish without a key, in batches, or later: keys are forgotten five minutes after their use. The source and id of a CloudEvent are a key.',
    retryAfterS: 30,
  },
  PAYLOAD_TOO_LARGE: {
    status: 413,
    title: 'The body is larger than this peer takes',
    remedy:
      'Send less at once; the limits are in the README and can be set with --max-payload and --max-batch.',
  },
  UNSUPPORTED_MEDIA_TYPE: {
    status: 415,
    title: 'This path does not take that content type',
    remedy: 'The detail lists the types it takes.',
  },
  NOT_ACCEPTABLE: {
    status: 406,
    title: 'None of the accepted types can be given',
    remedy: 'Ask for text/event-stream, application/json or application/x-ndjson.',
  },
  NOT_TEXT: {
    status: 415,
    title: 'The body is not valid UTF-8 text',
    remedy: 'Say what it is with a Content-Type, for example application/octet-stream.',
  },
  FOREIGN_ORIGIN: {
    status: 403,
    title: 'Pages of this origin may not write here',
    remedy: 'Allow the origin with --allow-origin, or write from a page of this peer.',
  },
  STRANGER: {
    status: 403,
    title: 'The sender is not a peer of this cluster',
    remedy: 'This path is for peers of the same cluster only; clients use the paths of openapi.yaml.',
  },
  MISDIRECTED: {
    status: 421,
    title: 'The request is meant for another peer',
    remedy:
      'Peers that have moved answer at each other’s addresses for a while; whoever asks looks elsewhere.',
  },
  FOUNDING_REFUSED: {
    status: 409,
    title: 'The cluster cannot be founded from what its peers were told',
    remedy: 'Start every peer with the same --peers list; the detail names the difference.',
  },
  NOT_FOUND: {
    status: 404,
    title: 'There is nothing at this path',
    remedy: 'GET /openapi.yaml or /docs lists the paths.',
  },
  UNKNOWN_PEER: {
    status: 404,
    title: 'There is no such peer',
    remedy: 'GET /v1/peers lists the peers.',
  },
  LABEL_TAKEN: {
    status: 409,
    title: 'The label belongs to another peer',
    remedy: 'Ask for a label that is free, or for none: the lowest free one is given then.',
  },
  LABEL_TOO_WIDE: {
    status: 409,
    title: 'The label does not fit the cube',
    remedy:
      'Ask for one no wider than the dimension, or for none: the cube grows only when every corner is taken, and by one dimension.',
  },
  ADDRESS_TAKEN: {
    status: 409,
    title: 'The address belongs to another peer',
    remedy:
      'Give the peer an address of its own; if that other peer is gone for good, let it be evicted first.',
  },
  STORE_LISTED: {
    status: 409,
    title: 'The data folder belongs to a peer of this cube already',
    remedy:
      'Start that peer with the label and address it has, see GET /v1/peers, or give the new one an empty data folder.',
  },
  CUBE_FULL: {
    status: 409,
    title: 'The cube has no room for another peer',
    remedy: 'Let peers leave that are no longer needed, or found a second cluster.',
  },
  JOIN_REFUSED: {
    status: 409,
    title: 'The peer does not fit this cluster',
    remedy: 'Do what the detail says; nothing was changed.',
  },
  ADDRESS_UNREACHABLE: {
    status: 422,
    title: 'The new peer is not reached at the address it names',
    remedy: 'Give it an address that the other peers reach, with --advertise; nothing was changed.',
  },
  CHANGE_UNDER_WAY: {
    status: 409,
    title: 'Another change of the roster is under way',
    remedy: 'Try again when it has ended: GET /v1/peers?progress=true says what slots are still to move.',
    retryAfterS: 5,
  },
  LAST_PEER: {
    status: 409,
    title: 'The last peer cannot leave',
    remedy: 'Let another peer join first, or stop the peer to end the cluster.',
  },
  NOT_LEAVING: {
    status: 409,
    title: 'The peer is not leaving',
    remedy:
      'Let it leave or evict it with DELETE /v1/peers/{id}; it goes off the list when its slots have moved.',
  },
  UPGRADE_UNDER_WAY: {
    status: 503,
    title: 'Not all peers run a version that knows this yet',
    remedy:
      'Restart the peers that the detail names with the new version, one by one, and try again; GET /v1/peers shows the format of each.',
    retryAfterS: 5,
  },
  PEER_NOT_LOST: {
    status: 409,
    title: 'A peer that is said to be lost answers',
    remedy:
      'Recover only from peers that are gone for good: stop that one first, or leave it out; one that came back at another address, start at its old one. If all of them have just died, ask again in a moment. Nothing was changed.',
  },
  PEER_SILENT: {
    status: 409,
    title: 'A peer that is not said to be lost does not answer',
    remedy: 'Start it, or name it as lost too if it is gone for good. Nothing was changed.',
  },
  RECOVERY_INCOMPLETE: {
    status: 503,
    title: 'The recovery stopped on its way',
    remedy:
      'Do what the detail says and ask for the same again: what is done stays, and it goes on from there.',
    retryAfterS: 5,
  },
  METHOD_NOT_ALLOWED: {
    status: 405,
    title: 'This path does not take that method',
    remedy: 'The Allow header lists the methods it takes.',
  },
  BAD_HTTP: {
    status: 400,
    title: 'The bytes received are not HTTP',
    remedy: 'Speak HTTP/1.1 to this port.',
  },
  HEADERS_TOO_LARGE: {
    status: 431,
    title: 'The header of the request is too large',
    remedy: 'Send at most 128 KiB of request line and headers together.',
  },
  REQUEST_TIMEOUT: {
    status: 408,
    title: 'The request did not arrive in time',
    remedy: 'Send the whole request without long pauses.',
  },
  NO_PRIMARY: {
    status: 503,
    title: 'The topic has no primary now',
    remedy: 'A majority of its replicas cannot be reached. Nothing was published; try again in a moment.',
    retryAfterS: 1,
  },
  UNREACHABLE: {
    status: 503,
    title: 'No replica of the topic can be reached from this peer',
    remedy: 'Nothing was published; try again in a moment or through another peer.',
    retryAfterS: 1,
  },
  OVERLOADED: {
    status: 503,
    title: 'More is under way than this peer can hold',
    remedy: 'Nothing was published; try again more slowly.',
    retryAfterS: 1,
  },
  NOT_FOUNDED: {
    status: 503,
    title: 'This peer does not know its cube yet',
    remedy:
      'Wait until the peers of its list have been started and have founded the cube, or use another peer.',
    retryAfterS: 1,
  },
  STOPPING: {
    status: 503,
    title: 'This peer is stopping',
    remedy: 'Use another peer.',
    retryAfterS: 1,
  },
  OUTCOME_UNKNOWN: {
    status: 504,
    title: 'The outcome is not known',
    remedy: 'The event may or may not appear. Try again with the same Idempotency-Key: it will appear once.',
    retryAfterS: 1,
  },
  CLOCK_SKEW: {
    status: 503,
    title: 'The clock of the primary is wrong',
    remedy: 'It hands over to a replica; try again in a moment, and set that machine’s clock.',
    retryAfterS: 1,
  },
  DISK_FULL: {
    status: 507,
    title: 'The disk of the primary is down to its reserve',
    remedy: 'Free space on it or shorten the retention of topics; nothing was published.',
    retryAfterS: 30,
  },
  INTERNAL: {
    status: 500,
    title: 'Something went wrong in this peer',
    remedy: 'Its log says more under the request id; this is a defect worth a report.',
  },
} as const satisfies Record<string, ErrorRow>

export type ErrorCode = keyof typeof table

/** Every error by its code. */
export const ERRORS: Readonly<Record<ErrorCode, ErrorRow>> = table

/** An error of the table with the detail of this one case. */
export class HypercastError extends Error {
  readonly code: ErrorCode
  /** Further members of the problem document. */
  readonly extra: Readonly<Record<string, unknown>>
  constructor(code: ErrorCode, detail?: string, extra: Readonly<Record<string, unknown>> = {}) {
    super(detail ?? ERRORS[code].title)
    this.name = 'HypercastError'
    this.code = code
    this.extra = extra
  }
}
