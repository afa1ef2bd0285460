import { quantile } from '../history.ts'
import type { FaultKind } from './kinds.ts'

/** How the figures are measured, in the words of the report. */
export const MEASURE =
  'longest time between two acknowledged publishes of one topic that follow each other, for each of up to four topics whose ' +
  'home is a victim, the other end of a cut link, or the peer that joins (where it is home of none: that have a replica there); published every 40 ms, each event once, through a peer that is not harmed ' +
  '(of a whole-cube power-off: through any one). "fault": gaps that touch the time from the fault to its end; ' +
  '"return": gaps that begin after its end, until the cube has healed'

/** One topic under one fault. */
export interface Spell {
  readonly kind: FaultKind
  readonly topic: string
  /** Since when the topic is probed for this fault; earlier acknowledgements say nothing. */
  readonly probedMs: number
  readonly beganMs: number
  /** When the fault was ended, or what was killed was started. */
  readonly endedMs: number
  /** When the cube had healed. */
  readonly healedMs: number
}

/** Longest gaps of one spell. */
export interface SpellGaps {
  readonly kind: FaultKind
  readonly faultMs: number
  readonly returnMs: number
}

/** Figures of one kind of fault. */
export interface KindFigures {
  readonly kind: FaultKind
  readonly spells: number
  readonly fault: Figures
  readonly return: Figures
}

export interface Figures {
  readonly medianMs: number
  readonly p99Ms: number
  readonly maxMs: number
}

/**
 * The longest gaps of a spell, from the times of its topic's acknowledgements in ascending order. One that never
 * ended, or never began, is taken to the edge of the spell.
 */
export function gapsOf(spell: Spell, acks: readonly number[]): SpellGaps {
  const { kind, probedMs, beganMs, endedMs, healedMs } = spell
  const before = acks.findLast(atMs => atMs >= probedMs && atMs < beganMs) ?? beganMs
  const within = acks.filter(atMs => atMs >= beganMs && atMs <= healedMs)
  const after = acks.find(atMs => atMs > healedMs) ?? healedMs
  const times = [before, ...within, after]
  let [faultMs, returnMs] = [0, 0]
  for (let index = 1; index < times.length; index += 1) {
    const [from, to] = [times[index - 1]!, times[index]!]
    if (from <= endedMs) faultMs = Math.max(faultMs, to - from)
    else returnMs = Math.max(returnMs, to - from)
  }
  return { kind, faultMs, returnMs }
}

/** The figures of each kind that occurred, in order of their first occurrence. */
export function figures(gaps: readonly SpellGaps[]): KindFigures[] {
  return [...Map.groupBy(gaps, ({ kind }) => kind)].map(([kind, of]) => ({
    kind,
    spells: of.length,
    fault: figuresOf(of.map(({ faultMs }) => faultMs)),
    return: figuresOf(of.map(({ returnMs }) => returnMs)),
  }))
}

function figuresOf(values: readonly number[]): Figures {
  return {
    medianMs: Math.round(quantile(values, 0.5)),
    p99Ms: Math.round(quantile(values, 0.99)),
    maxMs: Math.round(Math.max(...values)),
  }
}
