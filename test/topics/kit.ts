import { LIMITS as PEER_LIMITS } from '../../services/peer/limits.ts'
import { emptyImage, type MachineLimits, SlotMachine } from '../../services/peer/topics/machine.ts'
import { UNLIMITED } from '../../services/peer/topics/settings.ts'
import type { ClientKey, Command, EventInput, ProducerStamp } from '../../services/peer/topics/types.ts'

/** Limits wide enough not to matter; a test narrows the one it is about. */
export const LIMITS: MachineLimits = {
  maxTopics: 100,
  maxKeys: 100,
  keyWindowMs: 1_000,
  maxProducers: 10,
  maxProducerInflight: 10,
  roster: PEER_LIMITS,
}

/** A machine that numbers its entries itself, and is called with what a test is about. */
export class Bench {
  readonly machine: SlotMachine
  timeMs = 1_000

  constructor(limits: Partial<MachineLimits> = {}) {
    this.machine = new SlotMachine(emptyImage(), { ...LIMITS, ...limits })
  }

  apply(command: Command | null) {
    return this.machine.apply(this.machine.slot.appliedIndex + 1, 1, command)
  }

  create(topic: string, settings = UNLIMITED, producer?: ProducerStamp) {
    return this.apply({ kind: 'create', topic, settings, timeMs: this.timeMs, ...(producer && { producer }) })
  }

  publish(
    topic: string,
    texts: string | string[],
    how: { clientKey?: ClientKey; producer?: ProducerStamp } = {},
  ) {
    const events = [texts].flat().map(text)
    return this.apply({ kind: 'publish', topic, events, timeMs: this.timeMs, ...how })
  }

  delete(topic: string) {
    return this.apply({ kind: 'delete', topic, timeMs: this.timeMs })
  }

  trim(topic: string, incarnation: number, before: number, bytes: number, sequence?: number) {
    const said = sequence === undefined ? {} : { sequence }
    return this.apply({ kind: 'trim', topic, incarnation, before, bytes, ...said, timeMs: this.timeMs })
  }
}

/** An event whose data is this text. */
export function text(data: string): EventInput {
  return { data: new TextEncoder().encode(data) }
}

/** The stamp of a producer's request. */
export function stamp(uid: string, sequence: number, low = 1, boot = 1): ProducerStamp {
  return { uid, boot, sequence, low }
}
