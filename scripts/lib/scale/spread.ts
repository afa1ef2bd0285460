/** Least, mean and greatest of some numbers. */
export interface Spread {
  readonly least: number
  readonly mean: number
  readonly most: number
}

/** Of at least one number; throws RangeError for none. */
export function spreadOf(numbers: readonly number[]): Spread {
  if (numbers.length === 0) throw new RangeError('nothing to spread')
  let least = Number.POSITIVE_INFINITY
  let most = Number.NEGATIVE_INFINITY
  let sum = 0
  for (const number of numbers) {
    least = Math.min(least, number)
    most = Math.max(most, number)
    sum += number
  }
  return { least, mean: sum / numbers.length, most }
}

/** For each id what the counts say of it, 0 where they say nothing. */
export function spreadOver(ids: readonly string[], counts: ReadonlyMap<string, number>): Spread {
  return spreadOf(ids.map(id => counts.get(id) ?? 0))
}
