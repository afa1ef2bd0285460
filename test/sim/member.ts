import type { Roster } from '../../services/peer/cube/roster.ts'
import { Engine } from '../../services/peer/engine/engine.ts'
import { type CubeEvent, SlotError, type Transport } from '../../services/peer/engine/types.ts'
import { Whereabouts } from '../../services/peer/links/whereabouts.ts'
import { JoinError } from '../../services/peer/membership/joining.ts'
import { StoreError } from '../../services/peer/store/errors.ts'
import { slotOf, TABLES } from '../../services/peer/store/keys.ts'
import { MemoryDisk } from '../../services/peer/store/memory.ts'
import { openMemoryStore } from '../../services/peer/store/open.ts'
import { CorruptRecord, type LogStore } from '../../services/peer/store/types.ts'
import type { SlotNotice } from '../../services/peer/topics/types.ts'
import { belong } from './belonging.ts'
import { Life } from './life.ts'
import { MachineClock } from './machine-clock.ts'
import type { MemberEvents, MemberIdentity } from './member-events.ts'
import type { Questions } from './questions.ts'
import type { Trace } from './trace.ts'
import type { Chance, World } from './world.ts'

/** The default settings of a peer (config.ts), but for a reserve that suits the small disks. */
export const SETTINGS = {
  tickMs: 100,
  heartbeatMs: 300,
  electionMs: 1_000,
  reclaimAfterMs: 1_000,
  diskReserveBytes: 40_000,
}

/** Time an fsync takes on a disk in order. */
export const FLUSH_MS = 0.5

/** Uid of the store of the member that is called so. */
export function uidOf(name: string): string {
  return `uid-${name}`
}

/** What the member is called whose store has this uid. */
export function nameOf(uid: string): string {
  return uid.slice('uid-'.length)
}

/** One peer: its disk, which outlives its processes, and the process that runs now, if one does. */
export class Member {
  /** Label in the cube; empty until it has one. */
  id = ''
  /** Where it is reached: another address needs another process. */
  host: string
  readonly machine: string
  readonly name: string
  readonly disk: MemoryDisk
  life: Life
  engine!: Engine
  whereabouts!: Whereabouts
  store!: LogStore
  readonly clock: MachineClock
  /** Time one fsync takes. */
  flushMs = FLUSH_MS
  /** Called when the peer has its slot back. */
  onReclaimed: () => void = () => {}
  readonly #world: World
  readonly #chance: Chance
  readonly #trace: Trace
  readonly #founding: Roster | undefined
  readonly #questions: Questions
  readonly #events: MemberEvents
  readonly #transport: (member: Member) => Transport
  readonly #log = {
    debug: () => {},
    info: () => {},
    warn: () => {},
    error: (fields: object, message: string) =>
      this.#trace.say(this.name, `${message}: ${JSON.stringify(fields)}`),
  }
  #abort = new AbortController()
  #isUp = false
  #isListening = false
  #isLost = false
  #isRetired = false
  #isRefused = false

  /** @param founding the roster of the cube that it founds with the others; undefined for one that joins */
  constructor(
    { machine, host, name }: MemberIdentity,
    founding: Roster | undefined,
    questions: Questions,
    world: World,
    chance: Chance,
    trace: Trace,
    events: MemberEvents,
    transport: (member: Member) => Transport,
  ) {
    this.machine = machine
    this.host = host
    this.name = name
    this.#founding = founding
    this.#questions = questions
    this.#world = world
    this.#chance = chance
    this.#trace = trace
    this.#events = events
    this.#transport = transport
    this.clock = new MachineClock(world)
    this.disk = new MemoryDisk({
      schedule: done => {
        const { life } = this
        world.after(this.flushMs * chance.between(0.5, 2), () => life.run(done))
      },
    })
    this.life = this.#newLife()
    this.life.die()
  }

  get uid(): string {
    return uidOf(this.name)
  }

  /** Another peer's message came in. */
  heard(from: Member): void {
    this.#events.heard(this, from)
  }

  /** A replica of a slot came to it while it runs: what becomes of it is to be seen from its beginning. */
  founded(slot: number): void {
    const { life, engine } = this
    if (this.#isUp) queueMicrotask(() => life.run(() => this.#follow(life, engine, slot)))
  }

  /** Its machine is gone, or its disk: no process runs on it any more. */
  retire(how: string): void {
    this.#isRetired = true
    this.kill(0, how)
  }

  /** Names its process, apart from those before and after it. */
  get run(): string {
    return `${this.uid}/${this.store.identity.boot}`
  }

  /** The process takes part in the cube. */
  get isUp(): boolean {
    return this.#isUp
  }

  /** Its port is open, though it may not belong to a cube yet. */
  get isListening(): boolean {
    return this.#isListening
  }

  /** No process runs on its disk any more: that is lost, or the roster does not list it. */
  get isRetired(): boolean {
    return this.#isRetired
  }

  /** Its process ended because the cluster did not take it in: somebody has to start it again. */
  get isRefused(): boolean {
    return this.#isRefused
  }

  /** Its disk lost the record of whose it is or the roster: no process runs on it any more. */
  get isLost(): boolean {
    return this.#isLost
  }

  /** A record of the slot has a flipped bit here: this replica may refuse to serve it, and must not serve it wrong. */
  isHarmed(slot: number): boolean {
    return this.#isLost || this.disk.flipped().some(key => key[0] !== TABLES.store && slotOf(key) === slot)
  }

  /** Starts a process on the disk. */
  start(): void {
    if (!this.life.isDead || this.#isLost || this.#isRetired) return
    this.life = this.#newLife()
    this.#abort = new AbortController()
    this.#isRefused = false
    const { life } = this
    try {
      const store = openMemoryStore(this.disk, { newUid: () => this.uid })
      store.roster()
      if (life.isDead) return
      this.store = this.#events.store(store)
    } catch (error) {
      this.#fatal(life, error)
      return
    }
    this.#trace.say(this.name, `starts at ${this.host}, boot ${this.store.identity.boot}`)
    this.#isListening = true
    this.#begin(life).catch(error => life.run(() => this.#fatal(life, error)))
  }

  /** kill -9, or the power is gone: what was not flushed is lost, but for the first `keep` writes. */
  kill(keep: number, how = 'is killed'): void {
    if (this.life.isDead) return
    this.#trace.say(this.name, `${how}, ${this.disk.pendingWrites} writes under way, ${keep} of them landed`)
    this.life.die()
    this.#closed()
    this.disk.crash(keep)
    this.#events.ended(this)
  }

  /** SIGTERM: hands over, writes what is left and ends. */
  stop(): void {
    const { life, engine, store } = this
    if (life.isDead || !this.#isUp) return
    this.#trace.say(this.name, 'stops')
    life.run(() => {
      this.#abort.abort(new Error('the peer stops'))
      this.#events.stopping(this)
      engine
        .stop()
        .then(() => this.#events.stopped(this))
        .then(() => store.close())
        .then(
          () => life.run(() => this.#gone(life, 'has stopped')),
          error => life.run(() => this.#fatal(life, error)),
        )
    })
  }

  /** Comes to a roster and takes part in the cube, as peer.ts does. */
  async #begin(life: Life): Promise<void> {
    const log = this.#log
    const { signal } = this.#abort
    const roster = await belong({
      ...{ member: this, founding: this.#founding, questions: this.#questions, log, signal },
    })
    if (life.isDead) return
    const own = roster.peers.find(({ uid }) => uid === this.uid)
    if (own === undefined) {
      this.#removed(life)
      return
    }
    this.id = own.id
    const random = this.#chance.fork()
    this.whereabouts = new Whereabouts(() => engine.roster)
    const engine = new Engine({
      self: own.id,
      roster,
      members: (slot, deadlineMs) => this.#events.members(this, slot, deadlineMs),
      store: this.store,
      transport: this.#transport(this),
      clock: life.clock,
      random: () => random.next(),
      log,
      observer: { committed() {}, flushed() {}, election() {}, beat() {} },
      settings: SETTINGS,
      onRemoved: () => this.#removed(life),
      onFatal: error => this.#fatal(life, error),
    })
    this.engine = engine
    this.engine.onCubeEvent(event => this.#traceEvent(event))
    this.engine.onRoster(now => {
      if (!life.isDead) this.#events.roster(this, now)
    })
    await this.engine.start()
    if (life.isDead) return
    this.#isUp = true
    this.#events.started(this, signal)
    for (const slot of this.store.slots()) this.#follow(life, this.engine, slot)
  }

  #follow(life: Life, engine: Engine, slot: number): void {
    const isServed = this.#listen(life, engine, slot, notice => {
      this.#events.notice(this, slot, notice)
      if (notice.kind === 'gone') this.#listenOn(life, engine, slot)
    })
    if (isServed) this.#events.follows(this, slot)
  }

  /** A replica that was out may be a voter again before it is deleted, and then serves streams as before. */
  #listenOn(life: Life, engine: Engine, slot: number): void {
    const listen = () => this.#listen(life, engine, slot, notice => this.#events.told(slot, notice))
    queueMicrotask(() => life.run(listen))
  }

  /** False where the slot is not served: a corrupt record keeps it out of service, or it is deleted. */
  #listen(life: Life, engine: Engine, slot: number, heard: (notice: SlotNotice) => void): boolean {
    try {
      engine.follow(slot, notice => {
        if (!life.isDead) heard(notice)
      })
      return true
    } catch (error) {
      if (error instanceof SlotError) return false
      throw error
    }
  }

  /** It is off the list, and its process ends in order; none is started on its disk again. */
  #removed(life: Life): void {
    if (this.life !== life || life.isDead || this.#isRetired) return
    this.#isRetired = true
    this.#trace.say(this.name, 'is off the list')
    this.#events.removed(this)
    this.#world.after(0, () => life.run(() => (this.#isUp ? this.stop() : this.#gone(life, 'ends'))))
  }

  #closed(): void {
    this.#isUp = false
    this.#isListening = false
  }

  #gone(life: Life, how: string): void {
    if (this.life !== life || life.isDead) return
    this.#trace.say(this.name, how)
    life.die()
    this.#closed()
    this.disk.crash(0)
    this.#events.ended(this)
  }

  /** A failed disk and a lost record of the whole store end the process, as they must; anything else is a bug. */
  #fatal(life: Life, error: unknown): void {
    if (this.life !== life || life.isDead) return
    this.#isRefused = error instanceof JoinError
    this.#isLost = isLoss(error) && this.disk.flipped().some(key => key[0] === TABLES.store)
    const isDisk = error instanceof StoreError && error.code === 'WRITE_FAILED'
    if (!isDisk && !this.#isLost && !this.#isRefused) {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
      this.#events.violation(`peer ${this.name} ended itself: ${text}`)
    }
    this.#gone(life, `ends: ${String(error)}`)
  }

  #newLife(): Life {
    const life: Life = new Life(this.name, this.#world, this.#chance, this.clock, error =>
      this.#fatal(life, error),
    )
    return life
  }

  #traceEvent(event: CubeEvent): void {
    if (event.kind === 'reclaimed' && event.peer === this.id) this.onReclaimed()
    if ('slot' in event) {
      const term = 'term' in event ? `, term ${event.term}` : ''
      this.#trace.say(this.name, `slot ${event.slot}: ${event.kind} ${event.peer}${term}`)
    } else if ('why' in event) this.#trace.say(this.name, `${event.kind} ${event.peer}: ${event.why}`)
    else this.#trace.say(this.name, event.kind)
  }
}

/** What a store says that has lost a record which is no slot's. */
function isLoss(error: unknown): boolean {
  if (error instanceof CorruptRecord) return error.slot === null
  return error instanceof StoreError && (error.code === 'DATA_UNREADABLE' || error.code === 'DATA_VERSION')
}
