import { crc32 } from 'node:zlib'
import { Packr } from 'msgpackr'
import type { Entry } from '../raft/types.ts'
import { slotOf, TABLES } from './keys.ts'
import type { Key } from './kv.ts'
import { CorruptRecord } from './types.ts'

/** Version of the records' format. A store holds records of one version; another one is refused at opening. */
export const RECORD_VERSION = 1

/** Version byte and CRC-32 (IEEE) before each payload. */
const HEADER_BYTES = 5
/** Type and term before an entry's data. */
const ENTRY_HEADER_BYTES = 7

const ENTRY_TYPES = ['data', 'noop', 'config'] as const
const packer = new Packr({ useRecords: false })
const NO_DATA = new Uint8Array(0)

/**
 * Frames a payload: version, checksum, payload. The checksum covers the key too, so that a record that turns up in
 * another's place is noticed.
 */
export function seal(key: Key, payload: Uint8Array): Buffer {
  const record = Buffer.allocUnsafe(HEADER_BYTES + payload.length)
  record.set(payload, HEADER_BYTES)
  return finish(key, record)
}

/** Seals a value as MessagePack. */
export function sealValue(key: Key, value: unknown): Buffer {
  return seal(key, packer.pack(value))
}

/** Seals a log entry: type (1 byte), term (6 bytes), data as it is; a configuration as MessagePack. */
export function sealEntry(key: Key, entry: Entry): Buffer {
  const data = entry.type === 'config' ? packer.pack(entry.configuration) : entry.data
  const record = Buffer.allocUnsafe(HEADER_BYTES + ENTRY_HEADER_BYTES + data.length)
  record[HEADER_BYTES] = ENTRY_TYPES.indexOf(entry.type)
  record.writeUIntBE(entry.term, HEADER_BYTES + 1, 6)
  record.set(data, HEADER_BYTES + ENTRY_HEADER_BYTES)
  return finish(key, record)
}

/** The payload of a record. Throws `CorruptRecord`. */
export function unseal(key: Key, record: Uint8Array): Uint8Array {
  if (record.length < HEADER_BYTES) throw corrupt(key, 'cut off')
  if (record[0] !== RECORD_VERSION) throw corrupt(key, `format version ${record[0]} is not known`)
  const stored = ((record[1]! << 24) | (record[2]! << 16) | (record[3]! << 8) | record[4]!) >>> 0
  const payload = record.subarray(HEADER_BYTES)
  if (stored !== crc32(payload, crc32(key))) throw corrupt(key, 'checksum does not match')
  return payload
}

/** The value of a MessagePack record. Throws `CorruptRecord`. */
export function unsealValue<T>(key: Key, record: Uint8Array): T {
  return packer.unpack(unseal(key, record)) as T
}

/** The entry in a log record. Throws `CorruptRecord`. */
export function unsealEntry(key: Key, index: number, record: Uint8Array): Entry {
  const payload = unseal(key, record)
  const type = ENTRY_TYPES[payload[0]!]
  if (payload.length < ENTRY_HEADER_BYTES || !type) throw corrupt(key, 'unknown type of entry')
  const term = readTerm(payload)
  const data = payload.subarray(ENTRY_HEADER_BYTES)
  if (type !== 'config') return { index, term, type, data }
  return { index, term, type, data: NO_DATA, configuration: packer.unpack(data) }
}

/** A record is missing that must be there, or is not what it must be. */
export function corrupt(key: Key, what: string): CorruptRecord {
  const slot = key[0] === TABLES.store ? null : slotOf(key)
  const name = Object.entries(TABLES).find(([, table]) => table === key[0])?.[0] ?? 'unknown'
  const rest = Buffer.from(key.slice(3), 'latin1').toString('hex')
  const place = slot === null ? name : `${name} of slot ${slot}`
  return new CorruptRecord(slot, `${place}, row ${rest || '-'}: ${what}`)
}

function readTerm(payload: Uint8Array): number {
  let term = 0
  for (let i = 1; i < ENTRY_HEADER_BYTES; i++) term = term * 256 + payload[i]!
  return term
}

function finish(key: Key, record: Buffer): Buffer {
  record[0] = RECORD_VERSION
  record.writeUInt32BE(crc32(record.subarray(HEADER_BYTES), crc32(key)), 1)
  return record
}
