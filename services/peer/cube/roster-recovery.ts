import { lastNumberOf, type Roster } from './roster.ts'

/**
 * The roster after its majority was lost for good: the newest version that is left, under a number far above. The lost
 * may know versions that nobody else does, with peers and member numbers of their own; `skip` of both are passed over,
 * so that a peer which comes back goes over to this roster, and no number means two stores. Nobody is leaving any more:
 * those who meant to may be all that is left, and say so again.
 * @param own the version in the log that goes on; undefined where nothing of it is left
 * @param known the newest version that any peer goes by that is left
 */
export function recoveredRoster(own: Roster | undefined, known: Roster, skip: number): Roster {
  const base = own !== undefined && own.version > known.version ? own : known
  const { change: _, ...roster } = base
  return {
    ...roster,
    version: base.version + skip,
    lastNumber: lastNumberOf(base) + skip,
    peers: base.peers.map(({ leaving: _, ...peer }) => peer),
  }
}
