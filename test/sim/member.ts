import type { Roster } from '../../services/peer/cube/roster.ts'
import { Engine } from '../../services/peer/engine/engine.ts'
import type { CubeEvent, Transport } from '../../services/peer/engine/types.ts'
import { StoreError } from '../../services/peer/store/errors.ts'
import { MemoryDisk } from '../../services/peer/store/memory.ts'
import { openMemoryStore } from '../../services/peer/store/open.ts'
import type { LogStore } from '../../services/peer/store/types.ts'
import type { SlotNotice } from '../../services/peer/topics/types.ts'
import { Life } from './life.ts'
import type { Trace } from './trace.ts'
import type { Chance, World } from './world.ts'

/** The default settings of a peer (config.ts). */
export const SETTINGS = {
  tickMs: 50,
  heartbeatMs: 100,
  electionMs: 1_000,
  reclaimAfterMs: 1_000,
  diskReserveBytes: 0,
}

const QUIET = { debug() {}, info() {}, warn() {}, error() {} }

/** What the cluster wants to know of its members. */
export interface MemberEvents {
  started(member: Member): void
  /** The process ended, for whatever reason. */
  ended(member: Member): void
  notice(member: Member, slot: number, notice: SlotNotice): void
  violation(what: string): void
  /** The store as its engine sees it; a test may put something broken in its place. */
  store(store: LogStore): LogStore
}

/** One peer: its disk, which outlives its processes, and the process that runs now, if one does. */
export class Member {
  readonly id: string
  readonly disk: MemoryDisk
  life: Life
  engine!: Engine
  store!: LogStore
  /** Time one fsync takes. */
  flushMs = 0.5
  skewMs = 0
  readonly #world: World
  readonly #chance: Chance
  readonly #trace: Trace
  readonly #roster: Roster
  readonly #events: MemberEvents
  readonly #transport: (member: Member) => Transport
  #isUp = false

  constructor(
    id: string,
    roster: Roster,
    world: World,
    chance: Chance,
    trace: Trace,
    events: MemberEvents,
    transport: (member: Member) => Transport,
  ) {
    this.id = id
    this.#roster = roster
    this.#world = world
    this.#chance = chance
    this.#trace = trace
    this.#events = events
    this.#transport = transport
    this.disk = new MemoryDisk({
      schedule: done => {
        const { life } = this
        world.after(this.flushMs * chance.between(0.5, 2), () => life.run(done))
      },
    })
    this.life = this.#newLife()
    this.life.die()
  }

  /** The process runs and its port is open. */
  get isUp(): boolean {
    return this.#isUp
  }

  /** Starts a process on the disk. Founding is skipped: the roster is put there. */
  start(): void {
    if (!this.life.isDead) return
    this.life = this.#newLife()
    const { life } = this
    const store = openMemoryStore(this.disk, { newUid: () => `uid-${this.id}` })
    this.store = this.#events.store(store)
    this.#trace.say(this.id, `starts, boot ${this.store.identity.boot}`)
    const random = this.#chance.fork()
    this.engine = new Engine({
      self: this.id,
      roster: this.#roster,
      store: this.store,
      transport: this.#transport(this),
      clock: life.clock,
      random: () => random.next(),
      log: QUIET,
      observer: { committed() {}, flushed() {}, election() {}, beat() {} },
      settings: SETTINGS,
      onFatal: error => this.#fatal(life, error),
    })
    this.engine.onCubeEvent(event => this.#traceEvent(event))
    this.#open(life).catch(error => life.run(() => this.#fatal(life, error)))
  }

  /** kill -9 with the power gone: what was not flushed is lost, but for the first `keep` writes. */
  kill(keep: number): void {
    if (this.life.isDead) return
    this.#trace.say(this.id, `is killed, ${this.disk.pendingWrites} writes under way, ${keep} of them landed`)
    this.life.die()
    this.#isUp = false
    this.disk.crash(keep)
    this.#events.ended(this)
  }

  /** SIGTERM: hands over, writes what is left and ends. */
  stop(): void {
    const { life, engine, store } = this
    if (life.isDead || !this.#isUp) return
    this.#trace.say(this.id, 'stops')
    life.run(() => {
      engine
        .stop()
        .then(() => store.close())
        .then(
          () => life.run(() => this.#gone(life, 'has stopped')),
          error => life.run(() => this.#fatal(life, error)),
        )
    })
  }

  async #open(life: Life): Promise<void> {
    if (!this.store.roster()) await this.store.writeRoster(this.#roster)
    await this.engine.start()
    if (life.isDead) return
    this.#isUp = true
    for (const slot of this.engine.held) {
      this.engine.follow(slot, notice => this.#events.notice(this, slot, notice))
    }
    this.#events.started(this)
  }

  #gone(life: Life, how: string): void {
    if (this.life !== life || life.isDead) return
    this.#trace.say(this.id, how)
    life.die()
    this.#isUp = false
    this.disk.crash(0)
    this.#events.ended(this)
  }

  /** A failed disk ends the process, as it must; anything else is a broken invariant. */
  #fatal(life: Life, error: unknown): void {
    if (this.life !== life || life.isDead) return
    const isDisk = error instanceof StoreError && error.code === 'WRITE_FAILED'
    if (!isDisk) {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
      this.#events.violation(`peer ${this.id} ended itself: ${text}`)
    }
    this.#gone(life, `ends: ${String(error)}`)
  }

  #newLife(): Life {
    const life: Life = new Life(this.id, this.#world, this.#chance, this.skewMs, error =>
      this.#fatal(life, error),
    )
    return life
  }

  #traceEvent(event: CubeEvent): void {
    if ('slot' in event) {
      this.#trace.say(this.id, `slot ${event.slot}: ${event.kind} ${event.peer}, term ${event.term}`)
    } else if ('why' in event) this.#trace.say(this.id, `${event.kind} ${event.peer}: ${event.why}`)
    else this.#trace.say(this.id, event.kind)
  }
}
