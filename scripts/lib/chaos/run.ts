import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { gapsOf, type Spell, type SpellGaps } from './availability.ts'
import type { Clients } from './clients.ts'
import type { ChaosCube } from './cube.ts'
import { beginFault, type FaultTools, healFault } from './faults.ts'
import { FAULT_KINDS } from './kinds.ts'
import type { Random } from './random.ts'
import { type Fault, type Round, rostersOf, type Schedule } from './schedule.ts'

export interface ChaosRunOptions {
  readonly cube: ChaosCube
  readonly clients: Clients
  readonly schedule: Schedule
  readonly random: Random
  readonly tools: FaultTools
  /** Topics and their slots. */
  readonly topics: ReadonlyMap<string, number>
  /** No round begins after this, monotonic. */
  readonly deadlineMs: number
}

/** The cube must have healed of a round within this time (P6). */
const HEAL_TIMEOUT_MS = 120_000
const HEAL_POLL_MS = 200
/** After so long it is told what the cube still ails. */
const TELL_AILMENT_MS = 30_000
/** Probes before a round begins and after the cube has healed. */
const PROBE_LEAD_MS = 600
/** Of a fault: more topics than these would be a load of their own. */
const MAX_FOCUS = 4

/** Carries out a schedule, one round after the other, and measures each. */
export class ChaosRun {
  readonly done: Fault[] = []
  /** Faults that have begun and are not healed. */
  readonly active = new Set<Fault>()
  readonly #options: ChaosRunOptions
  readonly #spells: Spell[] = []
  readonly #loopDelay = monitorEventLoopDelay({ resolution: 10 })

  constructor(options: ChaosRunOptions) {
    this.#options = options
  }

  /** Gaps in the availability of topics, by fault. */
  get gaps(): SpellGaps[] {
    const { acks } = this.#options.clients.probe
    return this.#spells.map(spell => gapsOf(spell, acks.get(spell.topic) ?? []))
  }

  /** How long this program itself was kept from running, at most: gaps are known no better. */
  get ownDelayMs(): number {
    return Math.round(this.#loopDelay.max / 1e6)
  }

  /** Resolves when the time is up; false when the cube did not heal of a round. */
  async run(): Promise<boolean> {
    const { cube, schedule, deadlineMs } = this.#options
    this.#loopDelay.enable()
    while (performance.now() < deadlineMs) {
      const { roster, away, fresh } = cube
      const round = schedule.next({ roster, away, fresh })
      await delay(round.pauseMs)
      if (!(await this.#round(round))) return false
    }
    this.#loopDelay.disable()
    return true
  }

  /** Waits until the cube is healed; false after a bound, which is a finding. */
  async healed(): Promise<boolean> {
    const { cube, tools } = this.#options
    const deadlineMs = performance.now() + HEAL_TIMEOUT_MS
    for (let tellMs = performance.now() + TELL_AILMENT_MS; ; ) {
      const ailment = await cube.ailment()
      if (ailment === undefined) return true
      if (performance.now() > tellMs) {
        tools.tell(`not healed yet: ${ailment}`)
        tellMs += TELL_AILMENT_MS
      }
      if (performance.now() > deadlineMs) {
        tools.found(`not healed after ${HEAL_TIMEOUT_MS / 1_000} s: ${ailment}`)
        return false
      }
      await delay(HEAL_POLL_MS)
    }
  }

  async #round(round: Round): Promise<boolean> {
    const { clients, tools } = this.#options
    const topics = round.faults.map(fault => this.#topicsOf(fault))
    const probedMs = performance.now()
    clients.probe.focus({ topics: [...new Set(topics.flat())], through: this.#through(round) })
    await delay(PROBE_LEAD_MS)
    const times = await Promise.all(round.faults.map(fault => this.#fault(fault)))
    const isHealed = await this.healed()
    const healedMs = performance.now()
    const lastEndMs = Math.max(...times.map(({ endedMs }) => endedMs))
    if (isHealed) tools.tell(`healed, ${((healedMs - lastEndMs) / 1_000).toFixed(1)} s later`)
    await delay(PROBE_LEAD_MS)
    clients.probe.rest()
    for (const [index, fault] of round.faults.entries()) {
      for (const topic of topics[index]!) {
        this.#spells.push({ kind: fault.kind, topic, probedMs, ...times[index]!, healedMs })
      }
    }
    return isHealed
  }

  async #fault(fault: Fault): Promise<{ beganMs: number; endedMs: number }> {
    const { tools } = this.#options
    const { kind, victims, other, forMs } = fault
    await delay(fault.afterMs)
    const whom =
      FAULT_KINDS[kind].harms === 'all' ? 'all' : [...victims, ...(other ? [other] : [])].join(' and ')
    tools.tell(`${kind} ${whom}: ${FAULT_KINDS[kind].what}`)
    this.active.add(fault)
    const beganMs = performance.now()
    let endedMs = beganMs
    try {
      await beginFault(fault, tools)
      await delay(forMs)
      endedMs = performance.now()
      await healFault(fault, tools)
      tools.tell(`${kind} ${whom}: over after ${((performance.now() - beganMs) / 1_000).toFixed(1)} s`)
    } catch (error) {
      tools.found(`${kind} ${whom}: ${(error as Error).message}`)
    }
    this.active.delete(fault)
    this.done.push(fault)
    return { beganMs, endedMs }
  }

  /** The topics that a fault is measured by: those at home at its victims or, if there are none, with a replica there. */
  #topicsOf(fault: Fault): string[] {
    const { cube, topics } = this.#options
    const { kind, victims } = fault
    const peers = kind === 'link' ? [...victims, fault.other!] : victims
    const rosters = rostersOf(fault, cube.roster)
    const touched = (isAt: (replicas: readonly string[], peer: string) => boolean) =>
      [...topics].filter(([, slot]) =>
        rosters.some(({ placements }) => peers.some(peer => isAt(placements[slot]!, peer))),
      )
    const homes = touched(([home], peer) => home === peer)
    const found = homes.length > 0 ? homes : touched((replicas, peer) => replicas.includes(peer))
    return found.slice(0, MAX_FOCUS).map(([topic]) => topic)
  }

  /** A peer that no fault of the round harms; any, where all are harmed. */
  #through(round: Round): string {
    const { cube, random } = this.#options
    const harmed = round.faults.flatMap(({ victims, other }) => [...victims, ...(other ? [other] : [])])
    const well = cube.roster.names.filter(name => !harmed.includes(name))
    return cube.url(random.pick(well.length > 0 ? well : cube.names))
  }
}
