import type { RecoveryAnswer, RecoveryAsk } from '../../services/peer/engine/recovery-wire.ts'
import { recoveryAnswerBody, recoveryAskBody } from '../../services/peer/engine/recovery-wire.ts'
import type { Dispatcher } from '../../services/peer/links/types.ts'
import { Recovery, type RecoveryWish } from '../../services/peer/membership/recovery.ts'
import { Survivor } from '../../services/peer/membership/survivor.ts'
import type { Engines } from './engines.ts'

/** Recoveries of a cube of engines: what its peers ask of each other goes through the bodies they are sent in. */
export class Recoveries {
  readonly #cube: Engines
  readonly #slots: number
  /** Lines logged at warn. */
  readonly warned: { readonly at: string; readonly message: string; readonly fields: object }[] = []
  /** Steps asked for, in order. */
  readonly asked: string[] = []
  /** Peers that take no new connections, or not where they are listed. */
  readonly unlisted = new Set<string>()
  /** Called before each step; what it throws is what the asker gets. */
  onAsk: (peer: string, ask: RecoveryAsk) => void = () => {}

  constructor(cube: Engines) {
    this.#cube = cube
    this.#slots = cube.roster.slots
  }

  /** What a peer answers when it is asked to recover; time passes until it does. */
  async recover(at: string, wish: Partial<RecoveryWish> & { readonly lost: readonly string[] }) {
    const { engine } = this.#cube.peer(at)
    const recovery = new Recovery({
      self: at,
      rosters: engine.rosters,
      clock: this.#cube.clock,
      log: this.#log(at),
      ask: (peer, ask) => this.#ask(peer, ask),
      adopt: roster => engine.adopt(roster),
    })
    return this.passing(recovery.recover({ force: true, by: 'test', ...wish }))
  }

  /** Lets time pass until the promise settles. */
  async passing<T>(promise: Promise<T>): Promise<T> {
    let isDone = false
    const settled = promise.finally(() => {
      isDone = true
    })
    settled.catch(() => {})
    for (let step = 0; step < 3_000 && !isDone; step++) await this.#cube.clock.advance(10)
    return settled
  }

  async #ask(peer: string, ask: RecoveryAsk): Promise<RecoveryAnswer> {
    this.asked.push(`${ask.kind} ${peer}`)
    this.onAsk(peer, ask)
    if (!this.#cube.peer(peer).alive) throw new Error('refused')
    const answer = await this.#survivor(peer).answer(recoveryAskBody.decode(recoveryAskBody.encode(ask)))
    return recoveryAnswerBody.decode(recoveryAnswerBody.encode(answer))
  }

  #survivor(id: string): Survivor {
    const { engine, store } = this.#cube.peer(id)
    return new Survivor({
      uid: store.identity.uid,
      rosters: engine.rosters,
      dispatcher: this.#dispatcher(),
      clock: this.#cube.clock,
      log: this.#log(id),
      slots: engine.recovery,
      isHeard: peer => engine.peerState(peer) === 'up',
      electionMs: 1_000,
      identify: async url => {
        const found = [...this.#cube.peers.values()].find(peer => `http://${peer.id}.test` === url)
        if (!found?.alive || this.unlisted.has(found.id)) throw new Error('refused')
        return { uid: found.store.identity.uid }
      },
      adopt: roster => engine.adopt(roster),
    })
  }

  /** Changes of the roster go to the peer that leads its slot. */
  #dispatcher(): Dispatcher {
    const never = () => Promise.reject(new Error('only the roster is changed'))
    return {
      dispatch: never,
      append: async (request, deadlineMs) => {
        const primary = this.#cube.primary(this.#slots)
        if (primary === undefined) {
          const result = { kind: 'failed', code: 'NO_PRIMARY', definite: true } as const
          return { result, path: [], slot: this.#slots }
        }
        const { engine } = this.#cube.peer(primary)
        const appended = await engine.append(this.#slots, request, deadlineMs)
        return { result: { kind: 'appended', ...appended, primary }, path: [], slot: this.#slots }
      },
    }
  }

  #log(at: string) {
    return {
      debug() {},
      info() {},
      error() {},
      warn: (fields: object, message: string) => void this.warned.push({ at, fields, message }),
    }
  }
}
