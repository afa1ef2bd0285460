import { setTimeout as delay } from 'node:timers/promises'
import { askUntil } from '../../http.ts'
import type { TopicView } from '../../test-cube.ts'
import { nowUs } from '../load/payload.ts'
import { rotated } from '../rounds.ts'
import type { PublishWire } from './load/wire.ts'
import type { Load } from './load.ts'
import type { HypercastPublish } from './servers/hypercast.ts'
import type { JetStream } from './servers/jetstream.ts'
import type { ServerName } from './servers/server.ts'

export interface FailoverFigures {
  readonly server: ServerName
  /** From kill -9 until a publish that was sent later was acknowledged, of each kill. */
  readonly gapsMs: readonly number[]
  readonly acknowledged: number
  /** Publishes that were answered with an error. */
  readonly failed: number
  /** Publishes without any answer until the next kill: lost, or of unknown outcome. */
  readonly unanswered: number
  readonly violations: readonly string[]
}

/** What is killed and started again. */
interface Subject {
  readonly server: ServerName
  /** A server that is not killed next, and what kills and restores. */
  prepare(): Promise<{ readonly wire: PublishWire; kill(): Promise<void>; restore(): Promise<void> }>
  stored(): Promise<number | undefined>
}

const EVERY_MS = 10
const STEADY_MS = 500
const GAP_TIMEOUT_MS = 60_000

/** Ends the primary of a topic `kills` times under a steady publish through another peer, at one server after the other. */
export async function failover(
  {
    cube,
    jetStream,
  }: { readonly cube: HypercastPublish | undefined; readonly jetStream: JetStream | undefined },
  load: Load,
  kills: number,
  tell: (text: string) => void,
): Promise<FailoverFigures[]> {
  const subjects: Subject[] = []
  if (cube) subjects.push(await cubeSubject(cube))
  if (jetStream) subjects.push(await jetStreamSubject(jetStream))
  const found = new Map(
    subjects.map(({ server }) => [
      server,
      { gapsMs: [] as number[], acknowledged: 0, failed: 0, unanswered: 0 },
    ]),
  )
  for (let round = 0; round < kills; round += 1) {
    for (const subject of rotated(subjects, round)) {
      const figures = found.get(subject.server)!
      const { wire, kill, restore } = await subject.prepare()
      await load.publisher.ask('probe', { wire, everyMs: EVERY_MS })
      await delay(STEADY_MS)
      const killed = kill()
      const fromUs = nowUs()
      const gapUs = await load.publisher.ask('gap', { fromUs, timeoutMs: GAP_TIMEOUT_MS }, 2 * GAP_TIMEOUT_MS)
      await killed
      const { acknowledged, failed, unanswered } = await load.publisher.ask('endProbe', null)
      figures.gapsMs.push(gapUs / 1_000)
      figures.acknowledged += acknowledged
      figures.failed += failed
      figures.unanswered += unanswered
      tell(`${subject.server}, kill ${round + 1}: gap ${Math.round(gapUs / 1_000)} ms`)
      await restore()
    }
  }
  return Promise.all(
    subjects.map(async ({ server, stored }) => {
      const figures = found.get(server)!
      const kept = (await stored()) ?? 0
      const isKept = kept >= figures.acknowledged
      const violations = isKept ? [] : [`${figures.acknowledged} events were acknowledged, ${kept} are kept`]
      return { server, ...figures, violations }
    }),
  )
}

/** The home of the topic is killed; it is primary again before the next kill. */
async function cubeSubject(server: HypercastPublish): Promise<Subject> {
  const { cube } = server
  const topic = (await cube.created('failover')).name
  const [home, ...others] = cube.ids as [string, ...string[]]
  const through = others.at(-1)!
  const topics = server.given([topic], through)
  return {
    server: server.name,
    stored: topics.stored,
    prepare: async () => ({
      wire: topics.wire,
      kill: () => cube.kill(home),
      restore: async () => {
        await cube.restart(home)
        await askUntil<TopicView>(
          `${cube.url(through)}/v1/topics/${topic}`,
          view => view.primary?.id === home,
        )
      },
    }),
  }
}

/** Whoever leads the stream is killed; all replicas are level before the next kill. */
async function jetStreamSubject(server: JetStream): Promise<Subject> {
  const topics = await server.topics('failover', 1)
  return {
    server: server.name,
    stored: topics.stored,
    prepare: async () => {
      const leader = await server.leader('failover')
      const through = (leader + 1) % server.pids.length
      return {
        wire: { ...topics.wire, port: server.port(through) },
        kill: () => server.kill(leader),
        restore: async () => {
          server.startServer(leader)
          await server.leader('failover')
        },
      }
    },
  }
}
