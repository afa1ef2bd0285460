/** One line of the product, broken on purpose: the simulator must notice. */
export interface Mutant {
  readonly name: string
  /** Source file below services/peer. */
  readonly file: string
  /** Text that is there exactly once. */
  readonly find: string
  readonly replace: string
  /** Beginnings of the violations that are expected to show it. */
  readonly shownBy: readonly string[]
  /** A seed that is known to show it, where few do: it is tried first. */
  readonly seed?: number
}

/** The source with the mutant's line broken. Throws Error when the line is not there exactly once. */
export function mutate(source: string, { name, file, find, replace }: Mutant): string {
  const parts = source.split(find)
  if (parts.length !== 2) {
    throw new Error(`mutant "${name}": its line is ${parts.length - 1} times in ${file}, not once`)
  }
  return parts.join(replace)
}
