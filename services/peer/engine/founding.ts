import type { PeerId } from '../cube/labels.ts'
import type { Roster } from '../cube/roster.ts'
import { LIMITS } from '../limits.ts'
import type { LogStore } from '../store/types.ts'
import { FORMATS, type Formats, formatFault } from './formats.ts'
import {
  FOUNDING_FORMAT,
  FoundingError,
  type FoundingPlan,
  type ListedPeer,
  readStatement,
  type Statement,
} from './founding-statement.ts'
import { checkPlan, checkStored, type Founder, judge, mintRoster } from './founding-verdict.ts'
import type { EngineLog } from './settings.ts'
import type { Clock } from './types.ts'

export { FoundingError, type ListedPeer, type Statement, StrangerError } from './founding-statement.ts'

/** What founding needs from outside. */
export interface FoundingOptions {
  readonly self: PeerId
  /** All founding peers sorted by label, this one included; empty when only a roster on disk can help. */
  readonly list: readonly ListedPeer[]
  readonly dimension: number
  readonly slots: number
  /** What this program speaks; for tests another than FORMATS. */
  readonly formats?: Formats
  /** This peer founds a cluster of its own (`--found`); `list` then names it alone. */
  readonly alone: boolean
  readonly store: Pick<LogStore, 'identity' | 'roster' | 'writeRoster'>
  /**
   * Brings a statement to another peer's `answer` and resolves with what that returned, decoded and not yet checked.
   * Rejects when the peer cannot be reached or does not answer in time; it must settle, nothing else limits it.
   */
  readonly ask: (peer: ListedPeer, statement: Statement) => Promise<unknown>
  readonly clock: Pick<Clock, 'after'>
  /** A fresh random id for the cluster. */
  readonly uuid: () => string
  readonly log: EngineLog
}

/** The answers of one round, and when it began. */
interface Round {
  readonly begun: number
  readonly answers: Map<ListedPeer, Statement>
  readonly failures: Map<ListedPeer, unknown>
}

/**
 * Founding happens once (DESIGN 5). Every peer with an empty store asks every other what it is. Only when all of them
 * are empty and were given the same list does the lowest label mint the roster, with the uid of every store in it.
 *
 * What keeps it safe:
 * - one peer mints, and it says so only after the roster is on its disk; a crash before leaves all peers empty,
 *   a crash after leaves a founder that restarts with the roster;
 * - a roster is only ever pulled: an empty peer takes it from the answer to its own question, from the address the
 *   list names, and only when its own uid stands in it; a founder's question merely tells it to ask;
 * - an answer does not count when its peer has meanwhile asked with another uid: it was wiped in between;
 * - the founder waits until everybody has the roster on disk before it takes part itself.
 */
export class Founding {
  readonly #options: FoundingOptions
  readonly #me: Founder
  readonly #others: readonly ListedPeer[]
  /** Durable on this peer's disk. */
  #roster: Roster | undefined
  /** Requests heard so far, and by peer: when and with which uid and kind it asked last. */
  #requests = 0
  readonly #heard = new Map<PeerId, { readonly at: number; readonly uid: string; readonly kind: string }>()
  /** Something was heard since the round began that a further round should look at. */
  #news = false
  #wake: () => void = () => {}
  #waitingFor = ''

  constructor(options: FoundingOptions) {
    const { self, list, dimension, slots, store, formats = FORMATS } = options
    const plan: FoundingPlan = { dimension, slots, list }
    this.#options = options
    this.#me = { id: self, uid: store.identity.uid, plan, formats }
    this.#others = list.filter(({ id }) => id !== self)
  }

  /**
   * Resolves with the roster once this peer may vote under it: it is durable here and, when this peer minted it just
   * now, at all others. Call it once. Rejects with FoundingError or StrangerError when a person has to do something,
   * with the store's error when the disk fails, with the signal's reason when aborted.
   */
  async run(signal: AbortSignal): Promise<Roster> {
    const { store, alone } = this.#options
    const stored = store.roster()
    if (stored !== null) {
      checkStored(this.#me, stored)
      this.#roster = stored
      return stored
    }
    checkPlan(this.#me, alone)
    const wake = () => this.#wake()
    signal.addEventListener('abort', wake)
    try {
      return await this.#found(signal)
    } finally {
      signal.removeEventListener('abort', wake)
    }
  }

  /**
   * Answers the question of another peer with what this one is.
   * Throws HypercastError INVALID_REQUEST for a body that is no statement.
   */
  answer(body: unknown): Statement {
    const { id, uid, kind } = readStatement(body)
    if (this.#others.some(peer => peer.id === id)) this.#note(id, uid, kind)
    else this.#options.log.warn({ id, uid }, 'a peer that is not in the list asked about founding')
    return this.#statement()
  }

  #note(id: PeerId, uid: string, kind: string): void {
    const before = this.#heard.get(id)
    this.#requests += 1
    this.#heard.set(id, { at: this.#requests, uid, kind })
    // Only what is new wakes, or two waiting peers would keep each other awake.
    if (before?.uid === uid && before.kind === kind) return
    this.#news = true
    this.#wake()
  }

  #statement(): Statement {
    const { id, uid, plan, formats } = this.#me
    const said = { format: FOUNDING_FORMAT, id, uid, speaks: formats }
    if (this.#roster === undefined) return { ...said, kind: 'empty', plan }
    return { ...said, kind: 'founded', roster: this.#options.store.roster() ?? this.#roster }
  }

  async #found(signal: AbortSignal): Promise<Roster> {
    const { log, uuid } = this.#options
    for (let pauseMs: number = LIMITS.FOUNDING_RETRY_MIN_MS; ; pauseMs = longer(pauseMs)) {
      const round = await this.#askAll(this.#others, signal)
      const verdict = judge(this.#me, this.#current(round))
      if (verdict.kind === 'adopt') {
        const unfit = formatFault(this.#me.formats, verdict.roster)
        if (unfit !== undefined) throw new FoundingError(unfit)
        await this.#keep(verdict.roster)
        log.info({ clusterId: verdict.roster.clusterId, from: verdict.from }, 'founded: roster received')
        return verdict.roster
      }
      if (verdict.kind === 'mint') {
        const roster = mintRoster(this.#me.plan, uuid(), verdict.members)
        await this.#keep(roster)
        log.info({ clusterId: roster.clusterId, peers: roster.peers.length }, 'founded: roster made')
        await this.#handOver(roster, signal)
        return roster
      }
      this.#tellWaiting(round)
      if (await this.#pause(pauseMs)) pauseMs = LIMITS.FOUNDING_RETRY_MIN_MS
    }
  }

  async #keep(roster: Roster): Promise<void> {
    await this.#options.store.writeRoster(roster)
    // Not earlier: what is said to be founded must survive a crash.
    this.#roster = roster
  }

  /** Asks until every other peer has the roster, or cannot have it any more because its store was lost meanwhile. */
  async #handOver(roster: Roster, signal: AbortSignal): Promise<void> {
    let pending = this.#others
    for (let pauseMs: number = LIMITS.FOUNDING_RETRY_MIN_MS; pending.length > 0; pauseMs = longer(pauseMs)) {
      const round = await this.#askAll(pending, signal)
      pending = pending.filter(peer => !this.#settled(peer, round.answers.get(peer), roster))
      if (pending.length === 0) return
      this.#tellWaiting(round)
      if (await this.#pause(pauseMs)) pauseMs = LIMITS.FOUNDING_RETRY_MIN_MS
    }
  }

  /** Whether the founder need not wait for this peer. Throws FoundingError when it belongs to another cluster. */
  #settled(peer: ListedPeer, answer: Statement | undefined, roster: Roster): boolean {
    if (answer === undefined) return false
    if (answer.kind === 'founded') {
      if (answer.roster.clusterId === roster.clusterId) return true
      throw new FoundingError(
        `Peer ${peer.id} at ${peer.url} belongs to cluster ${answer.roster.clusterId} while this one has just founded ${roster.clusterId}: stop all peers, remove all data folders and start them again.`,
      )
    }
    const { uid } = roster.peers.find(({ id }) => id === peer.id)!
    if (answer.uid === uid) return false
    this.#options.log.error(
      { peer: peer.id, uid: answer.uid, expected: uid },
      'a peer lost its store while the cluster was founded: it has to be replaced',
    )
    return true
  }

  /**
   * Puts the question to all of `peers` at once. Resolves when all have answered or failed, or as soon as one says
   * that it is founded while this peer is not: nothing the others may say matters then.
   */
  #askAll(peers: readonly ListedPeer[], signal: AbortSignal): Promise<Round> {
    signal.throwIfAborted()
    this.#news = false
    const round: Round = { begun: this.#requests, answers: new Map(), failures: new Map() }
    const statement = this.#statement()
    return new Promise((resolve, reject) => {
      this.#wake = () => {
        if (signal.aborted) reject(signal.reason)
      }
      let open = peers.length
      if (open === 0) resolve(round)
      for (const peer of peers) {
        this.#options
          .ask(peer, statement)
          .then(body => {
            const answer = readStatement(body)
            round.answers.set(peer, answer)
            if (answer.kind === 'founded' && statement.kind === 'empty') resolve(round)
          })
          .catch(error => round.failures.set(peer, error))
          .finally(() => {
            open -= 1
            if (open === 0) resolve(round)
          })
      }
    })
  }

  /** The answers without those of stores that have been replaced since the round began. */
  #current({ begun, answers }: Round): Map<ListedPeer, Statement> {
    return new Map(
      [...answers].filter(([{ id }, { uid }]) => {
        const heard = this.#heard.get(id)
        return heard === undefined || heard.at <= begun || heard.uid === uid
      }),
    )
  }

  /** Waits, at most `pauseMs`. True when something new was heard. */
  #pause(pauseMs: number): Promise<boolean> {
    return new Promise(resolve => {
      const finish = () => {
        cancel()
        this.#wake = () => {}
        resolve(this.#news)
      }
      const cancel = this.#options.clock.after(this.#news ? 0 : pauseMs, finish)
      this.#wake = finish
    })
  }

  /** Logs whom founding waits for, whenever that changes. */
  #tellWaiting({ failures }: Round): void {
    const waitingFor = [...failures.keys()].map(({ id }) => id).join(', ')
    if (waitingFor === this.#waitingFor) return
    this.#waitingFor = waitingFor
    if (waitingFor === '') return
    const why = [...failures.values()].map(error => (error instanceof Error ? error.message : String(error)))
    this.#options.log.info({ why: [...new Set(why)] }, `founding waits for ${waitingFor}`)
  }
}

function longer(pauseMs: number): number {
  return Math.min(pauseMs * 2, LIMITS.FOUNDING_RETRY_MAX_MS)
}
