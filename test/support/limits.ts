import { LIMITS } from '../../services/peer/limits.ts'

/** Gives some bounds other values for one test, so that what they bound is reached soon. */
export function withLimits(
  t: { teardown(run: () => void): void },
  values: Partial<Record<keyof typeof LIMITS, number>>,
): void {
  const before = { ...LIMITS }
  Object.assign(LIMITS, values)
  t.teardown(() => void Object.assign(LIMITS, before))
}
