import t from 'tap'
import type { Notice, ReceivedEvent } from '../../clients/typescript/src/index.ts'
import { Progress } from '../../clients/typescript/src/progress.ts'

/** What is handed out of a stream, as short text; `?` for a life without a number. */
function shown(read: ReceivedEvent | Notice): string {
  if (!('kind' in read)) return `${read.offset}-${read.incarnation ?? '?'}`
  return read.kind === 'gap'
    ? `gap ${read.from}..${read.to}`
    : `${read.kind} ${'incarnation' in read ? read.incarnation : '?'}`
}

function event(offset: number, incarnation?: number): ReceivedEvent {
  return { topic: 'a', offset, incarnation, cursor: '' } as ReceivedEvent
}

function gap(from: number, to: number, incarnation?: number): Notice {
  return {
    kind: 'gap',
    topic: 'a',
    from,
    to,
    cursor: '',
    ...(incarnation === undefined ? {} : { incarnation }),
  }
}

function end(incarnation?: number): Notice {
  return { kind: 'end', topic: 'a', reason: 'deleted', ...(incarnation === undefined ? {} : { incarnation }) }
}

function takeAll(reads: readonly (ReceivedEvent | Notice)[], isNext: boolean): string[] {
  const progress = new Progress()
  return reads.flatMap(read => progress.take(read, '', isNext)).map(shown)
}

t.test('lives with numbers are told apart whatever comes again', async t => {
  const reads = [
    event(1, 1),
    event(2, 1),
    event(1, 1),
    end(1),
    event(2, 1),
    end(1),
    event(1, 2),
    end(1),
    event(2, 2),
  ]
  t.same(takeAll(reads, false), ['1-1', '2-1', 'end 1', '1-2', '2-2'])
})

t.test('a next life tells of the end of the one before, where nobody did', async t => {
  t.same(takeAll([event(7, 1), event(1, 2)], true), ['7-1', 'end 1', '1-2'])
  t.same(takeAll([event(7, 1), gap(1, 3, 2), event(4, 2)], true), ['7-1', 'end 1', 'gap 1..3', '4-2'])
})

t.test(
  'without numbers a stream that goes on where it was begins a new life with a lower offset',
  async t => {
    t.same(takeAll([event(7), event(1), event(2)], true), ['7-?', 'end ?', '1-?', '2-?'])
    t.same(
      takeAll([event(7), event(1), event(8)], false),
      ['7-?', '8-?'],
      'one that may repeat itself does not',
    )
    t.same(takeAll([event(7), end(), end(), event(1)], false), ['7-?', 'end ?', '1-?'])
  },
)

t.test(
  'a gap without a number is of the life that is known, unless the next event shows otherwise',
  async t => {
    t.same(takeAll([gap(1, 4), event(5, 1)], true), ['gap 1..4', '5-1'], 'the first that is heard')
    t.same(takeAll([event(5, 1), gap(1, 4), event(6, 1)], true), ['5-1', '6-1'], 'known')
    t.same(takeAll([event(5, 1), gap(1, 8), event(9, 1)], true), ['5-1', 'gap 6..8', '9-1'], 'in part')
    t.same(
      takeAll([event(5, 1), gap(1, 4), event(5, 2)], true),
      ['5-1', 'end 1', 'gap 1..4', '5-2'],
      'a next life',
    )
    t.same(takeAll([event(5, 1), end(1), gap(1, 4), event(5, 2)], true), ['5-1', 'end 1', 'gap 1..4', '5-2'])
  },
)

t.test('what is not of a topic passes', async t => {
  t.same(takeAll([{ kind: 'end', reason: 'ended' }], true), ['end ?'])
})
