import { InvalidArgumentError } from 'commander'

/** Reads a whole number from 0 of the command line. */
export function natural(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('a whole number is needed.')
  return Number(text)
}

/** Reads a whole number from 1. */
export function positive(text: string): number {
  const number = natural(text)
  if (number === 0) throw new InvalidArgumentError('a number above 0 is needed.')
  return number
}

/** Reads a number above 0, perhaps with a fraction. */
export function above0(text: string): number {
  const number = Number(text)
  if (!/^\d{1,6}(\.\d{1,3})?$/.test(text) || number === 0) {
    throw new InvalidArgumentError('a number above 0 is needed.')
  }
  return number
}
