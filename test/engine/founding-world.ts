import type { Roster } from '../../services/peer/cube/roster.ts'
import {
  Founding,
  FoundingError,
  type ListedPeer,
  type Statement,
  StrangerError,
} from '../../services/peer/engine/founding.ts'

/** What a peer's disk holds. A wipe makes a new one. */
export interface Disk {
  readonly uid: string
  boot: number
  roster: Roster | null
}

/** One thing that may happen next. `lost` is the same thing failing. */
export interface Step {
  readonly what: 'request' | 'answer' | 'timer' | 'flush'
  readonly from: string
  /** Peer that a request goes to or that an answer comes from. */
  readonly to?: string
  happen(): void
  lose?(): void
}

/** One life of a peer's process. */
export interface Life {
  readonly founding: Founding
  readonly abort: AbortController
  alive: boolean
  /** It minted the roster itself. */
  minted: boolean
  outcome: { readonly roster: Roster } | { readonly error: unknown } | undefined
}

export interface Settings {
  readonly list?: readonly ListedPeer[]
  readonly slots?: number
  readonly alone?: boolean
}

/** Seeded generator in [0, 1): mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

export const listOf = (...ids: string[]): ListedPeer[] =>
  ids.map(id => ({ id, url: `http://127.0.0.1:${5555 + Number.parseInt(id, 2)}` }))

/**
 * Peers, their disks and the network between them, where nothing happens by itself: every request, answer, timer and
 * flush is a step that the test takes, loses, or lets a dead process leave behind.
 */
export class World {
  readonly list: readonly ListedPeer[]
  readonly disks = new Map<string, Disk>()
  readonly lives = new Map<string, Life>()
  readonly logged: { readonly id: string; readonly level: string; readonly message: string }[] = []
  /** Every cluster id that was ever durable anywhere. */
  readonly clusters = new Set<string>()
  /** Broken rules, checked as things happen. */
  readonly broken: string[] = []
  steps: Step[] = []
  #uids = 0
  #clusterIds = 0

  constructor(list: readonly ListedPeer[]) {
    this.list = list
    for (const { id } of list) this.wipe(id)
  }

  get ids(): string[] {
    return this.list.map(({ id }) => id)
  }

  alive(id: string): boolean {
    return this.lives.get(id)?.alive === true
  }

  /** Starts a process of `id` on its disk. */
  start(id: string, { list = this.list, slots = 64, alone = false }: Settings = {}): Life {
    const disk = this.disks.get(id)!
    disk.boot += 1
    let seen = disk.roster
    const life: { -readonly [K in keyof Life]: Life[K] } = {
      founding: undefined as unknown as Founding,
      abort: new AbortController(),
      alive: true,
      minted: false,
      outcome: undefined,
    }
    const log = (level: string) => (_: object, message: string) => {
      if (message === 'founded: roster made') life.minted = true
      this.logged.push({ id, level, message })
    }
    life.founding = new Founding({
      self: id,
      list,
      dimension: id.length,
      slots,
      alone,
      store: {
        identity: { uid: disk.uid, boot: disk.boot },
        roster: () => seen,
        writeRoster: roster => {
          seen = roster
          return this.#flush(id, disk, life, roster)
        },
      },
      ask: (peer, statement) => this.#ask(id, life, peer.id, statement),
      clock: { after: (_, run) => this.#after(id, life, run) },
      uuid: () => {
        this.#clusterIds += 1
        return `cluster-${this.#clusterIds}`
      },
      log: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') },
    })
    this.lives.set(id, life)
    life.founding.run(life.abort.signal).then(
      roster => this.#resolved(id, disk, life, roster),
      error => {
        if (!life.alive) return
        life.outcome = { error }
        life.alive = false
      },
    )
    return life
  }

  /** kill -9. What is not flushed is gone; what is on the wire may still arrive. */
  crash(id: string): void {
    const life = this.lives.get(id)
    if (life !== undefined) life.alive = false
    this.steps = this.steps.filter(
      step => step.from !== id || step.what === 'request' || step.what === 'answer',
    )
  }

  /** A new, empty disk. The process must be down. */
  wipe(id: string): void {
    this.#uids += 1
    this.disks.set(id, { uid: `uid-${this.#uids}`, boot: 0, roster: null })
  }

  take(step: Step, lose = false): Promise<void> {
    this.steps.splice(this.steps.indexOf(step), 1)
    if (lose && step.lose !== undefined) step.lose()
    else step.happen()
    return this.settle()
  }

  /** Lets everything that needs no step happen. */
  async settle(): Promise<void> {
    await new Promise(resolve => setImmediate(resolve))
  }

  /** Takes steps, oldest first, until every living peer has an outcome. False when `limit` steps do not suffice. */
  async calm(limit = 2_000): Promise<boolean> {
    await this.settle()
    for (let taken = 0; taken < limit; taken += 1) {
      if (this.ids.every(id => !this.alive(id) || this.lives.get(id)?.outcome !== undefined)) return true
      const next = this.steps[0]
      if (next === undefined) return false
      await this.take(next)
    }
    return false
  }

  /** The peers that run under a roster, by its cluster id; the others under what stopped them. */
  outcomes(): Map<string, string[]> {
    const found = new Map<string, string[]>()
    for (const id of this.ids) {
      const outcome = this.lives.get(id)?.outcome
      const key =
        outcome === undefined
          ? 'waiting'
          : 'roster' in outcome
            ? outcome.roster.clusterId
            : outcome.error instanceof StrangerError
              ? 'stranger'
              : outcome.error instanceof FoundingError
                ? 'refused'
                : String(outcome.error)
      found.set(key, [...(found.get(key) ?? []), id])
    }
    return found
  }

  #flush(id: string, disk: Disk, life: Life, roster: Roster): Promise<void> {
    return new Promise(resolve => {
      const happen = () => {
        disk.roster = roster
        if (this.disks.get(id) === disk) this.clusters.add(roster.clusterId)
        if (life.alive) resolve()
      }
      // Lost here: it reaches the disk, but the process dies before it hears so.
      const lose = () => {
        happen()
        this.crash(id)
      }
      this.steps.push({ what: 'flush', from: id, happen: () => life.alive && happen(), lose })
    })
  }

  #ask(from: string, life: Life, to: string, statement: Statement): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const lose = () => {
        if (life.alive) reject(new Error('no answer'))
      }
      const happen = () => {
        const target = this.lives.get(to)
        if (target === undefined || !target.alive) return lose()
        const answer = target.founding.answer(structuredClone(statement))
        this.#checkSaid(to, answer)
        this.steps.push({
          what: 'answer',
          from,
          to,
          happen: () => {
            if (life.alive) resolve(structuredClone(answer))
          },
          lose,
        })
      }
      this.steps.push({ what: 'request', from, to, happen, lose })
    })
  }

  #after(id: string, life: Life, run: () => void): () => void {
    const step: Step = { what: 'timer', from: id, happen: () => life.alive && run() }
    this.steps.push(step)
    return () => {
      this.steps = this.steps.filter(other => other !== step)
    }
  }

  #checkSaid(id: string, answer: Statement): void {
    if (answer.kind === 'founded' && this.disks.get(id)?.roster?.clusterId !== answer.roster.clusterId) {
      this.broken.push(`${id} said founded before its roster was durable`)
    }
  }

  #resolved(id: string, disk: Disk, life: Life, roster: Roster): void {
    if (!life.alive) return
    life.outcome = { roster }
    if (disk.roster?.clusterId !== roster.clusterId)
      this.broken.push(`${id} votes before its roster is durable`)
    if (!roster.peers.some(peer => peer.id === id && peer.uid === disk.uid)) {
      this.broken.push(`${id} votes under a roster that does not name its store`)
    }
    if (!life.minted) return
    for (const peer of roster.peers) {
      const other = this.disks.get(peer.id)!
      if (other.uid === peer.uid && other.roster?.clusterId !== roster.clusterId) {
        this.broken.push(`the founder votes before ${peer.id} has the roster`)
      }
    }
  }
}

/** A world in which all peers of `ids` were started, and nothing has happened yet. */
export function started(...ids: string[]): World {
  const world = new World(listOf(...ids))
  for (const id of ids) world.start(id)
  return world
}

/** What stopped a peer. */
export function errorOf(life: Life): Error {
  if (life.outcome === undefined || !('error' in life.outcome)) throw new Error('the peer did not stop')
  return life.outcome.error as Error
}
