/**
 * `bytes`, copied where they are less than half of the memory that they would keep alive. Node takes small buffers from pools
 * of 64 KiB, and a body has many entries: what keeps one of them for long (a ring, the tail of a slot's log) would keep all
 * of that, many times what its bounds count.
 */
export function ownBytes(bytes: Buffer): Buffer
export function ownBytes(bytes: Uint8Array): Uint8Array
export function ownBytes(bytes: Uint8Array): Uint8Array {
  if (bytes.length * 2 >= bytes.buffer.byteLength) return bytes
  const own = Buffer.allocUnsafeSlow(bytes.length)
  own.set(bytes)
  return own
}
