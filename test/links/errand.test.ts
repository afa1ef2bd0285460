import t from 'tap'
import { Errand } from '../../services/peer/links/errand.ts'
import type { ForwardedAnswer, OperationResult } from '../../services/peer/links/types.ts'

const lost: ForwardedAnswer = { kind: 'exhausted', visited: ['110'], primary: null, definite: false }

function answered(result: OperationResult): ForwardedAnswer {
  return { kind: 'answered', result, path: ['000', '110'] }
}

const unknownTopic = (replicas: number) =>
  answered({
    ...{ kind: 'appended', replicas, primary: '110' },
    result: { kind: 'refused', code: 'UNKNOWN_TOPIC' },
  })

const published = answered({
  ...{ kind: 'appended', replicas: 2, primary: '110' },
  result: { kind: 'published', incarnation: 1, first: 1, last: 1, sequence: 1, timeMs: 0 },
})

/** What an errand comes to when its attempts are answered so, one after the other, and then its time is up. */
function outcomeOf(...answers: readonly ForwardedAnswer[]) {
  const left = [...answers]
  const errand = new Errand({
    operation: {
      kind: 'append',
      slot: 6,
      request: { kind: 'publish', topic: 'sports', events: [{ data: Buffer.from('goal') }] },
    },
    targets: ['110', '010', '100'],
    isReplica: peer => ['110', '010', '100'].includes(peer),
    patienceMs: () => (left.length > 0 ? 100 : 0),
    attempt: async () => left.shift()!,
    pause: async () => {},
  })
  return errand.run()
}

t.test('a refusal without an entry of the log is an answer when no earlier attempt is in doubt', async t => {
  t.match(await outcomeOf(unknownTopic(0)), { result: { result: { code: 'UNKNOWN_TOPIC' } } })
})

t.test('it is none while an earlier attempt may still be appended', async t => {
  t.match(await outcomeOf(lost, unknownTopic(0)), { result: { code: 'OUTCOME_UNKNOWN', definite: false } })
  t.match(await outcomeOf(lost, unknownTopic(0), published), { result: { result: { kind: 'published' } } })
})

t.test('a refusal of the log itself is an answer: it binds earlier attempts, too', async t => {
  t.match(await outcomeOf(lost, unknownTopic(2)), { result: { result: { code: 'UNKNOWN_TOPIC' } } })
})
