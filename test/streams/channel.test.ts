import t from 'tap'
import { Channel } from '../../services/peer/streams/channel.ts'
import { select } from '../../services/peer/streams/selection.ts'
import { ChannelWorld } from './channel-world.ts'

t.test('who waits for a slot that nobody covers is forgotten when it is over', async t => {
  const world = new ChannelWorld({ slots: 2 })
  world.unreachable.add(1)
  const channel = new Channel({
    selection: select(['a/0', 'a/1'], 2, topic => world.slotOf(topic)),
    taps: world,
    flusher: { request() {} } as never,
    catchUp: {} as never,
    bounds: world.bounds,
    onDone() {},
  })
  t.same(await channel.covered(0, new AbortController().signal), { sequence: 0, index: 0 })
  const gone = new AbortController()
  const waits = [channel.covered(1, gone.signal), channel.covered(1, gone.signal)]
  const stays = channel.covered(1, new AbortController().signal)
  t.equal(channel.waiting, 3)
  gone.abort()
  t.same(await Promise.all(waits), [undefined, undefined])
  t.equal(channel.waiting, 1)
  t.equal(await channel.covered(1, gone.signal), undefined)
  t.equal(channel.waiting, 1)
  for (const tap of world.taps) if (tap.told === undefined) tap.cover(0)
  t.same(await stays, { sequence: 0, index: 0 })
  t.equal(channel.waiting, 0)
})
