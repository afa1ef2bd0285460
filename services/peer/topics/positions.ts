/**
 * A place in the order of one slot's events. Whoever goes on from it needs a replica that is not behind it in either
 * respect, so that what was passed over does not come back.
 */
export interface SlotPosition {
  /** Everything up to this event of the slot was passed; 0 stands before the first. */
  readonly sequence: number
  /** Log index whose applied state was shown: deletions and trims up to it are taken into account. */
  readonly index: number
}

/** True when `one` is nowhere behind `other`. */
export function isLevelWith(one: SlotPosition, other: SlotPosition): boolean {
  return one.sequence >= other.sequence && one.index >= other.index
}
