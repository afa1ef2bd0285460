/** What a seed once found in the product: it finds nothing any more, and finds it again in what the product was. */
export interface Regression {
  readonly seed: number
  /** The mutant that undoes the mending. */
  readonly mutant: string
  /** What it found, and where that was mended. */
  readonly found: string
}

export const REGRESSIONS: readonly Regression[] = [
  {
    seed: 250,
    mutant: 'a page gives what its gap says is gone',
    found:
      'a page read at a replica that lags told of a gap over events that it then gave (streams/history.ts)',
  },
  {
    seed: 275,
    mutant: "count other topics' incarnations for one that is not there",
    found:
      'a topic that was created again and had no event yet was taken for deleted where another stream listened (streams/slot-feed.ts)',
  },
  {
    seed: 410029,
    mutant: 'forget the end just told when there were too many',
    found:
      'an end that came with a read of the log was told twice when it was one too many to be remembered (streams/trail.ts)',
  },
]
