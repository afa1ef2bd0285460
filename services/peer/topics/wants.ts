import { topicNameProblem } from './names.ts'

/** One segment, or any number of them, also none; each only as a whole segment. */
const ONE = '*'
const ANY = '**'

/** True for a pattern, false for a topic's name: names never hold `*`. */
export function isPattern(want: string): boolean {
  return want.includes('*')
}

/**
 * What is wrong with `pattern`: its segments are `*`, `**` or as in a topic's name. A leading `$` is allowed, for only
 * such a pattern matches the system's topics.
 * @returns a phrase that completes "the pattern …", or undefined for a good one
 */
export function patternProblem(pattern: string): string | undefined {
  const isWild = (segment: string) => segment === ONE || segment === ANY
  const problem = topicNameProblem(pattern.replaceAll('*', '_'), 'system')
  if (problem !== undefined) return problem
  if (!isPattern(pattern)) return 'has no segment "*" or "**"'
  if (pattern.split('/').some(segment => isPattern(segment) && !isWild(segment)))
    return 'holds "*" beside other characters of a segment'
  return undefined
}

/**
 * Whether a topic is wanted. `want` is its name, or a pattern: `*` stands for one segment, `**` for any number of them,
 * segments split at `/`. A topic whose name begins with `$` is matched only by a want that does, too.
 */
export function matchesWant(want: string, topic: string): boolean {
  if (!isPattern(want)) return want === topic
  return new Pattern(want).matches(topic, topic.split('/'))
}

/** Several wants; what is asked of it for each event is answered quickly, however many they are. */
export class WantSet {
  /** Topics wanted by name. */
  readonly names: ReadonlySet<string>
  readonly #patterns: readonly Pattern[]

  constructor(wants: readonly string[]) {
    this.names = new Set(wants.filter(want => !isPattern(want)))
    this.#patterns = [...new Set(wants.filter(isPattern))].map(want => new Pattern(want))
  }

  get hasPatterns(): boolean {
    return this.#patterns.length > 0
  }

  /** Whether any want matches. */
  matches(topic: string): boolean {
    if (this.names.has(topic)) return true
    if (this.#patterns.length === 0) return false
    const segments = topic.split('/')
    return this.#patterns.some(pattern => pattern.matches(topic, segments))
  }
}

/** A pattern taken apart. */
class Pattern {
  readonly #segments: readonly string[]
  readonly #isOfSystem: boolean

  constructor(pattern: string) {
    this.#isOfSystem = pattern.startsWith('$')
    this.#segments = pattern.split('/')
  }

  matches(topic: string, segments: readonly string[]): boolean {
    return topic.startsWith('$') === this.#isOfSystem && this.#fits(segments)
  }

  /**
   * As with the `*` of a file name: when something does not fit, the last `**` takes one segment more, and no earlier
   * one has to be tried again. At most the product of both lengths.
   */
  #fits(segments: readonly string[]): boolean {
    const pattern = this.#segments
    let at = 0
    let next = 0
    let afterAny = -1
    let taken = 0
    while (at < segments.length) {
      const wanted = pattern[next]
      if (wanted === ANY) {
        next += 1
        afterAny = next
        taken = at
      } else if (wanted === ONE || wanted === segments[at]) {
        next += 1
        at += 1
      } else {
        if (afterAny < 0) return false
        taken += 1
        at = taken
        next = afterAny
      }
    }
    while (pattern[next] === ANY) next += 1
    return next === pattern.length
  }
}
