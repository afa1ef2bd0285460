/**
 * `npm run measure:idle`: how soon a cube is ready, what it costs when nothing happens, and how long a publish as
 * curl makes it (a connection of its own) takes then.
 */
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { Command } from 'commander'
import { quantile } from './lib/history.ts'
import { ask } from './lib/http.ts'
import { TestCube } from './lib/test-cube.ts'

const options = new Command('measure:idle')
  .description('Measures an idle cube: time to ready, CPU, latency of single publishes.')
  .option('--peers <number>', 'peers of the cube', '8')
  .option('--seconds <number>', 'time over which CPU is measured', '40')
  .option('--publishes <number>', 'publishes, one after the other, each through a random peer', '200')
  .option('--json', 'print one JSON object instead of lines', false)
  .parse()
  .opts<{ peers: string; seconds: string; publishes: string; json: boolean }>()

/** Time for what follows a start to settle before idleness is measured. */
const SETTLE_MS = 20_000
/** Clock ticks a second in /proc, the same on every Linux that Node runs on. */
const TICKS_PER_S = 100

const startMs = performance.now()
const cube = (await TestCube.start({ peers: Number(options.peers) })).closeOnSignals()
try {
  const readyS = (performance.now() - startMs) / 1000
  await delay(SETTLE_MS)
  const cpuPercent = await idleCpu(cube, Number(options.seconds))
  const latenciesMs = await publishLatencies(cube, Number(options.publishes))
  const figures = {
    peers: cube.ids.length,
    readyS: round(readyS),
    cpuPercent: cpuPercent === undefined ? null : round(cpuPercent),
    publishMedianMs: round(quantile(latenciesMs, 0.5)),
    publishP99Ms: round(quantile(latenciesMs, 0.99)),
    memoryMiB: memoryMiB(cube),
  }
  if (options.json) console.log(JSON.stringify(figures))
  else {
    console.log(`${figures.peers} peers, ready after ${figures.readyS} s`)
    console.log(
      `idle: ${figures.cpuPercent ?? 'unknown (needs Linux)'} % of one core in all, ${figures.memoryMiB} MiB resident`,
    )
    console.log(`publish: median ${figures.publishMedianMs} ms, 99th percentile ${figures.publishP99Ms} ms`)
  }
} finally {
  await cube.close()
}

async function idleCpu(cube: TestCube, seconds: number): Promise<number | undefined> {
  const before = cpuTicks(cube)
  const fromMs = performance.now()
  await delay(seconds * 1000)
  const after = cpuTicks(cube)
  if (before === undefined || after === undefined) return undefined
  return ((after - before) / TICKS_PER_S / ((performance.now() - fromMs) / 1000)) * 100
}

/** User and system time of all peers; undefined where there is no /proc. */
function cpuTicks(cube: TestCube): number | undefined {
  try {
    return cube.ids.reduce((sum, id) => {
      const stat = readFileSync(`/proc/${cube.pid(id)}/stat`, 'utf8')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      return sum + Number(fields[11]) + Number(fields[12])
    }, 0)
  } catch {
    return undefined
  }
}

/** Resident memory of all peers; null where there is no /proc. */
function memoryMiB(cube: TestCube): number | null {
  try {
    const kilobytes = cube.ids.map(id => {
      const status = readFileSync(`/proc/${cube.pid(id)}/status`, 'utf8')
      return Number(/^VmRSS:\s+(\d+)/m.exec(status)![1])
    })
    return Math.round(kilobytes.reduce((sum, each) => sum + each, 0) / 1024)
  } catch {
    return null
  }
}

async function publishLatencies(cube: TestCube, publishes: number): Promise<number[]> {
  await cube.createTopic('sports')
  const latenciesMs: number[] = []
  for (let count = 0; count < publishes; count += 1) {
    const through = cube.ids[Math.floor(Math.random() * cube.ids.length)]!
    const sentMs = performance.now()
    const { status, body } = await ask(`${cube.topicUrl('sports', through)}/publish`, {
      method: 'POST',
      body: `event ${count}`,
    })
    if (status !== 201) throw new Error(`a publish through ${through} was answered ${status}: ${body}`)
    latenciesMs.push(performance.now() - sentMs)
  }
  return latenciesMs
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}
