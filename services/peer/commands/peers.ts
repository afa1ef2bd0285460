import { LIMITS } from '../limits.ts'
import { askPeers, type PeersAnswer } from './ask.ts'

/** `hypercast peers`: prints what the peer at `url` knows. Rejects with CommandError. */
export async function runPeers(url: string, say: (line: string) => void): Promise<void> {
  const answer = await askPeers(url)
  for (const line of [...peerTable(answer), ...summary(answer)]) say(line)
}

/** The peers as the lines of a table. */
export function peerTable({ peers }: PeersAnswer): string[] {
  const rows = [
    ['id', 'url', 'status', 'leaving', 'homes', 'primaries'],
    ...peers.map(({ id, url, status, leaving, homes, primaries }) => [
      id,
      url,
      status,
      leaving ? 'yes' : 'no',
      String(homes),
      String(primaries),
    ]),
  ]
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map(row => row[column]!.length)))
  return rows.map(row =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  )
}

/** What is still to move, as one line. */
export function progressLine({ moving, unknown }: Pick<PeersAnswer, 'moving' | 'unknown'>): string {
  if (!unknown) return moving ? `${slots(moving)} still to move` : 'no slot is still to move'
  const silent = `nobody answered for ${slots(unknown)}`
  return moving ? `${slots(moving)} still to move; ${silent}` : silent
}

function summary(answer: PeersAnswer): string[] {
  const staying = answer.peers.filter(({ leaving }) => !leaving).length
  const lines = [progressLine(answer)]
  if (staying < LIMITS.REPLICAS) {
    lines.push(
      `a cluster of ${staying === 1 ? 'one peer' : `${staying} peers`} does not survive a failure: let ${LIMITS.REPLICAS} or more take part`,
    )
  }
  return lines
}

function slots(count: number): string {
  return count === 1 ? '1 slot' : `${count} slots`
}
