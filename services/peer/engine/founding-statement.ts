import type { PeerId } from '../cube/labels.ts'
import { cubeFault, type Roster, rosterFault } from '../cube/roster.ts'
import { HypercastError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { Formats } from './formats.ts'

/** One peer of the list every peer was started with. */
export interface ListedPeer {
  readonly id: PeerId
  readonly url: string
}

/** What a peer was told to found: the same for all, or nothing is founded. */
export interface FoundingPlan {
  readonly dimension: number
  readonly slots: number
  /** Sorted by label, the peer itself included. */
  readonly list: readonly ListedPeer[]
}

/** Version of the statements below on the wire. */
export const FOUNDING_FORMAT = 1

/**
 * What a peer says of itself, both when it asks (`POST /v1/relay/founding`) and when it answers.
 * `founded` is said only once the roster is durable on the peer's own disk.
 */
export type Statement = {
  readonly format: number
  readonly id: PeerId
  readonly uid: string
  /** What its program speaks with other peers; absent means format 1 alone. */
  readonly speaks?: Formats
} & (
  | { readonly kind: 'empty'; readonly plan: FoundingPlan }
  | { readonly kind: 'founded'; readonly roster: Roster }
)

/** The peers were told different things, or a peer is not where the list says. The message names the difference. */
export class FoundingError extends HypercastError {
  constructor(detail: string) {
    super('FOUNDING_REFUSED', detail)
    this.name = 'FoundingError'
  }
}

/** This peer's store is not the one its cluster knows: it must not take part under its old name. */
export class StrangerError extends HypercastError {
  /** A peer of the cluster that knows this one by its label and another store: ask it to put this one in its place. */
  readonly replaceVia: string | undefined
  constructor(detail: string, replaceVia?: string) {
    super('STRANGER', detail)
    this.name = 'StrangerError'
    this.replaceVia = replaceVia
  }
}

/** Checks a statement that came over the network. Throws HypercastError INVALID_REQUEST that says what is wrong. */
export function readStatement(body: unknown): Statement {
  const fault = statementFault(body)
  if (fault !== undefined) throw new HypercastError('INVALID_REQUEST', fault)
  return body as Statement
}

function statementFault(body: unknown): string | undefined {
  if (!isRecord(body)) return 'a founding statement must be an object'
  if (body.format !== FOUNDING_FORMAT) {
    return `this peer reads founding statements of format ${FOUNDING_FORMAT}: run the same version on all peers`
  }
  if (!isText(body.id, LIMITS.MAX_DIMENSION)) return 'a founding statement must name its peer in id'
  if (!isText(body.uid, LIMITS.MAX_UID_LENGTH)) return 'a founding statement must name its store in uid'
  if (body.speaks !== undefined && !areFormats(body.speaks)) {
    return 'a founding statement must say in speaks the oldest and the newest format of its program'
  }
  if (body.kind === 'founded') return rosterFault(body.roster, LIMITS)
  if (body.kind !== 'empty' || !isRecord(body.plan)) return 'a founding statement must be empty or founded'
  const { dimension, slots, list } = body.plan
  return cubeFault(dimension, slots, list, LIMITS)
}

/**
 * How two plans differ, named for a person, as `there` is called by `name`; undefined when they are the same.
 * Also compares a roster's list with the one on the command line.
 */
export function planDifference(here: FoundingPlan, there: FoundingPlan, name: string): string | undefined {
  const differences: string[] = []
  if (here.slots !== there.slots) differences.push(`${here.slots} slots here, ${there.slots} ${name}`)
  if (here.dimension !== there.dimension) {
    differences.push(`ids of ${here.dimension} digits here, of ${there.dimension} ${name}`)
  }
  const theirs = new Map(there.list.map(peer => [peer.id, peer.url]))
  for (const { id, url } of here.list) {
    const other = theirs.get(id)
    if (other === undefined) differences.push(`${id}=${url} only here`)
    else if (other !== url) differences.push(`${id} is ${url} here, ${other} ${name}`)
    theirs.delete(id)
  }
  for (const [id, url] of theirs) differences.push(`${id}=${url} only ${name}`)
  return differences.length === 0 ? undefined : differences.join('; ')
}

function areFormats(value: unknown): boolean {
  if (!isRecord(value)) return false
  const { oldest, newest } = value
  return (
    Number.isSafeInteger(oldest) &&
    Number.isSafeInteger(newest) &&
    1 <= Number(oldest) &&
    Number(oldest) <= Number(newest)
  )
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isText(value: unknown, maxLength: number): value is string {
  return typeof value === 'string' && value.length >= 1 && value.length <= maxLength
}
