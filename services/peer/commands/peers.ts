import { LIMITS } from '../limits.ts'
import { aboutSize } from '../units.ts'
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
export function progressLine({
  moving,
  bytesToMove,
  unknown,
}: Omit<PeersAnswer, 'peers' | 'format' | 'behind'>): string {
  const rest = moving ? `${slots(moving)}, ${aboutSize(bytesToMove ?? 0)} still to move` : undefined
  if (!unknown) return rest ?? 'no slot is still to move'
  const silent = `nobody answered for ${slots(unknown)}`
  return rest ? `${rest}; ${silent}` : silent
}

function summary(answer: PeersAnswer): string[] {
  const staying = answer.peers.filter(({ leaving }) => !leaving).length
  const lines = [progressLine(answer), ...behindLine(answer), ...versionLine(answer)]
  if (staying < LIMITS.REPLICAS) {
    lines.push(
      `a cluster of ${staying === 1 ? 'one peer' : `${staying} peers`} does not survive a failure: let ${LIMITS.REPLICAS} or more take part`,
    )
  }
  return lines
}

/** One line when replicas are not level: whoever stops one more peer may leave a slot without a majority. */
function behindLine({ behind }: PeersAnswer): string[] {
  if (!behind) return []
  const many = behind === 1 ? '1 replica is' : `${behind} replicas are`
  return [`${many} down or still behind: stop no other peer until none is`]
}

/** One line when not all peers run the same version of the program. */
function versionLine({ peers, format }: PeersAnswer): string[] {
  const newest = Math.max(...peers.map(peer => peer.format))
  const behind = peers.filter(peer => peer.format < newest).map(({ id }) => id)
  if (behind.length === 0) return []
  return [
    `not all peers run the same version: the cluster stays at format ${format} until ${behind.join(', ')} runs the new one`,
  ]
}

function slots(count: number): string {
  return count === 1 ? '1 slot' : `${count} slots`
}
