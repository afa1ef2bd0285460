import t from 'tap'
import { LIMITS } from '../../services/peer/limits.ts'
import { Storm } from './storm.ts'

const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000)
const RUNS = Number(process.env.RUNS ?? 6)

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, at) => from + at)
}

t.test('every stream shows each event once, whatever becomes of the peers in between', async t => {
  t.comment(`SEED=${SEED} RUNS=${RUNS}`)
  for (let run = 0; run < RUNS; run += 1) {
    const storm = new Storm(SEED + run, run % 2 === 0 ? 8 : 16)
    await storm.run()
    const { world } = storm
    const wrong: unknown[] = []
    for (const { peer, topic, sink, from } of storm.readers) {
      const seen = sink.stream.messages.map(({ lastEventId }) => Number(lastEventId.split('-')[0]))
      const until = sink.destroyed ? from + seen.length : storm.sent.get(topic)!
      const expected = range(from + 1, until)
      if (seen.join() !== expected.join()) wrong.push({ peer, topic, from, until, seen: seen.join() })
    }
    t.same(wrong, [], `SEED=${SEED + run}`)
    t.equal(storm.doubles(), 0, `SEED=${SEED + run}: no edge carries an event twice`)
    for (const tap of storm.taps) tap.settle()
    t.same(
      storm.taps.flatMap(tap => tap.wrong.slice(0, 2)),
      [],
      `SEED=${SEED + run}: what is covered is told`,
    )
    for (const tap of storm.taps) if (tap.isOpen) tap.close()
    for (const { sink } of storm.readers) sink.destroy()
    await world.clock.advance(2 * LIMITS.TRUNK_IDLE_MS)
    t.equal(world.pipes, 0, `SEED=${SEED + run}: no trunk is left when nobody wants anything`)
    t.equal(world.clock.timers, 0, 'and no timer')
    const listeners = storm.peers.map(peer => world.replica(peer).listeners)
    t.ok(
      listeners.every(count => count === 0),
      `SEED=${SEED + run}: nobody follows a replica: ${listeners}`,
    )
  }
})
