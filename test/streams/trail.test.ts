import t from 'tap'
import { STREAM_BOUNDS } from '../../services/peer/streams/bounds.ts'
import { ChannelLog } from '../../services/peer/streams/channel-log.ts'
import { Trail } from '../../services/peer/streams/trail.ts'
import { Vector } from '../../services/peer/streams/vector.ts'
import type { StoredEvent } from '../../services/peer/topics/types.ts'
import { EventStream } from './sse.ts'

function eventOf(offset: number): StoredEvent {
  return { offset, incarnation: 1, sequence: offset, timeMs: 1, data: Buffer.from('x') }
}

t.test('a gap begins behind what was shown, also when that came live', t => {
  const log = new ChannelLog([0], STREAM_BOUNDS)
  log.cover(0, { sequence: 0, index: 0 }, new Map(), 0)
  const trail = new Trail(new Vector([0], [{ sequence: 0, index: 0 }]), [])
  log.publish(0, 'a', [eventOf(1), eventOf(2)], 1)
  trail.take(log, 1, 2, () => true)
  const position = { sequence: 9, index: 9 }
  const slice = {
    kind: 'slice',
    events: [],
    gaps: [{ topic: 'a', incarnation: 1, to: 8, index: 5 }],
    position,
    latest: 9,
  } as const
  const stream = new EventStream()
  stream.push(trail.read(log, 0, slice, []).bytes)
  t.same(JSON.parse(stream.messages[0]!.data), { topic: 'a', incarnation: 1, from: 3, to: 8 })
  t.end()
})
