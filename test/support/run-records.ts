import { encodeCommand } from '../../services/peer/engine/codec.ts'
import type { AppliedSlot, SlotRuns } from '../../services/peer/engine/wanted-runs.ts'
import type { SlotMachine } from '../../services/peer/topics/machine.ts'
import type { Command, Run, SlotNotice } from '../../services/peer/topics/types.ts'

/** Every run of one slot's log, with the entry that holds its events. */
export class RunRecords {
  readonly #records: { readonly run: Run; readonly data: Uint8Array }[] = []

  /** Keeps the run that a command has made, if it has made one. */
  keep(command: Command, notices: readonly SlotNotice[]): void {
    for (const notice of notices) {
      if (notice.kind === 'published') {
        this.#records.push({ run: notice.run, data: encodeCommand(command) })
      }
    }
  }

  /** As a replica reads them that has applied the log up to this index. */
  upTo(applied: number): SlotRuns {
    const runs = this.#records.map(({ run }) => run).filter(({ logIndex }) => logIndex <= applied)
    return {
      runsFrom: (_, from, limit) => runs.filter(({ logIndex }) => logIndex >= from).slice(0, limit),
      runsBefore: (_, to, limit) =>
        runs
          .filter(({ logIndex }) => logIndex < to)
          .reverse()
          .slice(0, limit),
      findRun: (_, incarnation, offset) =>
        runs.find(run => run.incarnation === incarnation && run.first + run.count > offset),
      runData: (_, index) => this.#records.find(({ run }) => run.logIndex === index)?.data,
    }
  }
}

/** The state of a machine as the reading of a slot sees it. */
export function appliedSlot(slot: number, machine: SlotMachine): AppliedSlot {
  const topicOf = (incarnation: number) =>
    machine.topicsMatching(() => true).find(topic => topic.incarnation === incarnation)
  return { slot, machine, topicOf }
}
