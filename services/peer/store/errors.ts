/** Why a store cannot be opened or used. The message says what is wrong and what to do, in one line. */
export type StoreErrorCode =
  /** Another process works in the folder. */
  | 'DATA_IN_USE'
  /** The path names something that is no folder. */
  | 'DATA_NOT_A_DIRECTORY'
  /** The folder cannot be made or written. */
  | 'DATA_NOT_WRITABLE'
  /** The folder holds something that is no peer's data. */
  | 'DATA_FOREIGN'
  /** The data was written in a format that this version does not know. */
  | 'DATA_VERSION'
  /** The data is a peer's but cannot be read: a lost disk. */
  | 'DATA_UNREADABLE'
  /** A write could not be made durable; nothing is known about the disk any more. */
  | 'WRITE_FAILED'
  /** The store was closed. */
  | 'STORE_CLOSED'

/** An error of the store, with a stable code. */
export class StoreError extends Error {
  readonly code: StoreErrorCode
  constructor(code: StoreErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'StoreError'
    this.code = code
  }
}
