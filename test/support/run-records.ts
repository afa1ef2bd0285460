import { encodeCommand } from '../../services/peer/engine/codec.ts'
import { offsetAt, readEvents } from '../../services/peer/engine/reading.ts'
import { placeSlot, readSlot } from '../../services/peer/engine/slot-reading.ts'
import type { SlotLogs } from '../../services/peer/engine/types.ts'
import type { AppliedSlot } from '../../services/peer/engine/wanted-runs.ts'
import type { Placed, SlotStart } from '../../services/peer/links/slot-operations.ts'
import type { LogStore } from '../../services/peer/store/types.ts'
import type { SlotMachine } from '../../services/peer/topics/machine.ts'
import type { Command, Run, SlotNotice } from '../../services/peer/topics/types.ts'

type RunReads = Pick<LogStore, 'runs' | 'findRun' | 'runsFrom' | 'runsBefore' | 'runData'>
/** The reads of a slot that a replica answers. */
export type SlotReads = Pick<SlotLogs, 'read' | 'offsetAt' | 'position' | 'readSlot'> & {
  placeSlot(slot: number, wants: readonly string[], start: SlotStart): Placed
}

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
  upTo(applied: number): RunReads {
    const runs = this.#records.map(({ run }) => run).filter(({ logIndex }) => logIndex <= applied)
    const runsAt = (incarnation: number, offset: number) =>
      runs.filter(run => run.incarnation === incarnation && run.first + run.count > offset)
    return {
      runs: (_, incarnation, offset, limit) => runsAt(incarnation, offset).slice(0, limit),
      findRun: (_, incarnation, offset) => runsAt(incarnation, offset)[0],
      runsFrom: (_, from, limit) => runs.filter(({ logIndex }) => logIndex >= from).slice(0, limit),
      runsBefore: (_, to, limit) =>
        runs
          .filter(({ logIndex }) => logIndex < to)
          .reverse()
          .slice(0, limit),
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

/** How the engine reads a slot, over the runs that a machine has applied. */
export function slotReads(records: RunRecords, machine: SlotMachine): SlotReads {
  const applied = (slot: number) => appliedSlot(slot, machine)
  const runs = () => records.upTo(machine.slot.appliedIndex)
  return {
    read: (slot, ...rest) => readEvents(runs(), applied(slot), ...rest),
    offsetAt: (slot, ...rest) => offsetAt(runs(), applied(slot), ...rest),
    position: () => ({ sequence: machine.slot.sequence, index: machine.slot.appliedIndex }),
    readSlot: (slot, ...rest) => readSlot(runs(), applied(slot), ...rest),
    placeSlot: (slot, ...rest) => placeSlot(runs(), applied(slot), ...rest),
  }
}
