/** A process that simulates the seeds it is sent, one after the other, until its parent lets go of it. */
import { runSeed } from '../../../test/sim/run.ts'
import { judge } from './judge.ts'
import type { Job, Outcome } from './protocol.ts'

process.on('message', (job: Job) => {
  void run(job).then(outcome => process.send?.(outcome))
})
process.on('disconnect', () => process.exit())

async function run(job: Job): Promise<Outcome> {
  const { seed, twice, faultsMs } = job
  const options = faultsMs === undefined ? {} : { faultsMs }
  const result = await runSeed(seed, options)
  const violations = judge(result, faultsMs)
  const wasTwice = twice && violations.length === 0
  if (wasTwice) {
    const again = await runSeed(seed, options)
    if (again.hash !== result.hash) {
      violations.push(`the same seed does the same: it gave ${result.hash}, and then ${again.hash}`)
    }
  }
  // The end of the transcript is of use only where something is wrong.
  return { seed, result: violations.length > 0 ? result : { ...result, tail: [] }, violations, wasTwice }
}
