import t from 'tap'
import { LIMITS } from '../../clients/typescript/src/limits.ts'
import { SharedSubscriber } from '../../clients/typescript/src/shared.ts'
import { FakeLog } from './fake-log.ts'
import { FakePeer, frame, stream } from './fake-peer.ts'
import { FakeBrowser, type FakeTab } from './fake-tabs.ts'

async function settled(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await new Promise(resolve => setImmediate(resolve))
}

/** All that is under way between the tabs, and in all logs, comes through. */
async function come(browser: FakeBrowser): Promise<void> {
  for (let round = 0; round < 4; round++) {
    await settled()
    for (const open of browser.streams) {
      while (!open.reading.isLevel) for (const slot of [0, 1]) open.send(open.reading.next(slot, () => 1))
      open.send(open.reading.mark())
    }
    await settled()
    while (browser.links.length > 0) browser.deliver(0)
  }
  await settled()
}

async function openTabs(t: { teardown(run: () => unknown): void }, count: number, options: object = {}) {
  const browser = new FakeBrowser(new FakeLog())
  const tabs: FakeTab[] = []
  t.teardown(async () => {
    for (const tab of browser.tabs) {
      tab.thaw()
      tab.isDead = false
      tab.subscriber.close()
    }
    await settled()
  })
  for (let at = 0; at < count; at++) {
    tabs.push(browser.open(options))
    await come(browser)
  }
  return { browser, tabs }
}

function offsets({ seen }: FakeTab): (number | string)[] {
  return seen.map(one => (one.kind === 'event' ? one.offset : one.kind))
}

t.test('tabs share the stream of the first, and one that closes hands it on', async t => {
  const { browser, tabs } = await openTabs(t, 3)
  browser.log.publish('a')
  await come(browser)
  t.same(
    [...browser.streams].map(({ tab }) => tab),
    [tabs[0]],
  )
  tabs[0]!.subscriber.close()
  browser.log.publish('a')
  await come(browser)
  t.same(
    [...browser.streams].map(({ tab }) => tab),
    [tabs[1]],
  )
  t.same(tabs.map(offsets), [[1], [1, 2], [1, 2]])
  t.equal(tabs[1]!.subscriber.cursor, tabs[2]!.subscriber.cursor)
})

t.test('the lock of a frozen leader is taken, and when it thaws it steps down and catches up', async t => {
  const { browser, tabs } = await openTabs(t, 2)
  const [first, second] = tabs as [FakeTab, FakeTab]
  first.isFrozen = true
  browser.log.publish('a')
  for (let tick = 0; tick < LIMITS.UNANSWERED; tick++) {
    second.tick()
    await come(browser)
  }
  t.same(
    [...browser.streams].map(({ tab }) => tab),
    [first],
    'not before it was asked often enough',
  )
  second.tick()
  await come(browser)
  second.tick()
  await come(browser)
  t.ok([...browser.streams].some(({ tab }) => tab === second))
  t.same(offsets(second), [1])
  first.thaw()
  browser.log.publish('a')
  await come(browser)
  t.same(
    [...browser.streams].map(({ tab }) => tab),
    [second],
  )
  t.same(
    [offsets(first), offsets(second)],
    [
      [1, 2],
      [1, 2],
    ],
  )
})

t.test('a leader that answers keeps its lock', async t => {
  const { browser, tabs } = await openTabs(t, 2)
  for (let tick = 0; tick < 4 * LIMITS.UNANSWERED; tick++) {
    tabs[1]!.tick()
    await come(browser)
  }
  t.same(
    [...browser.streams].map(({ tab }) => tab),
    [tabs[0]],
  )
})

t.test('a tab that asks for the past reads it by its own stream, then shares', async t => {
  const { browser } = await openTabs(t, 1)
  for (let count = 0; count < 5; count++) browser.log.publish('a')
  await come(browser)
  const whole = browser.open({ from: 'earliest' })
  await settled()
  t.equal(browser.streams.size, 2)
  await come(browser)
  t.equal(browser.streams.size, 1)
  t.same(offsets(whole), [1, 2, 3, 4, 5])
})

t.test('a tab that is slow leaves the shared stream to the others, and misses nothing', async t => {
  const { browser, tabs } = await openTabs(t, 1)
  let goOn = () => {}
  const held = new Promise<void>(resolve => {
    goOn = resolve
  })
  const slow = browser.open({})
  const seen: number[] = []
  slow.subscriber.close()
  await come(browser)
  const reader = new SharedSubscriber('http://peer', ['a', 's/*'], slow.subscriberOptions)
  t.teardown(() => reader.close())
  const reading = reader.subscribeAndListen(async ({ offset }) => {
    await held
    seen.push(offset)
  })
  await come(browser)
  const count = 3 * LIMITS.MAX_WAITING
  for (let at = 0; at < count; at++) {
    browser.log.publish('a')
    if (at % 100 === 99) await come(browser)
  }
  await come(browser)
  t.equal(offsets(tabs[0]!).length, count, 'the other one is live')
  goOn()
  while (seen.length < count) await come(browser)
  t.same(seen, offsets(tabs[0]!))
  reader.close()
  await reading
})

t.test('where there is nothing to share through it is a subscriber', async t => {
  const peer = await FakePeer.start(
    stream(`${frame(1, 'one')}event: end\nid: 1-1\ndata: {"reason":"deleted"}\n\n`),
  )
  t.teardown(() => peer.stop())
  const alone = new SharedSubscriber(peer.url, 'a', { surroundings: null })
  const data: unknown[] = []
  t.match(await alone.subscribeAndListen(event => void data.push(event.data)), { kind: 'end', topic: 'a' })
  t.same(data, ['one'])
})
