/**
 * How the value of a CloudEvents attribute is kept. A string is kept as it is; a boolean and an integer of the JSON
 * format as their canonical string behind a NUL, which no attribute may hold, so that they come out as what they were.
 */
const TYPED = '\u0000'

/** The kept form of a boolean or an integer. */
export function keepTyped(value: boolean | number): string {
  return `${TYPED}${value}`
}

/** The canonical string of a kept value (CloudEvents 1.0.2, type system). */
export function canonicalText(kept: string): string {
  return kept.startsWith(TYPED) ? kept.slice(TYPED.length) : kept
}

/** A kept value as the JSON format writes it: a string, `true`, `false` or an integer. */
export function attributeJson(kept: string): string {
  return kept.startsWith(TYPED) ? kept.slice(TYPED.length) : JSON.stringify(kept)
}

/** Attributes by name as canonical strings. */
export function canonicalTexts(kept: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(kept).map(([name, value]) => [name, canonicalText(value)]))
}
