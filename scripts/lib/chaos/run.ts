import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { gapsOf, type Spell, type SpellGaps } from './availability.ts'
import type { Clients } from './clients.ts'
import type { ChaosCube } from './cube.ts'
import { beginFault, type FaultTools, healFault } from './faults.ts'
import type { Random } from './random.ts'
import { FAULT_KINDS, type Fault, type Round } from './schedule.ts'

export interface ChaosRunOptions {
  readonly cube: ChaosCube
  readonly clients: Clients
  readonly rounds: readonly Round[]
  readonly random: Random
  readonly tools: FaultTools
  /** Topics and their homes. */
  readonly homes: ReadonlyMap<string, string>
  /** No round begins after this, monotonic. */
  readonly deadlineMs: number
}

/** The cube must have healed of a round within this time (P6). */
const HEAL_TIMEOUT_MS = 120_000
const HEAL_POLL_MS = 200
/** Probes before a round begins and after the cube has healed. */
const PROBE_LEAD_MS = 600
/** Of a whole-cube fault: more topics than these would be a load of their own. */
const MAX_FOCUS = 2

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

  /** Resolves when the time is up or all rounds are over; false when the cube did not heal of one. */
  async run(): Promise<boolean> {
    this.#loopDelay.enable()
    for (const round of this.#options.rounds) {
      // What does not come back is not left out when the time is up: it is the end of the run.
      const isLast = round.faults.some(({ kind }) => FAULT_KINDS[kind].waitsFor)
      if (performance.now() > this.#options.deadlineMs && !isLast) continue
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
    for (;;) {
      const ailment = await cube.ailment(cube.ids.filter(id => !tools.lost.has(id)))
      if (ailment === undefined) return true
      if (performance.now() > deadlineMs) {
        tools.found(`not healed after ${HEAL_TIMEOUT_MS / 1_000} s: ${ailment}`)
        return false
      }
      await delay(HEAL_POLL_MS)
    }
  }

  async #round(round: Round): Promise<boolean> {
    const { clients, tools } = this.#options
    const touched = round.faults.flatMap(fault => this.#topicsOf(fault))
    const probedMs = performance.now()
    clients.probe.focus({ topics: [...new Set(touched)], through: this.#through(round) })
    await delay(PROBE_LEAD_MS)
    const times = await Promise.all(round.faults.map(fault => this.#fault(fault)))
    const isHealed = await this.healed()
    const healedMs = performance.now()
    const lastEndMs = Math.max(...times.map(({ endedMs }) => endedMs))
    if (isHealed) tools.tell(`healed, ${((healedMs - lastEndMs) / 1_000).toFixed(1)} s later`)
    await delay(PROBE_LEAD_MS)
    clients.probe.rest()
    for (const [index, fault] of round.faults.entries()) {
      for (const topic of this.#topicsOf(fault)) {
        this.#spells.push({ kind: fault.kind, topic, probedMs, ...times[index]!, healedMs })
      }
    }
    return isHealed
  }

  async #fault(fault: Fault): Promise<{ beganMs: number; endedMs: number }> {
    const { tools } = this.#options
    const { kind, victims, other, forMs } = fault
    await delay(fault.afterMs)
    const whom = FAULT_KINDS[kind].harms === 'all' ? 'all' : [...victims, ...(other ? [other] : [])].join('-')
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

  /** The topics that a fault is measured by: those at home at its victims. */
  #topicsOf({ kind, victims, other }: Fault): string[] {
    const at = (peer: string) => victims.includes(peer) || peer === other
    const topics = [...this.#options.homes].filter(([, home]) => at(home)).map(([topic]) => topic)
    return FAULT_KINDS[kind].harms === 'all' ? topics.slice(0, MAX_FOCUS) : topics
  }

  /** A peer that no fault of the round harms; any, where all are harmed. */
  #through(round: Round): string {
    const { cube, random, tools } = this.#options
    const harmed = round.faults.flatMap(({ victims, other }) => [...victims, ...(other ? [other] : [])])
    const well = cube.ids.filter(id => !harmed.includes(id) && !tools.lost.has(id))
    return cube.url(random.pick(well.length > 0 ? well : cube.ids))
  }
}
