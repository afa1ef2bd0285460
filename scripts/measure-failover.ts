/**
 * `npm run measure:failover`: how long publishing stands still when the primary dies or stops, and whether anything
 * is lost, doubled or reordered. Publishes go at a steady pace through a peer that is no replica and are never tried
 * again by their client; a subscriber listens on every peer.
 */
import { Command } from 'commander'
import { longestGapMs, quantile } from './lib/history.ts'
import { ask } from './lib/http.ts'
import { TestCube } from './lib/test-cube.ts'
import { WatchedTopic } from './lib/watched-topic.ts'

interface Gap {
  readonly kind: 'kill' | 'stop'
  /** Longest time between two acknowledgements from the fault to the takeover. */
  readonly takeoverGapMs: number
  /** The same from the peer's return to its reclamation. */
  readonly reclaimGapMs: number
  readonly reclaimedAfterMs: number
}

const TOPIC = 'sports'

const options = new Command('measure:failover')
  .description('Kills and stops the primary of a topic under a steady publish and measures the gaps.')
  .option('--kills <number>', 'times the primary is ended with kill -9', '20')
  .option('--stops <number>', 'times the primary is stopped with SIGSTOP', '20')
  .option('--peers <number>', 'peers of the cube', '8')
  .option('--rate <number>', 'publishes a second', '100')
  .option('--json', 'print one JSON object instead of lines', false)
  .parse()
  .opts<{ kills: string; stops: string; peers: string; rate: string; json: boolean }>()

const tell = options.json ? () => {} : (text: string) => console.log(text)
const cube = (await TestCube.start({ peers: Number(options.peers) })).closeOnSignals()
try {
  process.exitCode = await measure(cube)
} finally {
  await cube.close()
}

async function measure(cube: TestCube): Promise<number> {
  const { home, replicas } = await cube.createTopic(TOPIC)
  const through =
    cube.ids.find(id => !replicas.some(replica => replica.id === id)) ?? cube.ids.find(id => id !== home)!
  tell(`${cube.ids.length} peers; primary ${home}; ${options.rate} publishes a second through ${through}`)
  const watched = await WatchedTopic.start(cube, TOPIC, through, Number(options.rate))
  const gaps: Gap[] = []
  for (let round = 0; round < Number(options.kills); round += 1)
    gaps.push(await kill(cube, watched, home, through))
  for (let round = 0; round < Number(options.stops); round += 1)
    gaps.push(await pause(cube, watched, home, through))
  const violations = await watched.finish()
  report(gaps, watched, violations)
  return violations.length === 0 ? 0 : 1
}

async function kill(cube: TestCube, watched: WatchedTopic, home: string, through: string): Promise<Gap> {
  const faultMs = performance.now()
  await cube.kill(home)
  await takenOver(cube, watched, home, through)
  const takenMs = performance.now()
  await cube.restart(home)
  return gapOf('kill', cube, watched, { home, through, faultMs, takenMs })
}

async function pause(cube: TestCube, watched: WatchedTopic, home: string, through: string): Promise<Gap> {
  const faultMs = performance.now()
  cube.pause(home)
  const held = askTheStopped(cube, watched, home)
  await takenOver(cube, watched, home, through)
  const takenMs = performance.now()
  cube.resume(home)
  await held
  return gapOf('stop', cube, watched, { home, through, faultMs, takenMs })
}

/** Publishes that wait in the stopped primary: continued, it may acknowledge only what the cube has taken. */
async function askTheStopped(cube: TestCube, watched: WatchedTopic, home: string): Promise<void> {
  const sends = Array.from({ length: 5 }, async (_, index) => {
    const payload = `to the stopped ${performance.now()} ${index}`
    const sentMs = performance.now()
    const answer = await ask(`${cube.topicUrl(TOPIC, home)}/publish`, {
      method: 'POST',
      body: payload,
    }).catch(() => null)
    if (answer?.status !== 201) {
      const outcome = answer === null || answer.status === 504 ? 'unknown' : 'refused'
      watched.history.published({ payload, sentMs, answeredMs: performance.now(), outcome })
      return
    }
    const { offset } = JSON.parse(answer.body) as { offset: number }
    watched.history.published({
      payload,
      sentMs,
      answeredMs: performance.now(),
      outcome: 'acknowledged',
      offset,
    })
  })
  await Promise.all(sends)
}

async function takenOver(
  cube: TestCube,
  watched: WatchedTopic,
  home: string,
  through: string,
): Promise<void> {
  await cube.primaryIs(TOPIC, id => id !== home, through)
  await watched.publisher.nextAcknowledged()
}

async function gapOf(
  kind: Gap['kind'],
  cube: TestCube,
  watched: WatchedTopic,
  { home, through, faultMs, takenMs }: { home: string; through: string; faultMs: number; takenMs: number },
): Promise<Gap> {
  await cube.primaryIs(TOPIC, home, through)
  await watched.publisher.nextAcknowledged()
  await cube.ready()
  const endMs = performance.now()
  const gap = {
    kind,
    takeoverGapMs: longestGapMs(watched.history, faultMs, takenMs),
    reclaimGapMs: longestGapMs(watched.history, takenMs, endMs),
    reclaimedAfterMs: endMs - takenMs,
  }
  const after = (gap.reclaimedAfterMs / 1000).toFixed(1)
  tell(
    `${kind}: gap ${Math.round(gap.takeoverGapMs)} ms; primary again after ${after} s, gap ${Math.round(gap.reclaimGapMs)} ms`,
  )
  return gap
}

function report(gaps: readonly Gap[], watched: WatchedTopic, violations: readonly string[]): void {
  const count = (outcome: string) =>
    watched.history.publishes.filter(publish => publish.outcome === outcome).length
  const summary = {
    kill: summarize(gaps.filter(gap => gap.kind === 'kill')),
    stop: summarize(gaps.filter(gap => gap.kind === 'stop')),
    acknowledged: count('acknowledged'),
    refused: count('refused'),
    unknown: count('unknown'),
    subscribers: watched.subscribers.length,
    violations,
  }
  if (options.json) {
    console.log(JSON.stringify(summary))
    return
  }
  for (const kind of ['kill', 'stop'] as const) {
    const of = summary[kind]
    if (of.times === 0) continue
    console.log(
      `${kind === 'kill' ? 'kill -9' : 'SIGSTOP'} ${of.times} times: takeover gap median ${of.takeover.medianMs} ms, ` +
        `longest ${of.takeover.longestMs} ms; reclamation gap median ${of.reclaim.medianMs} ms, longest ${of.reclaim.longestMs} ms`,
    )
  }
  console.log(
    `${summary.acknowledged} publishes acknowledged, ${summary.refused} refused, ${summary.unknown} of unknown outcome; ` +
      `${summary.subscribers} subscribers; ${violations.length} violations`,
  )
  for (const violation of violations.slice(0, 20)) console.log(`  ${violation}`)
}

function summarize(gaps: readonly Gap[]) {
  const figures = (values: readonly number[]) => ({
    medianMs: Math.round(quantile(values, 0.5)),
    longestMs: Math.round(Math.max(...values)),
  })
  return {
    times: gaps.length,
    takeover: figures(gaps.map(gap => gap.takeoverGapMs)),
    reclaim: figures(gaps.map(gap => gap.reclaimGapMs)),
  }
}
