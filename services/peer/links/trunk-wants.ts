import { Packr, Unpackr } from 'msgpackr'
import { HypercastError } from '../errors.ts'
import { count, items, text } from './unpacked.ts'

/** Path of the stream by which one peer gets live events from another (GET): the one trunk of that edge. */
export const TRUNK_PATH = '/v1/relay/trunk'
/** Path by which the lower end of a trunk says what it wants (POST). */
export const WANTS_PATH = '/v1/relay/wants'
/** Media type of both: frames of 4 bytes length (big-endian) and so many bytes of MessagePack; a bare body for wants. */
export const TRUNK_CONTENT_TYPE = 'application/vnd.msgpack'

/** What the lower end of a trunk wants of one slot from now on. */
export interface SlotWants {
  readonly slot: number
  readonly add: readonly string[]
  readonly remove: readonly string[]
  /** The peers whose wants these are: the lower end and all that is below it for this slot. */
  readonly below: readonly string[]
}

/** Changes to what a trunk carries, in the order of `turn`: 1, 2, 3, … */
export interface WantsUpdate {
  readonly trunk: string
  readonly turn: number
  readonly slots: readonly SlotWants[]
}

const packr = new Packr({ useRecords: false })
const unpackr = new Unpackr({ useRecords: false })

/** The request for a trunk as path and query. */
export function trunkPath(trunk: string): string {
  return `${TRUNK_PATH}?${new URLSearchParams({ trunk })}`
}

/** The name of the trunk asked for. Throws HypercastError INVALID_REQUEST. */
export function parseTrunkQuery({ trunk }: Readonly<Record<string, unknown>>): string {
  if (typeof trunk !== 'string' || !/^[0-9a-z]{1,32}$/.test(trunk)) {
    throw new HypercastError('INVALID_REQUEST', 'trunk must be 1 to 32 characters of 0-9 and a-z')
  }
  return trunk
}

export function encodeWants({ trunk, turn, slots }: WantsUpdate): Buffer {
  return packr.pack([trunk, turn, slots.map(({ slot, add, remove, below }) => [slot, add, remove, below])])
}

/** Throws HypercastError INVALID_REQUEST for what is no update, or one larger than any peer would send. */
export function decodeWants(body: Uint8Array): WantsUpdate {
  try {
    const [trunk, turn, slots] = items(unpackr.unpack(body))
    return { trunk: text(trunk), turn: count(turn), slots: items(slots).map(toWants) }
  } catch (error) {
    throw new HypercastError('INVALID_REQUEST', `wants: ${error instanceof Error ? error.message : error}`)
  }
}

function toWants(raw: unknown): SlotWants {
  const [slot, add, remove, below] = items(raw)
  return {
    slot: count(slot),
    add: items(add).map(text),
    remove: items(remove).map(text),
    below: items(below).map(text),
  }
}
