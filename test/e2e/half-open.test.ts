import { spawnSync } from 'node:child_process'
import t from 'tap'
import { ROOT, runShell } from './support.ts'

/** As root, or as an ordinary user where that may have namespaces of its own. */
const WAYS = ['unshare -n', 'unshare -rn']
/** Nothing that is set there is seen by anybody else. */
const TRY = 'ip link set lo up && ip addr add 10.77.0.2/32 dev lo && ip route add blackhole 10.77.0.3'

const way = WAYS.find(unshare => spawnSync('sh', ['-c', `${unshare} sh -c '${TRY}'`]).status === 0)

t.test(
  'a client whose machine vanished without a word is noticed, and one that only does not read is kept',
  { skip: way ? false : 'network namespaces cannot be made here (unshare -n, ip)' },
  async t => {
    const world = runShell(`exec ${way} "${process.execPath}" test/e2e/half-open-world.ts`, { cwd: ROOT })
    const { code } = await world.exited
    t.equal(code, 0, world.errors())
    const { noticedMs, mostBytes, total, farRuns, stallMs } = JSON.parse(world.output().trim())
    t.ok(noticedMs >= stallMs, `noticed after ${Math.round(noticedMs)} ms`)
    t.ok(noticedMs < 5 * stallMs, 'and not when the kernel gives up')
    t.ok(mostBytes > 0, 'heartbeats were waiting in the kernel')
    t.equal(farRuns, true, 'the client itself has not ended')
    t.equal(total, 2, 'the client that reads, and the one that is stopped, are served on')
  },
)
