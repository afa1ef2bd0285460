import { join } from 'node:path'
import { dimensionFor, formatLabel } from '../cube/labels.ts'

/** One peer as it will be started. */
export interface PeerPlan {
  readonly id: string
  readonly port: number
  readonly url: string
  /** Folder of its store. */
  readonly data: string
  /** Folder of its log file. */
  readonly logs: string
  /** Everything behind `hypercast`, beginning with `peer`. */
  readonly arguments: readonly string[]
}

export interface CubePlanOptions {
  /** One port per peer, in order of their labels. */
  readonly ports: readonly number[]
  readonly data: string
  readonly logs: string
  /** Further arguments of each peer. */
  readonly extra?: readonly string[]
}

/** Labels of a cube of so many peers, from corner 0 on: as wide as they need, at least one digit. */
export function cubeLabels(peers: number): string[] {
  return Array.from({ length: peers }, (_, corner) => formatLabel(corner, dimensionFor(peers)))
}

/** The peers of a cube on this machine's loopback, each with the arguments that start it, alone or again. */
export function planCube({ ports, data, logs, extra = [] }: CubePlanOptions): PeerPlan[] {
  const labels = cubeLabels(ports.length)
  const urls = ports.map(port => `http://127.0.0.1:${port}`)
  const list = labels.map((id, index) => `${id}=${urls[index]}`).join(',')
  return labels.map((id, index) => {
    const own = join(data, id)
    const founding = ports.length === 1 ? ['--found'] : ['--peers', list]
    const folders = [
      ...(own === join('data', id) ? [] : ['--data', own]),
      ...(logs === 'logs' ? [] : ['--logs', logs]),
    ]
    const port = ports[index]!
    const arguments_ = ['peer', '--node-id', id, '--port', String(port), ...founding, ...folders, ...extra]
    return { id, port, url: urls[index]!, data: own, logs, arguments: arguments_ }
  })
}

/** The command that starts a peer by hand, quoted for a POSIX shell. */
export function commandLine(plan: PeerPlan): string {
  return ['npx', 'hypercast', ...plan.arguments].map(quote).join(' ')
}

function quote(word: string): string {
  return /^[\w./:=,@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
