import { StoreError } from './errors.ts'
import { storeKey } from './keys.ts'
import type { OrderedKv } from './kv.ts'
import { RECORD_VERSION, sealValue, unsealValue } from './record.ts'
import type { StoreIdentity } from './types.ts'

/** Version of the layout of tables and rows; another one is refused at opening. */
export const STORE_VERSION = 2

const IDENTITY = storeKey('identity')

interface IdentityRow extends StoreIdentity {
  readonly version: number
}

/**
 * Reads who the store belongs to and counts this opening, durably; an empty store is given an identity.
 *
 * @param kv the rows of the store
 * @param where names the store in messages
 * @param newUid makes the random uid of a new store
 * @throws StoreError DATA_FOREIGN, DATA_VERSION, DATA_UNREADABLE
 */
export function openIdentity(kv: OrderedKv, where: string, newUid: () => string): StoreIdentity {
  const record = kv.get(IDENTITY)
  if (!record && kv.keys('', '\uffff', { limit: 1 }).length > 0) {
    throw new StoreError(
      'DATA_FOREIGN',
      `${where} holds a database that is no peer's; choose another data folder`,
    )
  }
  const found = record ? read(record, where) : { uid: newUid(), boot: 0, version: STORE_VERSION }
  if (found.version !== STORE_VERSION) throw otherVersion(where, found.version)
  const identity: IdentityRow = { uid: found.uid, boot: found.boot + 1, version: STORE_VERSION }
  kv.writeSync([{ key: IDENTITY, value: sealValue(IDENTITY, identity) }])
  return { uid: identity.uid, boot: identity.boot }
}

function read(record: Uint8Array, where: string): IdentityRow {
  if (record[0] !== RECORD_VERSION) throw otherVersion(where, record[0] ?? 0)
  try {
    return unsealValue<IdentityRow>(IDENTITY, record)
  } catch (error) {
    const advice = 'the disk may be failing; move the folder away and add the peer again as a new one'
    throw new StoreError(
      'DATA_UNREADABLE',
      `${where} has lost the record of whose data it is: ${advice}`,
      error,
    )
  }
}

function otherVersion(where: string, version: number): StoreError {
  const advice = `this version of the program knows ${STORE_VERSION}; start the one that wrote it`
  return new StoreError('DATA_VERSION', `${where} holds data of format ${version}: ${advice}`)
}
