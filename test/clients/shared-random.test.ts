import t from 'tap'
import { readPlace } from '../../clients/typescript/src/place.ts'
import { FakeLog } from './fake-log.ts'
import { FakeBrowser, type FakeTab } from './fake-tabs.ts'

const SEEDS = Number(process.env.SHARED_SEEDS ?? 60)
const FIRST = Number(process.env.SHARED_FIRST ?? 1)
const STEPS = 250
const MAX_TABS = 6

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Lets all promises that can go on do so. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise(resolve => setImmediate(resolve))
}

function pick<T>(from: readonly T[], random: () => number): T | undefined {
  return from[Math.floor(random() * from.length)]
}

/** One random thing happens. */
function step(browser: FakeBrowser, random: () => number): void {
  const { log } = browser
  const alive = browser.tabs.filter(tab => !tab.isDead)
  const tab = pick(alive, random)
  const topic = pick(log.topics, random)!
  const choice = Math.floor(random() * 100)
  if (choice < 20) log.publish(topic)
  else if (choice < 50) browser.deliver(Math.floor(random() * browser.links.length))
  else if (choice < 75) {
    const stream = pick([...browser.streams], random)
    stream?.send(random() < 0.2 ? stream.reading.mark() : stream.reading.next(random() < 0.5 ? 0 : 1, random))
  } else if (choice < 83) tab?.tick()
  else if (choice < 87) pick([...browser.streams], random)?.break()
  else if (choice < 89) log.delete(topic)
  else if (choice < 90) log.trim(topic)
  else if (choice < 93 && alive.length < MAX_TABS) openTab(browser, random)
  else if (choice < 95 && alive.length > 1) tab?.kill()
  else if (choice < 96 && alive.length > 1) {
    tab!.thaw()
    tab!.subscriber.close()
    tab!.kill()
  } else if (choice < 98 && tab) tab.isFrozen = true
  else tab?.thaw()
}

/** A tab that begins live, with all there is, or where one that is here or gone has got to. */
function openTab(browser: FakeBrowser, random: () => number): void {
  const other = pick(browser.tabs, random)
  const cursor = other?.subscriber.cursor
  const choice = random()
  if (choice < 0.4) browser.open({ from: 'latest' })
  else if (choice < 0.6 || cursor === undefined) browser.open({ from: 'earliest' })
  else browser.open({ cursor }, other!.seen)
}

/** Nothing new happens any more, until all that is under way has come through. */
async function calm(browser: FakeBrowser): Promise<void> {
  for (const tab of browser.tabs) if (!tab.isDead) tab.thaw()
  for (let round = 0; round < 40; round++) {
    while (browser.links.length > 0) browser.deliver(0)
    await settled()
    for (const stream of browser.streams) {
      while (!stream.reading.isLevel)
        for (const slot of [0, 1]) stream.send(stream.reading.next(slot, () => 1))
      stream.send(stream.reading.mark())
    }
    await settled()
    for (const tab of browser.tabs) if (!tab.isDead && round % 4 === 3) tab.tick()
    await settled()
  }
}

interface Reached {
  readonly incarnation: number
  readonly offset: number
  readonly hasEnded: boolean
}

/** What is wrong with what a tab saw. */
function faultsOf(tab: FakeTab, log: FakeLog): string[] {
  const faults: string[] = []
  const reached = new Map<string, Reached>()
  // Of whom it knows what it has passed only by a cursor, it cannot tell how much of a gap is known.
  const isFirst = new Set(log.topics)
  tab.seen.forEach((seen, at) => {
    const { topic = '', incarnation: life = 0 } = seen
    const before = reached.get(topic)
    if (at < tab.past) {
      // That was another tab's to be looked at.
      const [offset, hasEnded] =
        seen.kind === 'event'
          ? [seen.offset, false]
          : [seen.kind === 'gap' ? seen.to : 0, seen.kind === 'end']
      reached.set(topic, { incarnation: life, offset, hasEnded })
      return
    }
    if (seen.kind === 'end') {
      if (before?.hasEnded && life <= before.incarnation) faults.push(`${topic} ${life} ends twice`)
      reached.set(topic, { incarnation: life, offset: 0, hasEnded: true })
      return
    }
    const [from, to] = seen.kind === 'gap' ? [seen.from, seen.to] : [seen.offset, seen.offset]
    const told = `${seen.kind} ${topic} ${life}: ${from} to ${to}`
    const isLate = isFirst.delete(topic) && seen.kind === 'gap'
    const isNewLife = before !== undefined && life > before.incarnation
    const next = isNewLife ? 1 : (before?.offset ?? from - 1) + 1
    if (before !== undefined && life < before.incarnation) faults.push(`${told} of an older life`)
    else if (isNewLife && !before.hasEnded) faults.push(`${told} before the end of the life before`)
    else if (!isNewLife && before?.hasEnded) faults.push(`${told} behind its end`)
    else if (isLate ? from > next || to < next : from !== next) faults.push(`${told} in place of ${next}`)
    reached.set(topic, { incarnation: life, offset: to, hasEnded: false })
  })
  const isWhole = tab.options.from === 'earliest'
  for (const topic of ['a', 's/x', 's/y']) {
    const { incarnation, latest } = log.life(topic)
    const at = reached.get(topic)
    const isThere = at?.incarnation === incarnation && at.offset === latest
    if (latest > 0 && (at !== undefined || isWhole) && !isThere) {
      faults.push(`${topic} is at ${incarnation}: ${latest}, the tab at ${JSON.stringify(at)}`)
    }
  }
  return faults
}

t.test(
  'whatever happens to tabs, each that stays sees each event once, in order, and one holds the stream',
  async t => {
    let handovers = 0
    for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
      const random = seeded(seed)
      const browser = new FakeBrowser(new FakeLog())
      browser.open({ from: 'earliest' })
      for (let count = 0; count < STEPS; count++) {
        step(browser, random)
        await settled()
      }
      await calm(browser)
      // Events of after the calm: a tab that only thinks itself level shows now.
      for (const topic of browser.log.topics) browser.log.publish(topic)
      await calm(browser)
      const alive = browser.tabs.filter(tab => !tab.isDead)
      const faults = alive.flatMap((tab, at) =>
        faultsOf(tab, browser.log).map(fault => `tab ${at}: ${fault}`),
      )
      const places = alive.map(tab => readPlace(tab.subscriber.cursor!)!.text)
      t.same(faults, [], `seed ${seed}: SHARED_FIRST=${seed} SHARED_SEEDS=1 shows it`)
      t.equal(new Set(places).size, 1, `seed ${seed}: all are at one place`)
      t.equal(browser.streams.size, 1, `seed ${seed}: one stream for ${alive.length} tabs`)
      handovers += browser.tabs.length - alive.length
      await end(browser)
    }
    t.ok(handovers > SEEDS / 4, 'tabs came and went')
  },
)

/** Lets go of what would keep the process waiting, of tabs that are gone too. */
async function end(browser: FakeBrowser): Promise<void> {
  for (const tab of browser.tabs) {
    tab.subscriber.close()
    tab.isDead = false
    tab.thaw()
  }
  await settled()
}
