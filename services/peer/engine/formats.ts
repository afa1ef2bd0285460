import type { Roster } from '../cube/roster.ts'
import { formatOf } from '../cube/roster-format.ts'
import type { Operation } from '../links/types.ts'
import type { Request } from '../topics/types.ts'
import { commandFormatOf } from './codec.ts'
import { operationFormatOf } from './wire.ts'

/** The formats a program speaks with the peers of its cluster, from the oldest to the newest. */
export interface Formats {
  readonly oldest: number
  readonly newest: number
}

/**
 * The newest format this program speaks: one number for all that the peers of a cluster must understand of each other,
 * the commands in their logs, how they are applied, and the bodies between them. Raise it with what an older program
 * would not read, or would do otherwise, and say in FORMAT_TABLE what is new.
 */
export const FORMAT = 3
/** The oldest format this program still speaks; the one before can be given up when no cluster may be at it any more. */
export const OLDEST_FORMAT = 1

/** What this program speaks. */
export const FORMATS: Formats = { oldest: OLDEST_FORMAT, newest: FORMAT }

/** What a cluster of a format allows: the newest format of a command in a log, and of a body between peers. */
export interface FormatRow {
  readonly command: number
  readonly wire: number
}

/**
 * By format, from 1 up.
 * - 1: the roster lists the format of each peer.
 * - 2: a change of address may displace another peer; a slot may go on from a recovery; members say who is level and what
 *   is still to move; a refusal says why.
 * - 3: a slot is read by sequence; a trim says how far it gets, and a topic's row which trim took its last lost event; a peer
 *   is asked who listens.
 */
export const FORMAT_TABLE: readonly FormatRow[] = [
  { command: 3, wire: 1 },
  { command: 5, wire: 2 },
  { command: 6, wire: 3 },
]

/** The format of the bodies that peers of a cluster of this format send each other. */
export function wireFormatOf(format: number): number {
  return rowOf(format).wire
}

/**
 * Who keeps a request out of the cluster's logs, as a text for a person: the peers whose programs do not know it.
 * Undefined when every peer's does.
 */
export function heldBack(request: Request, roster: Roster): string | undefined {
  const command = commandFormatOf(request)
  if (command <= rowOf(formatOf(roster)).command) return undefined
  return behindText(FORMAT_TABLE.findIndex(row => row.command >= command) + 1, roster)
}

/** The same for what one peer asks of another: `append` carries a request, and all else has a format of its own. */
export function heldBackOperation(operation: Operation, roster: Roster): string | undefined {
  if (operation.kind === 'append') return heldBack(operation.request, roster)
  const wire = operationFormatOf(operation)
  if (wire <= rowOf(formatOf(roster)).wire) return undefined
  return behindText(FORMAT_TABLE.findIndex(row => row.wire >= wire) + 1, roster)
}

function behindText(needed: number, roster: Roster): string {
  const behind = roster.peers.filter(peer => formatOf(peer) < needed).map(({ id }) => id)
  return `This needs format ${needed}, and not all peers run a version that speaks it (${behind.join(', ')}): restart them with the new version.`
}

/** What is wrong with a program for a cluster, as a text that says what to do; undefined when they fit. */
export function formatFault({ oldest, newest }: Formats, roster: Roster): string | undefined {
  const format = formatOf(roster)
  if (newest < format) {
    return `The peers of cluster ${roster.clusterId} speak format ${format} with each other and this program knows up to ${newest}: run a version that speaks it, as the others do.`
  }
  if (oldest > format) {
    return `The peers of cluster ${roster.clusterId} speak format ${format} with each other and this program none before ${oldest}: run a version in between on all peers first.`
  }
  return undefined
}

/** A program that is too new for a cluster reads all that an older one wrote; one that is too old does not get here. */
function rowOf(format: number): FormatRow {
  return FORMAT_TABLE[Math.min(format, FORMAT_TABLE.length) - 1]!
}
