import { Command, InvalidArgumentError } from 'commander'
import { ALL_KINDS, FAULT_KINDS, type FaultKind } from './kinds.ts'

export interface ChaosOptions {
  readonly minutes: number
  readonly seed: string
  readonly faults: readonly FaultKind[]
  /** Publishes a second of all publishers together. */
  readonly rate: number
  readonly peers: number
  readonly keep: boolean
}

const MAX_MINUTES = 24 * 60

/** The command line of `npm run chaos`; ends the process itself when it is wrong or asks for help. */
export function readOptions(argv: readonly string[]): ChaosOptions {
  const asked = Object.entries(FAULT_KINDS)
    .map(([kind, { what }]) => `  ${kind.padEnd(8)} ${what}`)
    .join('\n')
  return new Command('chaos')
    .description('Runs a cube of real processes under faults, with clients whose histories are checked.')
    .option('--minutes <number>', 'how long faults go on', number(0.1, MAX_MINUTES), 5)
    .option('--seed <text>', 'what the faults and the clients’ choices follow from', String(Date.now() % 1e6))
    .option('--faults <kinds>', 'which kinds, separated by commas', readKinds, ALL_KINDS)
    .option('--rate <number>', 'publishes a second, besides those that measure', number(1, 10_000), 100)
    .option('--peers <number>', 'peers of the cube to begin with', number(4, 16), 8)
    .option('--keep', 'keep the histories and logs also when nothing is wrong', false)
    .addHelpText('after', `\nKinds of faults:\n${asked}`)
    .parse(argv)
    .opts<ChaosOptions>()
}

function number(least: number, greatest: number): (text: string) => number {
  return text => {
    const value = Number(text)
    if (value >= least && value <= greatest) return value
    throw new InvalidArgumentError(`Give a number from ${least} to ${greatest}.`)
  }
}

function readKinds(text: string): FaultKind[] {
  return text.split(',').map(word => {
    if (word in FAULT_KINDS) return word as FaultKind
    throw new InvalidArgumentError(`"${word}" is no kind of fault; there are ${Object.keys(FAULT_KINDS)}.`)
  })
}
