import type { TopicSettings } from './types.ts'

/** Keeps everything: what a topic gets for the settings it does not name. */
export const UNLIMITED: TopicSettings = { maxAgeMs: null, maxEvents: null, maxBytes: null }

const NAMES = ['maxAgeMs', 'maxEvents', 'maxBytes'] as const

/**
 * What is wrong with settings as somebody sent them: each is a positive safe integer, or null for no limit.
 * @returns a sentence, or undefined when they can be used
 */
export function settingsProblem(input: unknown): string | undefined {
  if (typeof input !== 'object' || input === null || Array.isArray(input))
    return 'Settings are a JSON object.'
  for (const [name, value] of Object.entries(input)) {
    if (!(NAMES as readonly string[]).includes(name)) {
      return `There is no setting "${name}"; there are ${NAMES.join(', ')}.`
    }
    if (value === undefined || value === null) continue
    if (!Number.isSafeInteger(value) || value < 1) return `${name} is a whole number from 1 on, or null.`
  }
  return undefined
}

/** `base` with what `change` names in its place; an absent or undefined setting stays, null lifts a limit. */
export function mergeSettings(base: TopicSettings, change: Partial<TopicSettings>): TopicSettings {
  return {
    maxAgeMs: change.maxAgeMs === undefined ? base.maxAgeMs : change.maxAgeMs,
    maxEvents: change.maxEvents === undefined ? base.maxEvents : change.maxEvents,
    maxBytes: change.maxBytes === undefined ? base.maxBytes : change.maxBytes,
  }
}

/** True when both keep the same. */
export function sameSettings(one: TopicSettings, other: TopicSettings): boolean {
  return NAMES.every(name => one[name] === other[name])
}
