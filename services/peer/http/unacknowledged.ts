import { open } from 'node:fs/promises'
import { isIPv4, isIPv6 } from 'node:net'
import { endianness } from 'node:os'
import { LIMITS } from '../limits.ts'

/** The two ends of a TCP connection, as `net.Socket` has them. */
export interface Ends {
  readonly localAddress?: string | undefined
  readonly localPort?: number | undefined
  readonly remoteAddress?: string | undefined
  readonly remotePort?: number | undefined
}

/** Told of one connection: its key, and how many bytes the other machine has not acknowledged. */
export type QueueVisitor = (connection: string, unacknowledgedBytes: number) => void

/** The kernel's tables of connections (Linux, proc(5)): those of IPv4, and those of IPv6 and of both. */
export const SOCKET_TABLES = { v4: '/proc/net/tcp', v6: '/proc/net/tcp6' } as const

/** A row: number, local end, remote end, state, then in hexadecimal the bytes sent and not acknowledged. */
const ROW = /^ *\d+: ([0-9A-F]+:[0-9A-F]{4} [0-9A-F]+:[0-9A-F]{4}) [0-9A-F]{2} ([0-9A-F]+):/

/**
 * A connection as the kernel's tables write it: addresses as 32-bit words of this machine's byte order, in hexadecimal.
 * Undefined when the socket is not connected.
 */
export function connectionKey(ends: Ends, order: 'BE' | 'LE' = endianness()): string | undefined {
  const local = endKey(ends.localAddress, ends.localPort, order)
  const remote = endKey(ends.remoteAddress, ends.remotePort, order)
  return local && remote && `${local} ${remote}`
}

/** Whether a connection stands in the table of IPv4 or in the other one. */
export function tableOf(connection: string): keyof typeof SOCKET_TABLES {
  return connection.indexOf(':') === 8 ? 'v4' : 'v6'
}

/**
 * Tells `visit` of every row in a part of a table; what is no row is passed by.
 * @returns the beginning of a last row that is not complete, to be put in front of the next part
 */
export function visitRows(text: string, visit: QueueVisitor): string {
  let start = 0
  for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
    const row = ROW.exec(text.slice(start, end))
    if (row) visit(row[1]!, Number.parseInt(row[2]!, 16))
    start = end + 1
  }
  return text.slice(start)
}

/**
 * Reads a table in slices, each in a turn of its own, and tells `visit` of its rows; at most
 * LIMITS.MAX_SOCKET_TABLE_BYTES of it. Resolves false where there is no such table.
 */
export async function readQueues(path: string, visit: QueueVisitor): Promise<boolean> {
  const table = await open(path).catch(() => undefined)
  if (table === undefined) return false
  try {
    const slice = Buffer.allocUnsafe(LIMITS.SOCKET_TABLE_SLICE_BYTES)
    let rest = ''
    for (let readBytes = 0; readBytes < LIMITS.MAX_SOCKET_TABLE_BYTES; ) {
      // Without a place: the kernel goes on behind the row it gave last.
      const { bytesRead } = await table.read(slice, 0, slice.length, null)
      if (bytesRead === 0) break
      readBytes += bytesRead
      rest = visitRows(rest + slice.toString('latin1', 0, bytesRead), visit)
    }
    return true
  } catch {
    return false
  } finally {
    await table.close()
  }
}

function endKey(address = '', port = 0, order: 'BE' | 'LE'): string | undefined {
  const bytes = isIPv4(address) ? bytesOfV4(address) : isIPv6(address) ? bytesOfV6(address) : undefined
  if (bytes === undefined || port === 0) return undefined
  const words: string[] = []
  for (let at = 0; at < bytes.length; at += 4) {
    const word = bytes.slice(at, at + 4)
    if (order === 'LE') word.reverse()
    words.push(...word.map(byte => hex(byte, 2)))
  }
  return `${words.join('')}:${hex(port, 4)}`
}

function bytesOfV4(address: string): number[] {
  return address.split('.').map(Number)
}

/** RFC 4291, section 2.2: `::` stands for as many zeros as are missing; the end may be an IPv4 address. */
function bytesOfV6(address: string): number[] {
  const [head = '', tail] = address.split('%', 1)[0]!.split('::')
  const front = groupBytes(head)
  const back = groupBytes(tail ?? '')
  return [...front, ...new Array<number>(16 - front.length - back.length).fill(0), ...back]
}

function groupBytes(groups: string): number[] {
  if (groups === '') return []
  return groups.split(':').flatMap(group => {
    if (isIPv4(group)) return bytesOfV4(group)
    const value = Number.parseInt(group, 16)
    return [value >> 8, value & 0xff]
  })
}

function hex(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, '0')
}
