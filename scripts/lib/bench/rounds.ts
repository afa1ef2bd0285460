/** The list begun `by` places later. */
export function rotated<T>(list: readonly T[], by: number): T[] {
  return list.map((_, at) => list[(at + by) % list.length]!)
}
