import type { PeerId } from './cube/labels.ts'
import type { Engine } from './engine/engine.ts'
import type { RecoveryAnswer, RecoveryAsk } from './engine/recovery-wire.ts'
import type { EngineLog } from './engine/settings.ts'
import type { Clock } from './engine/types.ts'
import type { Dispatcher } from './links/types.ts'
import { Recovery } from './membership/recovery.ts'
import { Survivor } from './membership/survivor.ts'

export interface RecoveringOptions {
  readonly self: PeerId
  readonly uid: string
  readonly engine: Engine
  readonly dispatcher: Dispatcher
  readonly clock: Clock
  readonly electionMs: number
  readonly log: EngineLog
  /** Asks another peer, straight. Rejects when it does not answer in time. */
  ask(peer: PeerId, ask: RecoveryAsk): Promise<RecoveryAnswer>
  /** Asks whoever answers at `url` who it is. Rejects when nobody does in time. */
  identify(url: string): Promise<{ readonly uid: string }>
}

/** Both sides of a recovery at one peer: the one that coordinates it, and the one that is asked. */
export interface Recovering {
  readonly recovery: Recovery
  readonly survivor: Survivor
}

/** Wires them to the engine and to each other: a coordinator is one of those that are left. */
export function wireRecovery(options: RecoveringOptions): Recovering {
  const { self, uid, engine, dispatcher, clock, electionMs, log } = options
  const { rosters, recovery: slots } = engine
  const survivor = new Survivor({
    ...{ uid, rosters, dispatcher, clock, electionMs, log, slots },
    isHeard: peer => engine.peerState(peer) === 'up',
    identify: url => options.identify(url),
    adopt: roster => engine.adopt(roster),
  })
  const recovery = new Recovery({
    ...{ self, rosters, clock, log },
    ask: (peer, ask) => (peer === self ? survivor.answer(ask) : options.ask(peer, ask)),
    adopt: roster => engine.adopt(roster),
  })
  return { recovery, survivor }
}
