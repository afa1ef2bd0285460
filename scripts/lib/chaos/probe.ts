import { Agent } from 'node:http'
import type { Recorder } from './recorder.ts'
import { publishOnce } from './requests.ts'

/** What a probe is asked to look at. */
export interface Focus {
  readonly topics: readonly string[]
  /** Base URL of the peer through which they are published to. */
  readonly through: string
}

/** Between two probes of one topic: the figures cannot be finer than this. */
export const PROBE_EVERY_MS = 40
/** Unanswered probes of one topic; when there are so many no more is sent, lest the probe itself be the fault. */
const MAX_UNDERWAY = 50

/**
 * Publishes to the topics in focus at a steady pace through one peer that is not harmed, without waiting for answers
 * and without trying again: the acknowledgements show when a topic could be published to.
 */
export class Probe {
  /** When publishes to a topic were acknowledged, in order of their answers. */
  readonly acks = new Map<string, number[]>()
  readonly #recorder: Recorder
  /** Without a bound on its connections: a probe that waits for one would say something about itself. */
  readonly #agent = new Agent({ keepAlive: true })
  readonly #underway = new Map<string, Set<Promise<void>>>()
  #timer: NodeJS.Timeout | undefined
  #count = 0

  constructor(recorder: Recorder) {
    this.#recorder = recorder
  }

  /** Looks at this from now on, and at nothing else. */
  focus({ topics, through }: Focus): void {
    this.rest()
    this.#timer = setInterval(() => {
      for (const topic of topics) {
        const underway = this.#underway.get(topic) ?? new Set()
        this.#underway.set(topic, underway)
        if (underway.size >= MAX_UNDERWAY) continue
        const sent = this.#send(topic, through).finally(() => underway.delete(sent))
        underway.add(sent)
      }
    }, PROBE_EVERY_MS)
  }

  /** Sends no more. */
  rest(): void {
    clearInterval(this.#timer)
  }

  /** Resolves when everything sent has its answer. */
  async stop(): Promise<void> {
    this.rest()
    await Promise.all([...this.#underway.values()].flatMap(underway => [...underway]))
    this.#agent.destroy()
  }

  async #send(topic: string, base: string): Promise<void> {
    this.#count += 1
    // Several are under way at once, and a client of the history does one thing after the other.
    const client = `probe ${this.#count}`
    const ids = [`probe.${this.#count}`]
    const { outcome, toMs } = await publishOnce({
      recorder: this.#recorder,
      client,
      topic,
      ids,
      base,
      agent: this.#agent,
    })
    if (outcome !== 'acknowledged') return
    const acks = this.acks.get(topic) ?? []
    this.acks.set(topic, acks)
    acks.push(toMs)
  }
}
