import type { Cluster } from './cluster.ts'
import type { Member } from './member.ts'
import { FAIR } from './network.ts'
import type { Chance } from './world.ts'

type Fault = (faults: Faults) => void

/** Does harm at random times, and undoes it again. */
export class Faults {
  readonly counts: Record<string, number> = {}
  readonly #cluster: Cluster
  readonly #chance: Chance
  /** Mean time between two faults; every seed has its own temper. */
  readonly #everyMs: number
  #isActive = false

  constructor(cluster: Cluster, chance: Chance) {
    this.#cluster = cluster
    this.#chance = chance
    this.#everyMs = chance.pick([300, 1_000, 2_500])
  }

  start(): void {
    this.#isActive = true
    this.#plan()
  }

  /** Ends all harm: whoever is down starts, links carry, disks are quick, clocks are right. */
  heal(): void {
    this.#isActive = false
    const { network, members, trace } = this.#cluster
    trace.say('faults', 'heal')
    network.cuts.clear()
    network.weather = { ...FAIR }
    for (const member of members.values()) {
      this.#clock(member, 0)
      member.flushMs = 0.5
      member.life.resume(this.#cluster.world)
    }
    this.revive()
  }

  /** Starts whoever is down; what was under way before the healing may still end somebody. */
  revive(): void {
    for (const member of this.#cluster.members.values()) member.start()
    if (!this.#isActive) this.#cluster.world.after(1_000, () => this.revive())
  }

  #plan(): void {
    const delayMs = -Math.log(1 - this.#chance.next()) * this.#everyMs
    this.#cluster.world.after(delayMs, () => {
      if (!this.#isActive) return
      const [kind, fault] = this.#chance.pick(KINDS)
      this.counts[kind] = (this.counts[kind] ?? 0) + 1
      fault(this)
      this.#plan()
    })
  }

  kill(member = this.#anyone()): void {
    const keep = this.#chance.int(0, member.disk.pendingWrites)
    member.kill(keep)
    this.#later(50, 4_000, () => member.start())
  }

  /** The whole site loses power. */
  blackout(): void {
    for (const member of this.#cluster.members.values()) this.kill(member)
  }

  stop(): void {
    const member = this.#anyone()
    member.stop()
    this.#later(2_000, 5_000, () => member.start())
  }

  pause(): void {
    const member = this.#anyone()
    if (!member.isUp || member.life.isPaused) return
    const { life } = member
    this.#cluster.trace.say(member.id, 'is paused')
    life.pause()
    this.#later(100, 5_000, () => {
      this.#cluster.trace.say(member.id, 'is continued')
      life.resume(this.#cluster.world)
    })
  }

  /** Two groups that do not hear each other. */
  partition(): void {
    const side = new Map([...this.#cluster.members.keys()].map(id => [id, this.#chance.yes(0.5)]))
    this.#cut((from, to) => side.get(from) !== side.get(to))
  }

  isolate(): void {
    const { id } = this.#anyone()
    this.#cut((from, to) => from === id || to === id)
  }

  /** One peer is heard and hears nothing, or the other way round. */
  deafen(): void {
    const { id } = this.#anyone()
    const isDeaf = this.#chance.yes(0.5)
    this.#cut((from, to) => (isDeaf ? to : from) === id)
  }

  storm(): void {
    const { network, trace } = this.#cluster
    const weather = {
      loss: this.#chance.between(0, 0.3),
      duplication: this.#chance.between(0, 0.2),
      reorder: this.#chance.between(0, 0.5),
      minDelayMs: 0.1,
      maxDelayMs: this.#chance.pick([5, 100, 600]),
    }
    trace.say('faults', `storm ${JSON.stringify(weather)}`)
    network.weather = weather
    this.#later(500, 5_000, () => {
      if (network.weather === weather) network.weather = { ...FAIR }
    })
  }

  slowDisk(): void {
    const member = this.#anyone()
    member.flushMs = this.#chance.pick([10, 80, 400])
    this.#cluster.trace.say(member.id, `fsync takes ${member.flushMs} ms`)
    this.#later(500, 5_000, () => {
      member.flushMs = 0.5
    })
  }

  /** The next fsync fails: the peer must end and may start again. */
  failFsync(): void {
    const member = this.#anyone()
    if (!member.isUp) return
    this.#cluster.trace.say(member.id, 'the next fsync fails')
    member.disk.failNextFlush('the simulated fsync failed', this.#chance.yes(0.5))
    this.#later(1_000, 4_000, () => member.start())
  }

  clockJump(): void {
    const member = this.#anyone()
    this.#clock(member, this.#chance.pick([-60_000, -4_000, 4_000, 60_000]))
    this.#later(500, 6_000, () => this.#clock(member, 0))
  }

  /** A connection closes for no reason. */
  closeConnection(): void {
    const [one, other] = [this.#anyone(), this.#anyone()]
    if (one === other || !one.isUp) return
    one.life.run(() => one.engine.connectionClosed(other.id))
  }

  #cut(affects: (from: string, to: string) => boolean): void {
    const { network, members, trace } = this.#cluster
    const links: string[] = []
    for (const from of members.keys()) {
      for (const to of members.keys()) if (from !== to && affects(from, to)) links.push(`${from}>${to}`)
    }
    trace.say('faults', `cut ${links.join(' ')}`)
    for (const link of links) network.cuts.add(link)
    this.#later(300, 6_000, () => {
      trace.say('faults', `mend ${links.join(' ')}`)
      for (const link of links) network.cuts.delete(link)
    })
  }

  #clock(member: Member, skewMs: number): void {
    if (member.skewMs === skewMs) return
    this.#cluster.trace.say(member.id, `its clock is ${skewMs} ms off`)
    member.skewMs = skewMs
    member.life.skewMs = skewMs
  }

  #later(lowMs: number, highMs: number, undo: () => void): void {
    this.#cluster.world.after(this.#chance.between(lowMs, highMs), () => {
      if (this.#isActive) undo()
    })
  }

  #anyone(): Member {
    return this.#chance.pick([...this.#cluster.members.values()])
  }
}

const KINDS: readonly (readonly [string, Fault])[] = [
  ['kill', faults => faults.kill()],
  ['kill', faults => faults.kill()],
  ['kill', faults => faults.kill()],
  ['blackout', faults => faults.blackout()],
  ['stop', faults => faults.stop()],
  ['pause', faults => faults.pause()],
  ['pause', faults => faults.pause()],
  ['partition', faults => faults.partition()],
  ['isolate', faults => faults.isolate()],
  ['deafen', faults => faults.deafen()],
  ['storm', faults => faults.storm()],
  ['storm', faults => faults.storm()],
  ['slow disk', faults => faults.slowDisk()],
  ['failed fsync', faults => faults.failFsync()],
  ['clock jump', faults => faults.clockJump()],
  ['closed connection', faults => faults.closeConnection()],
]
