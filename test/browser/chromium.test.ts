import type { Page } from 'playwright-core'
import t from 'tap'
import { askJson } from '../../scripts/lib/http.ts'
import { TestCube } from '../../scripts/lib/test-cube.ts'
import { builtClient, MISSING, openBrowser, servePage } from './support.ts'

const NAME =
  'EventSource of a page in Chromium sees events live, and again after its peer was killed and came back'
const CLIENT_NAME = 'the built client publishes and subscribes from a page in Chromium'

/** Opens `new EventSource(url)` in the page; what it sees gathers in `window.seen`. */
async function subscribe(page: Page, url: string): Promise<void> {
  await page.evaluate(async address => {
    const seen: string[] = []
    Object.assign(window, { seen, opened: 0 })
    const source = new EventSource(address)
    source.onmessage = message => void seen.push(message.data)
    await new Promise<void>((resolve, reject) => {
      source.onopen = () => resolve()
      source.onerror = () => reject(new Error('the stream did not open'))
    })
    source.onerror = null
  }, url)
}

async function seenBy(page: Page, count: number): Promise<string[]> {
  await page.waitForFunction(wanted => (window as unknown as { seen: string[] }).seen.length >= wanted, count)
  return page.evaluate(() => (window as unknown as { seen: string[] }).seen)
}

t.test(NAME, { skip: MISSING }, async t => {
  const cube = await TestCube.start({ peers: 3 })
  t.teardown(() => cube.close())
  const { home } = await cube.createTopic('sports')
  const other = cube.ids.find(id => id !== home)!
  const publish = (body: string, through: string) =>
    askJson(`${cube.topicUrl('sports', through)}/publish`, { method: 'POST', body })

  const browser = await openBrowser(t)
  const page = await browser.newPage()
  await page.goto(await servePage(t))
  await subscribe(page, `${cube.topicUrl('sports', home)}/events`)

  await publish('Match Update 1', other)
  t.same(await seenBy(page, 1), ['Match Update 1'], 'live, from another peer')
  await publish('two\nlines', home)
  t.same((await seenBy(page, 2)).at(-1), 'two\nlines')

  await cube.kill(home)
  await publish('while it was away', other)
  await cube.restart(home)
  await publish('after it came back', other)
  t.same(await seenBy(page, 4), ['Match Update 1', 'two\nlines', 'while it was away', 'after it came back'])
})

/** Runs in the page: three publishes, and what a subscriber behind another peer sees of them. */
async function useTheClient(peers: string[]): Promise<unknown[]> {
  const name = '@hypercast/client'
  const { PeerClient, Publisher, Subscriber } = await import(name)
  await new PeerClient(peers).createTopic('scores')
  const publisher = new Publisher(peers, 'scores')
  for (const score of ['1:0', '1:1', '2:1']) await publisher.publish(score)
  const seen: unknown[] = []
  for await (const event of new Subscriber(peers.toReversed(), 'scores', { from: 'earliest' })) {
    seen.push([event.offset, event.data])
    if (seen.length === 3) break
  }
  return seen
}

t.test(CLIENT_NAME, { skip: MISSING }, async t => {
  const origin = await servePage(t, await builtClient(t))
  const cube = await TestCube.start({ peers: 2, environment: { HYPERCAST_ALLOW_ORIGIN: origin } })
  t.teardown(() => cube.close())
  const browser = await openBrowser(t)
  const page = await browser.newPage()
  await page.goto(origin)
  const urls = cube.plans.map(plan => plan.url)
  t.same(await page.evaluate(useTheClient, urls), [
    [1, '1:0'],
    [2, '1:1'],
    [3, '2:1'],
  ])
})
