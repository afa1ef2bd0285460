import fc from 'fast-check'
import t from 'tap'
import { isSince, parseVectorCursor } from '../../services/peer/topics/vector-cursor.ts'
import { WantSet } from '../../services/peer/topics/wants.ts'
import { Chaos, type Client } from './channel-chaos.ts'
import type { SlotModel } from './slot-model.ts'

/** Events of a slot that a client must have been shown: those behind where its first stream began. */
function due(model: SlotModel, client: Client): string[] {
  const place = parseVectorCursor(client.first ?? '', 100)?.get(model.slot)
  const wanted = new WantSet(client.wants)
  if (place === undefined) return []
  const isBehind = ({ sequence, timeMs }: { sequence: number; timeMs: number }) =>
    isSince(place) ? timeMs >= place.sinceMs : sequence > place.sequence
  return model.events
    .filter(({ topic, event }) => wanted.matches(topic) && isBehind(event))
    .map(({ topic, event }) => `${topic} ${event.offset}-${event.incarnation}`)
}

/** What became of the events of a slot: the log entry that removed each, and whether by the topic's deletion. */
function removals(model: SlotModel): Map<string, { readonly index: number; readonly deleted: boolean }> {
  const removed = new Map<string, { index: number; deleted: boolean }>()
  for (const [before, notices] of model.notices.entries()) {
    for (const notice of notices) {
      for (const { topic, event } of model.events) {
        const isGone =
          (notice.kind === 'deleted' && notice.incarnation === event.incarnation) ||
          (notice.kind === 'trimmed' &&
            notice.topic.incarnation === event.incarnation &&
            event.offset < notice.topic.earliest)
        const key = `${topic} ${event.offset}-${event.incarnation}`
        const { index = before + 1 } = removed.get(key) ?? {}
        if (isGone) removed.set(key, { index, deleted: notice.kind === 'deleted' })
      }
    }
  }
  return removed
}

/** What is wrong with what a client was told of a slot in which events were removed. */
function faults(model: SlotModel, client: Client): string[] {
  const found: string[] = []
  const shown = new Set<string>()
  const last = new Map<string, { offset: number; incarnation: number }>()
  const told = client.told.filter(({ topic }) => Number(topic.at(-1)) % 3 === model.slot)
  for (const { type, topic, offset, incarnation, to } of told) {
    const before = last.get(topic) ?? { offset: 0, incarnation: 0 }
    if (type === 'end') continue
    if (type === 'gap') {
      last.set(topic, { offset: Math.max(before.offset, to), incarnation: before.incarnation })
      continue
    }
    const isNext =
      incarnation > before.incarnation || (incarnation === before.incarnation && offset > before.offset)
    if (!isNext) found.push(`${topic} ${offset}-${incarnation} after ${JSON.stringify(before)}`)
    shown.add(`${topic} ${offset}-${incarnation}`)
    last.set(topic, { offset, incarnation })
  }
  const place = parseVectorCursor(client.first ?? '', 100)?.get(model.slot)
  const removed = removals(model)
  for (const name of due(model, client)) {
    if (shown.has(name)) continue
    const removal = removed.get(name)
    const [topic, at] = name.split(' ') as [string, string]
    const offset = Number.parseInt(at, 10)
    const isTold = told.some(one => one.type === 'gap' && one.topic === topic && offset <= one.to)
    const wasBefore =
      removal !== undefined && (place === undefined || isSince(place) || removal.index <= place.index)
    if (!removal?.deleted && !isTold && !wasBefore) found.push(`${name} is missing`)
  }
  return found
}

const seed = Date.now()

t.test('with everything kept, a client is shown all of each topic in order, once', async t => {
  t.comment(`seed ${seed}`)
  let shown = 0
  await fc.assert(
    fc.asyncProperty(fc.nat(), async one => {
      const chaos = new Chaos(one, false)
      await chaos.run(120)
      await chaos.heal()
      for (const client of chaos.clients) {
        for (const model of chaos.world.models) {
          const got = client.told.filter(({ topic }) => chaos.world.model(topic) === model)
          const names = got.map(({ topic, offset, incarnation }) => `${topic} ${offset}-${incarnation}`)
          if (names.join() !== due(model, client).join()) {
            throw new Error(
              `slot ${model.slot} of ${client.wants} from ${JSON.stringify(client.start)}, first ${client.first}:\n` +
                `${names.join()}\n${due(model, client).join()}`,
            )
          }
          shown += names.length
        }
      }
    }),
    { seed, numRuns: 60 },
  )
  t.ok(shown > 1_000, `${shown} events were shown`)
})

t.test(
  'with topics trimmed, deleted and made again, nothing is doubled, and what is missing was told',
  async t => {
    t.comment(`seed ${seed}`)
    const told = { message: 0, gap: 0, end: 0 }
    await fc.assert(
      fc.asyncProperty(fc.nat(), async one => {
        const chaos = new Chaos(one, true)
        await chaos.run(160)
        await chaos.heal()
        for (const client of chaos.clients) {
          for (const model of chaos.world.models) {
            const found = faults(model, client)
            if (found.length > 0) {
              const { wants, start, first } = client
              throw new Error(`${wants} from ${JSON.stringify(start)}, first ${first}: ${found.join('; ')}`)
            }
          }
          for (const { type } of client.told) told[type as keyof typeof told] += 1
        }
      }),
      { seed, numRuns: 60 },
    )
    t.ok(told.message > 1_000 && told.gap > 0 && told.end > 0, JSON.stringify(told))
  },
)
