/**
 * A process that publishes over any of the protocols: as many at a time as it is told for throughput, at a fixed rate for
 * latency, and so many events as fast as it can for a history.
 */
import { serve } from '../../load/worker.ts'
import { ClosedLoop, type ClosedLoopOptions, type Counted, type Published } from './closed-loop.ts'
import { openLanes } from './lanes.ts'
import { type OpenLoopOptions, type OpenPublished, openLoop } from './open-loop.ts'
import { Probe, type Probed } from './probe.ts'
import { type ReadFigures, type ReadOptions, readAll } from './read-all.ts'
import type { PublishWire } from './wire.ts'

let loop: ClosedLoop | undefined
let probe: Probe | undefined

const operations = {
  /** Begins a closed loop. */
  async start(options: ClosedLoopOptions): Promise<void> {
    loop = new ClosedLoop(options, await openLanes(options.wire, options.inFlight))
    loop.begin()
  },

  /** What was acknowledged since the last look at it; the latencies begin anew. */
  look: (_: null): Counted => loop!.look(),

  /** Ends the closed loop when all that is under way is answered. */
  stop: (_: null): Promise<Published> => loop!.stop(),

  /** Publishes so many events (whole publishes), and no more; resolves when all are answered. */
  async fill({ events, ...options }: ClosedLoopOptions & { readonly events: number }): Promise<Published> {
    const filling = new ClosedLoop(options, await openLanes(options.wire, options.inFlight), events)
    filling.begin()
    return filling.finished
  },

  rate: (options: OpenLoopOptions): Promise<OpenPublished> => openLoop(options),

  /** Begins to publish every `everyMs`, whatever becomes of it. */
  async probe({ wire, everyMs }: { readonly wire: PublishWire; readonly everyMs: number }): Promise<void> {
    probe = await Probe.start(wire, everyMs)
  },

  /** How long it took from `fromUs` until a publish that was sent later was acknowledged; waits for that. */
  gap: ({ fromUs, timeoutMs }: { readonly fromUs: number; readonly timeoutMs: number }): Promise<number> =>
    probe!.gap(fromUs, timeoutMs),

  read: (options: ReadOptions): Promise<ReadFigures> => readAll(options),

  endProbe: (_: null): Promise<Probed> => probe!.end(),
}

export type PublisherOperations = typeof operations

serve(operations)
