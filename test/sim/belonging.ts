import { type Roster, rosterFault } from '../../services/peer/cube/roster.ts'
import { FORMATS } from '../../services/peer/engine/formats.ts'
import type { EngineLog } from '../../services/peer/engine/settings.ts'
import { LIMITS } from '../../services/peer/limits.ts'
import { Joining } from '../../services/peer/membership/joining.ts'
import type { Member } from './member.ts'
import { urlOf } from './network.ts'
import { ANY_PEER, type Questions } from './questions.ts'

export interface BelongingOptions {
  readonly member: Member
  /** The roster of the cube that it founds with the others; undefined for one that joins. */
  readonly founding: Roster | undefined
  readonly questions: Questions
  readonly log: EngineLog
  readonly signal: AbortSignal
}

/**
 * The roster that a process starts with, as peer.ts comes by it: founding is skipped, the roster is put there; who joins
 * asks until it is taken in, and after that for what has changed while it was away. Rejects as Joining does.
 */
export async function belong(options: BelongingOptions): Promise<Roster> {
  const { member, founding, questions, log, signal } = options
  const { store, life } = member
  const stored = store.roster()
  if (founding !== undefined) {
    if (stored === null) await store.writeRoster(founding)
    return stored ?? founding
  }
  if (stored !== null) return latest(options, stored)
  const joining = new Joining({
    via: ANY_PEER,
    url: urlOf(member.host),
    formats: FORMATS,
    store,
    ask: (via, wish) => questions.join(member, via, JSON.parse(JSON.stringify(wish))),
    identify: url => questions.identify(member, url),
    clock: life.clock,
    log,
  })
  return joining.run(signal)
}

async function latest({ member, questions }: BelongingOptions, stored: Roster): Promise<Roster> {
  const roster = await questions.roster(member, ANY_PEER).catch(() => stored)
  if (roster.version <= stored.version || rosterFault(roster, LIMITS) !== undefined) return stored
  await member.store.writeRoster(roster)
  return roster
}
