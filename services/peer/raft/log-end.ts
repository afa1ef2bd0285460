import type { LogEnd } from './types.ts'

/** True when a log that ends at `end` is at least as good as one that ends at `other` (paper 5.4.1). */
export function isAsGoodAs(end: LogEnd, other: LogEnd): boolean {
  return end.term > other.term || (end.term === other.term && end.index >= other.index)
}
