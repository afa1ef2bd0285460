import { connect } from 'node:net'
import type { Clock, DialResult } from '../engine/types.ts'
import { LIMITS } from '../limits.ts'

/**
 * Opens a fresh connection to a base URL and closes it again. A connection that is reset at once was taken by the
 * kernel for a process that is about to end: it is dialled again, so that the end is seen as `refused`.
 */
export async function dial(url: string, timeoutMs: number, clock: Clock): Promise<DialResult> {
  for (let attempt = 1; attempt <= LIMITS.MAX_DIALS; attempt += 1) {
    const result = await dialOnce(url, timeoutMs, clock)
    if (result !== 'reset') return result
  }
  return 'silent'
}

function dialOnce(url: string, timeoutMs: number, clock: Clock): Promise<DialResult | 'reset'> {
  const { hostname, port, protocol } = new URL(url)
  const host = hostname.replace(/^\[|\]$/g, '')
  return new Promise(resolve => {
    let opened = false
    const socket = connect({ host, port: Number(port) || (protocol === 'https:' ? 443 : 80) })
    const finish = (result: DialResult | 'reset') => {
      cancel()
      socket.destroy()
      resolve(result)
    }
    let cancel = clock.after(timeoutMs, () => finish('silent'))
    socket.on('connect', () => {
      opened = true
      cancel()
      cancel = clock.after(LIMITS.DIAL_SETTLE_MS, () => finish('open'))
    })
    socket.on('error', error => {
      const { code } = error as NodeJS.ErrnoException
      if (opened || code === 'ECONNRESET') finish('reset')
      else finish(code === 'ECONNREFUSED' ? 'refused' : 'silent')
    })
    socket.on('end', () => finish('reset'))
    socket.resume()
  })
}
