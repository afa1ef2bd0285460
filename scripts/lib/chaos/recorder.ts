import { HistoryWriter } from '../checker/file.ts'
import type { Operation } from '../checker/operations.ts'

/** Odd answers that are kept. */
const MAX_ODD = 200

/** Takes down what every client did and saw: in memory for the checker, and in a file. */
export class Recorder {
  readonly operations: Operation[] = []
  /** Answers that the contract does not allow for what was asked. */
  readonly odd: string[] = []
  readonly #file: HistoryWriter

  /** Creates the file, or empties it. */
  constructor(path: string) {
    this.#file = new HistoryWriter(path)
  }

  add(operation: Operation): void {
    this.operations.push(operation)
    this.#file.append(operation)
  }

  oddAnswer(text: string): void {
    if (this.odd.length < MAX_ODD) this.odd.push(text)
  }

  close(): void {
    this.#file.close()
  }
}
