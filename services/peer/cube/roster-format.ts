import type { RosterPeer } from './roster.ts'
import { invalid, olderProgram, type Refusal } from './roster-refusal.ts'

/** The newest format a peer's program speaks, or the one that a cluster's peers speak with each other. */
export function formatOf({ format = 1 }: { readonly format?: number }): number {
  return format
}

/** A format as a roster lists it: the first is not mentioned. */
export function listedFormat(format: number): { readonly format?: number } {
  return format === 1 ? {} : { format }
}

/** The newest format that the programs of all these peers speak. */
export function commonFormat(peers: readonly { readonly format?: number }[]): number {
  return Math.min(...peers.map(formatOf))
}

/** The peer as it is listed when it runs a program that speaks formats up to `format`. */
export function running({ format: _, ...peer }: RosterPeer, format: number): RosterPeer {
  return { ...peer, ...listedFormat(format) }
}

/** Why a peer whose program speaks formats up to `format` may not be listed: it would not read what others write. */
export function formatRefusal(cluster: { readonly format?: number }, format: number): Refusal | undefined {
  if (!isFormat(format)) return invalid('the format must be a whole number from 1 up')
  return format < formatOf(cluster) ? olderProgram(format, formatOf(cluster)) : undefined
}

/** What is wrong with the formats of a roster; undefined when each peer's program speaks the cluster's. */
export function formatsFault(
  peers: readonly { readonly id?: unknown; readonly format?: unknown }[],
  format: unknown = 1,
): string | undefined {
  if (!isFormat(format)) return 'the format of the roster must be a whole number from 1 up'
  for (const { id, format: own = 1 } of peers) {
    if (!isFormat(own)) return `the format of peer ${id} must be a whole number from 1 up`
    if (own < format) return `the roster has format ${format}, which peer ${id} does not speak`
  }
  return undefined
}

function isFormat(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 1
}
