import fc from 'fast-check'
import t from 'tap'
import { checkHistory } from '../../scripts/lib/checker/check.ts'
import type { Final, Operation } from '../../scripts/lib/checker/operations.ts'
import { Model, STEPS, type Step } from './model.ts'

type Of<K extends Operation['kind']> = Extract<Operation, { kind: K }>
type Event = { readonly offset: number; readonly id: string }

const STEP: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom(...STEPS),
  who: fc.nat(20),
  amount: fc.nat(20),
})
const HONEST = fc.array(STEP, { minLength: 10, maxLength: 120 }).map(steps => {
  const model = new Model()
  for (const step of steps) model.run(step)
  return model.finish()
})
const RUNS = 400

/** An honest history and what it promised whom, so that a doctoring is known to break a promise. */
class Honest {
  readonly operations: readonly Operation[]
  readonly found: Final['found']
  /** Ids that some answer or subscriber placed. */
  readonly placed = new Set<string>()
  /** Ids that some subscriber or final read has. */
  readonly seen = new Set<string>()

  constructor(operations: readonly Operation[]) {
    this.operations = operations
    this.found = this.all('final')[0]!.found
    for (const { events } of this.all('poll')) for (const { id } of events) this.seen.add(id)
    for (const id of this.seen) this.placed.add(id)
    for (const { id } of this.found?.events ?? []) this.seen.add(id)
    for (const { outcome, ids } of this.all('send')) {
      if (outcome === 'acknowledged') for (const id of ids) this.placed.add(id)
    }
  }

  all<K extends Operation['kind']>(kind: K): Of<K>[] {
    return this.operations.filter(operation => operation.kind === kind) as Of<K>[]
  }

  /** The same with other operations, or none, in the place of one. */
  replace(one: Operation, ...others: Operation[]): Operation[] {
    return this.operations.flatMap(operation => (operation === one ? others : [operation]))
  }

  /** The same with another final log, of all peers. */
  withLog(change: (events: readonly Event[]) => Event[]): Operation[] {
    return this.operations.map(operation => {
      if (operation.kind !== 'final' || operation.found === null) return operation
      return { ...operation, found: { ...operation.found, events: change(operation.found.events) } }
    })
  }

  /** Whether its subscriber goes on from a delivery, or should have, so that its absence shows. */
  isMissed(poll: Of<'poll'>): boolean {
    const next = this.operations
      .slice(this.operations.indexOf(poll) + 1)
      .filter(operation => operation.client === poll.client)
    const follower = next.find(({ kind }) => kind !== 'close')
    if (follower?.kind === 'poll') return true
    if (follower?.kind === 'open') return follower.after?.incarnation === poll.incarnation
    const { found } = this
    const isOpen = next.length === 0 && found?.incarnation === poll.incarnation
    return isOpen && poll.events.at(-1)!.offset >= found.earliest
  }
}

/** Doctored histories of one kind: all there are of an honest one that break a promise. */
type Doctoring = (honest: Honest) => (() => Operation[])[]

const DOCTORINGS: Readonly<Record<string, Doctoring>> = {
  'an event is removed from the log': honest =>
    (honest.found?.events ?? []).map(
      event => () => honest.withLog(events => events.filter(({ id }) => id !== event.id)),
    ),
  'two events of the log change places': honest =>
    (honest.found?.events ?? []).slice(1).flatMap(({ id, offset }, index) => {
      const before = honest.found!.events[index]!
      if (!honest.placed.has(id) && !honest.placed.has(before.id)) return []
      const swapped = new Map([
        [id, before.id],
        [before.id, id],
      ])
      const isEither = (event: Event) => event.offset === offset || event.offset === before.offset
      return () =>
        honest.withLog(events =>
          events.map(event => (isEither(event) ? { ...event, id: swapped.get(event.id)! } : event)),
        )
    }),
  'an event of the log is doubled': honest =>
    (honest.found?.events ?? []).map(
      ({ id }) =>
        () =>
          honest.withLog(events => [...events, { id, offset: honest.found!.latest + 1 }]),
    ),
  'an event of the log is another': honest =>
    (honest.found?.events ?? []).map(
      ({ offset }) =>
        () =>
          honest.withLog(events =>
            events.map(event => (event.offset === offset ? { offset, id: '?' } : event)),
          ),
    ),
  'one replica lacks its last event': honest =>
    honest.all('final').flatMap(final => {
      const { found } = final
      if (!found?.events.length) return []
      return () => honest.replace(final, { ...final, found: { ...found, events: found.events.slice(0, -1) } })
    }),
  'an answer names the place behind': honest =>
    honest
      .all('send')
      .filter(({ outcome, ids }) => outcome === 'acknowledged' && ids.some(id => honest.seen.has(id)))
      .map(send => () => honest.replace(send, { ...send, first: send.first! + 1, last: send.last! + 1 })),
  'a publish that is in the log is refused': honest =>
    honest
      .all('send')
      .filter(({ ids, key }) => key === undefined && ids.some(id => honest.seen.has(id)))
      .map(send => () => honest.replace(send, { ...send, outcome: 'refused' })),
  'a delivery is dropped': honest =>
    honest
      .all('poll')
      .filter(poll => honest.isMissed(poll))
      .map(poll => () => honest.replace(poll)),
  'a delivery is doubled': honest => honest.all('poll').map(poll => () => honest.replace(poll, poll, poll)),
  'a delivery is shifted': honest =>
    honest.all('poll').map(poll => () => {
      const events = poll.events.map(({ offset, id }) => ({ offset: offset + 1, id }))
      return honest.replace(poll, { ...poll, events })
    }),
  'a delivery is turned round': honest =>
    honest
      .all('poll')
      .filter(({ events }) => events.length > 1)
      .map(poll => () => honest.replace(poll, { ...poll, events: poll.events.toReversed() })),
  'a delivery comes from the life before': honest =>
    honest
      .all('poll')
      .filter(({ incarnation }) => incarnation > 1)
      .map(poll => () => honest.replace(poll, { ...poll, incarnation: poll.incarnation - 1 })),
  'a gap is not told': honest =>
    honest.all('gap').flatMap(gap => {
      const following = honest.operations[honest.operations.indexOf(gap) + 1]
      return following?.kind === 'poll' && following.client === gap.client ? () => honest.replace(gap) : []
    }),
  'a read misses what was acknowledged': honest =>
    honest.all('barrier').flatMap(barrier => {
      const { found, fromMs } = barrier
      const isKnown = honest
        .all('send')
        .some(
          ({ incarnation, last, toMs }) =>
            incarnation === found?.incarnation && last === found?.latest && toMs < fromMs,
        )
      if (found === null || !isKnown) return []
      return () => honest.replace(barrier, { ...barrier, found: { ...found, latest: found.latest - 1 } })
    }),
  'a read finds no topic, which lives on': honest =>
    honest.all('barrier').flatMap(barrier => {
      const { found, fromMs, toMs } = barrier
      const ofLife = honest
        .all('send')
        .filter(send => send.outcome === 'acknowledged' && send.incarnation === found?.incarnation)
      const isKnown = ofLife.some(send => send.toMs < fromMs)
      const livesOn = ofLife.some(send => send.key === undefined && send.fromMs > toMs)
      return isKnown && livesOn ? () => honest.replace(barrier, { ...barrier, found: null }) : []
    }),
  'of as many deletions as lives that ended one was never asked for': honest => {
    const deletions = honest.all('delete')
    const lives = new Set(honest.all('create').map(({ incarnation }) => incarnation))
    for (const { incarnation } of honest.all('send')) lives.delete(incarnation)
    const ended = honest.all('create').length - (honest.found === null ? 0 : 1)
    // Nobody would miss a life without events, and the one that is held is not over.
    const areMissed = [...lives].every(incarnation => incarnation === honest.found?.incarnation)
    if (deletions.length !== ended || !areMissed) return []
    return deletions.map(deletion => () => honest.replace(deletion))
  },
  'an opening frame tells of a place too far on': honest =>
    honest.all('position').flatMap(position => {
      const { client, offset } = position
      const follower = honest.operations
        .slice(honest.operations.indexOf(position) + 1)
        .find(operation => operation.client === client)
      const isGiven = follower?.kind === 'poll' && follower.events[0]!.offset === offset + 1
      return isGiven ? () => honest.replace(position, { ...position, offset: offset + 1 }) : []
    }),
  'a retry is given another place': honest =>
    honest
      .all('send')
      .filter(({ key, outcome }) => key !== undefined && outcome === 'acknowledged')
      .map(send => () => honest.replace(send, { ...send, first: send.first! + 9, last: send.last! + 9 })),
}

t.test('a random honest history has no anomaly', async t => {
  fc.assert(
    fc.property(HONEST, operations => {
      const anomalies = checkHistory(operations)
      if (anomalies.length > 0) throw new Error(JSON.stringify({ anomalies, operations }, null, 1))
    }),
    { numRuns: RUNS },
  )
  t.pass('none had')
})

for (const [how, doctoring] of Object.entries(DOCTORINGS)) {
  t.test(`${how}: found in every random history in which it breaks a promise`, async t => {
    let found = 0
    fc.assert(
      fc.property(HONEST, fc.nat(), (operations, choice) => {
        const all = doctoring(new Honest(operations))
        if (all.length === 0) return
        const doctored = all[choice % all.length]!()
        if (checkHistory(doctored).length === 0) throw new Error(JSON.stringify(doctored, null, 1))
        found += 1
      }),
      { numRuns: RUNS },
    )
    t.ok(found > RUNS / 20, `it was tried ${found} times`)
  })
}
