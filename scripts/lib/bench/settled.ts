import { connect } from 'node:net'
import type { Settled } from './collector.ts'

/**
 * Asks a peer that has collector.ts in it what memory is left after full collections; `path` is its socket. With `snapshot` it
 * writes a heap snapshot into this file besides. Rejects when it does not answer.
 */
export function askSettled(path: string, snapshot?: string): Promise<Settled> {
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect(path)
    socket.setEncoding('utf8').setTimeout(ANSWER_TIMEOUT_MS, () => {
      socket.destroy(new Error(`${path} does not answer`))
    })
    socket.on('data', (text: string) => {
      answer += text
    })
    socket.once('error', reject)
    socket.once('close', () => {
      try {
        resolve(JSON.parse(answer) as Settled)
      } catch {
        reject(new Error(`${path} did not answer`))
      }
    })
    socket.write(snapshot === undefined ? 'collect' : `snapshot ${snapshot}`)
  })
}

const ANSWER_TIMEOUT_MS = 60_000
