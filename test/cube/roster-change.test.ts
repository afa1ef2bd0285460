import fc from 'fast-check'
import t from 'tap'
import { parseLabel } from '../../services/peer/cube/labels.ts'
import { lastNumberOf, type Roster, rosterFault, staying } from '../../services/peer/cube/roster.ts'
import {
  type ChangeOutcome,
  changeRoster,
  type RosterChange,
} from '../../services/peer/cube/roster-change.ts'
import { anyWish, changeOf, NOTE, rosterOf, SMALL, urlOf } from './changes.ts'

type Bare<C> = C extends RosterChange ? Omit<C, 'by' | 'why'> : never
const change = (roster: Roster | undefined, what: Bare<RosterChange>): ChangeOutcome =>
  changeRoster(roster, { ...NOTE, ...what } as RosterChange, 9, SMALL)

/** The roster after changes that must all be taken. */
function after(roster: Roster, ...changes: Bare<RosterChange>[]): Roster {
  return changes.reduce((now, what) => {
    const outcome = change(now, what)
    if (outcome.kind !== 'changed') throw new Error(`${what.kind}: ${JSON.stringify(outcome)}`)
    return outcome.roster
  }, roster)
}

const three = rosterOf(2, ['00', '01', '11'])
const full = rosterOf(2, ['00', '01', '10', '11'])
const ids = (roster: Roster) => roster.peers.map(({ id }) => id)
const join = (n: number, id?: string) =>
  ({ kind: 'join', uid: `u${n}`, url: urlOf(n), ...(id !== undefined && { id }) }) as const

t.test('the founding roster is taken as it is, once, and only when it is sound', async t => {
  const outcome = change(undefined, { kind: 'found', roster: three })
  t.same(outcome, { kind: 'changed', roster: three })
  t.match(change(three, { kind: 'found', roster: three }), { kind: 'refused', code: 'WRONG_SLOT' })
  const unsound = { ...three, dimension: 1 }
  t.match(change(undefined, { kind: 'found', roster: unsound }), {
    code: 'INVALID_REQUEST',
    detail: /^peer id 00 has 2 digits/,
  })
})

t.test('no other change is taken where there is no roster', async t => {
  const changes: Bare<RosterChange>[] = [
    join(1),
    { kind: 'leave', id: '0' },
    { kind: 'evict', id: '0', uid: 'u1' },
    { kind: 'replace', id: '0', uid: 'u2', replaces: 'u1', url: urlOf(1) },
    { kind: 'address', uid: 'u1', url: urlOf(1) },
    { kind: 'remove', uid: 'u1' },
  ]
  for (const what of changes) t.match(change(undefined, what), { code: 'WRONG_SLOT' }, what.kind)
})

t.test('every change makes the next version and leaves a note of who, why and when', async t => {
  const joined = after(three, join(9))
  t.equal(joined.version, 2)
  t.same(joined.change, { kind: 'join', id: '10', by: 'ops', why: 'test', timeMs: 9 })
  const left = after(joined, { kind: 'leave', id: '0011' })
  t.equal(left.version, 3)
  t.same(left.change, { kind: 'leave', id: '11', by: 'ops', why: 'test', timeMs: 9 })
  const removed = after(left, { kind: 'remove', uid: 'u3' })
  t.match(removed, { version: 4, change: { kind: 'remove', id: '11' } })
})

t.test('who and why are texts within their bound', async t => {
  const long = { kind: 'leave', id: '00', by: 'x'.repeat(13), why: '' } as const
  t.match(changeRoster(three, long, 9, SMALL), { code: 'INVALID_REQUEST', detail: /by must be a text/ })
  const bare = { kind: 'leave', id: '00', by: 'x' } as never
  t.match(changeRoster(three, bare, 9, SMALL), { code: 'INVALID_REQUEST', detail: /why must be a text/ })
})

t.test('a peer that joins takes the lowest free corner and the next number', async t => {
  const { peers, lastNumber, dimension } = after(three, join(9))
  t.same(peers, [
    ...three.peers.slice(0, 2),
    { id: '10', uid: 'u9', number: 4, url: urlOf(9) },
    three.peers[2],
  ])
  t.equal(lastNumber, 4)
  t.equal(dimension, 2)
  t.equal(after(rosterOf(2, ['01', '11']), join(9)).peers[0]?.id, '00')
})

t.test('a peer that asks for a free label is given its corner, written as wide as the cube', async t => {
  const sparse = rosterOf(3, ['000'])
  t.same(ids(after(sparse, join(9, '110'))), ['000', '110'])
  t.same(ids(after(sparse, join(9, '11'))), ['000', '011'])
  t.same(ids(after(rosterOf(2, ['00']), join(9, '010'))), ['00', '10'])
})

t.test('a label that is taken is refused, by a peer that leaves as well', async t => {
  const refusal = change(three, join(9, '11'))
  t.match(refusal, { kind: 'refused', code: 'LABEL_TAKEN', detail: /11 belongs to the peer at http:\/\/p3/ })
  t.match(change(three, join(9, '011')), { code: 'LABEL_TAKEN' })
  const leaving = after(three, { kind: 'leave', id: '11' })
  t.match(change(leaving, join(9, '11')), { code: 'LABEL_TAKEN', detail: /which is leaving/ })
  t.same(ids(after(leaving, join(9))), ['00', '01', '10', '11'])
})

t.test('an address that is taken is refused', async t => {
  t.match(change(three, { kind: 'join', uid: 'u9', url: urlOf(2) }), { code: 'ADDRESS_TAKEN', detail: /01/ })
})

t.test('joining again is no change, whichever way the label is written', async t => {
  const joined = after(three, join(9, '10'))
  for (const asked of [undefined, '10', '010']) {
    const again = change(joined, join(9, asked))
    t.equal(again.kind, 'unchanged')
    t.equal(again.kind === 'unchanged' && again.roster, joined)
  }
})

t.test('a store that is listed cannot join under another label or address, nor while it leaves', async t => {
  t.match(change(three, join(3, '10')), { code: 'STORE_LISTED', detail: /u3 is peer 11 already/ })
  t.match(change(three, { kind: 'join', uid: 'u3', url: urlOf(9) }), { code: 'STORE_LISTED' })
  const leaving = after(three, { kind: 'leave', id: '11' })
  t.match(change(leaving, join(3)), { code: 'CHANGE_UNDER_WAY' })
})

t.test('a full cube grows by one dimension for one peer more, and ids stay as they are', async t => {
  const grown = after(full, join(9))
  t.equal(grown.dimension, 3)
  t.same(ids(grown), ['00', '01', '10', '11', '100'])
  t.same(ids(after(grown, join(8))), ['00', '01', '10', '11', '100', '101'])
  t.equal(rosterFault(grown, SMALL), undefined)
})

t.test('a peer that is leaving still fills its corner', async t => {
  const grown = after(full, { kind: 'leave', id: '00' }, join(9))
  t.same(ids(grown), ['00', '01', '10', '11', '100'])
})

t.test('the cube grows for a label that was asked for only when it is full, and by one only', async t => {
  t.match(change(three, join(9, '100')), {
    code: 'LABEL_TOO_WIDE',
    detail: 'The label 100 does not fit: the cube has dimension 2 and free corners.',
  })
  t.same(ids(after(full, join(9, '110'))), ['00', '01', '10', '11', '110'])
  const line = rosterOf(1, ['0', '1'])
  t.match(change(line, join(9, '100')), { code: 'LABEL_TOO_WIDE', detail: /grows by one only/ })
  t.match(change(full, join(9, '1000')), { code: 'INVALID_REQUEST', detail: /use at most 3/ })
})

t.test('a cube of the highest dimension takes no peer more', async t => {
  const corners = Array.from({ length: 8 }, (_, n) => n.toString(2).padStart(3, '0'))
  t.match(change(rosterOf(3, corners), join(9)), { code: 'CUBE_FULL', detail: /All 8 corners/ })
  t.match(change(rosterOf(3, corners), join(9, '101')), { code: 'LABEL_TAKEN' })
})

t.test('what is no store, no address or no label does not join', async t => {
  const cases: [object, RegExp][] = [
    [{ uid: '' }, /^the uid must be a text of 1 to 8/],
    [{ uid: 'x'.repeat(9) }, /^the uid/],
    [{ url: 'p9' }, /^the address is not a URL/],
    [{ url: 'http://p9.test/' }, /must be written as http:\/\/p9\.test/],
    [{ url: `http://${'p'.repeat(30)}` }, /more than 24 characters/],
    [{ id: '' }, /binary digits/],
    [{ id: '12' }, /binary digits/],
  ]
  for (const [bent, detail] of cases) {
    t.match(change(three, { ...join(9), ...bent }), { code: 'INVALID_REQUEST', detail }, JSON.stringify(bent))
  }
})

t.test('a peer that leaves keeps its place, number and address and is placed on no more', async t => {
  const left = after(three, { kind: 'leave', id: '01' })
  t.same(left.peers[1], { ...three.peers[1], leaving: true })
  t.same(
    staying(left).peers.map(({ id }) => id),
    ['00', '11'],
  )
  t.equal(change(left, { kind: 'leave', id: '1' }).kind, 'unchanged')
  t.same(staying(after(left, { kind: 'leave', id: '00' })).peers.length, 1)
})

t.test('the last peer that stays can neither leave nor be evicted', async t => {
  const alone = rosterOf(1, ['0'])
  t.match(change(alone, { kind: 'leave', id: '0' }), { code: 'LAST_PEER' })
  t.match(change(alone, { kind: 'evict', id: '0', uid: 'u1' }), { code: 'LAST_PEER' })
  const left = after(rosterOf(1, ['0', '1']), { kind: 'leave', id: '0' })
  t.match(change(left, { kind: 'leave', id: '1' }), { code: 'LAST_PEER' })
})

t.test('nobody who is not listed leaves, is evicted or replaced, or moves', async t => {
  for (const id of ['10', '1000', '', 'x', '1'.repeat(2_000)]) {
    t.match(change(three, { kind: 'leave', id }), { code: 'UNKNOWN_PEER' }, id.slice(0, 9))
    t.match(change(three, { kind: 'evict', id, uid: 'u1' }), { code: 'UNKNOWN_PEER' })
    const replace = { kind: 'replace', id, uid: 'u9', replaces: 'u1', url: urlOf(9) } as const
    t.match(change(three, replace), { code: 'UNKNOWN_PEER' })
  }
  t.match(change(three, { kind: 'address', uid: 'u9', url: urlOf(9) }), { code: 'UNKNOWN_PEER' })
})

t.test('an eviction names the store it means, and may come while another peer leaves', async t => {
  const five = rosterOf(3, ['000', '001', '010', '011', '100'])
  t.match(change(five, { kind: 'evict', id: '001', uid: 'u3' }), {
    code: 'UNKNOWN_PEER',
    detail: 'Peer 001 has the store u2, not u3.',
  })
  const first = { kind: 'evict', id: '001', uid: 'u2' } as const
  const evicted = after(five, first)
  t.match(evicted, { peers: [{}, { id: '001', leaving: true }], change: { kind: 'evict', id: '001' } })
  t.equal(change(evicted, first).kind, 'unchanged')
  const second = { kind: 'evict', id: '010', uid: 'u3' } as const
  t.match(after(evicted, second), { peers: [{}, { leaving: true }, { leaving: true }] })
  t.match(after(evicted, { kind: 'remove', uid: 'u2' }, second), { change: { kind: 'evict', id: '010' } })
})

t.test('a peer whose store is lost is replaced under its label and a new number', async t => {
  const what = { kind: 'replace', id: '1', uid: 'u9', replaces: 'u2', url: urlOf(2) } as const
  const replaced = after(three, what)
  t.same(replaced.peers[1], { id: '01', uid: 'u9', number: 4, url: urlOf(2) })
  t.equal(replaced.lastNumber, 4)
  t.equal(change(replaced, what).kind, 'unchanged')
  t.equal(after(three, { ...what, url: urlOf(9) }).peers[1]?.url, urlOf(9))
  t.match(change(replaced, { ...what, uid: 'u8' }), {
    code: 'UNKNOWN_PEER',
    detail: /has the store u9, not u2/,
  })
  t.match(change(replaced, { ...what, url: urlOf(9) }), { code: 'STORE_LISTED' })
})

t.test(
  'a peer is not replaced by a listed store, at a taken address, while it leaves or by nonsense',
  async t => {
    const what = { kind: 'replace', id: '01', uid: 'u9', replaces: 'u2', url: urlOf(2) } as const
    t.match(change(three, { ...what, uid: 'u1' }), { code: 'STORE_LISTED', detail: /u1 is peer 00/ })
    t.match(change(three, { ...what, url: urlOf(1) }), { code: 'ADDRESS_TAKEN', detail: /peer 00/ })
    t.match(change(after(three, { kind: 'leave', id: '01' }), what), { code: 'CHANGE_UNDER_WAY' })
    t.match(change(three, { ...what, uid: '' }), { code: 'INVALID_REQUEST' })
    t.match(change(three, { ...what, url: 'p' }), { code: 'INVALID_REQUEST' })
  },
)

t.test('a peer changes its address to a free one, and may while it leaves', async t => {
  const what = { kind: 'address', uid: 'u2', url: urlOf(9) } as const
  const moved = after(three, what)
  t.same(moved.peers[1], { ...three.peers[1], url: urlOf(9) })
  t.equal(change(moved, what).kind, 'unchanged')
  t.match(change(three, { ...what, url: urlOf(3) }), { code: 'ADDRESS_TAKEN', detail: /peer 11/ })
  t.match(change(three, { ...what, url: 'p9' }), { code: 'INVALID_REQUEST' })
  t.match(after(three, { kind: 'leave', id: '01' }, what).peers[1], { url: urlOf(9), leaving: true })
})

t.test('a peer takes the address of one that is there no more, which is given the other for now', async t => {
  const what = { kind: 'address', uid: 'u2', url: urlOf(3) } as const
  const swapped = after(three, { ...what, displaces: 'u3' })
  t.same(
    swapped.peers.map(({ uid, url }) => [uid, url]),
    [
      ['u1', urlOf(1)],
      ['u2', urlOf(3)],
      ['u3', urlOf(2)],
    ],
  )
  t.match(swapped.change, { kind: 'address', id: '01' })
  t.equal(swapped.peers[2]!.given, true)
  const said = after(swapped, { kind: 'address', uid: 'u3', url: urlOf(2) })
  t.equal(said.peers[2]!.given, undefined, 'it says that it is right')
  t.equal(change(said, { kind: 'address', uid: 'u3', url: urlOf(2) }).kind, 'unchanged')
  const around = after(
    three,
    { kind: 'address', uid: 'u1', url: urlOf(2), displaces: 'u2' },
    { kind: 'address', uid: 'u2', url: urlOf(3), displaces: 'u3' },
  )
  t.same(
    around.peers.map(({ given }) => given),
    [undefined, undefined, true],
  )
  t.same(
    around.peers.map(({ url }) => url),
    [2, 3, 1].map(urlOf),
  )
})

t.test('only the peer that is named loses its address', async t => {
  const what = { kind: 'address', uid: 'u2', url: urlOf(3) } as const
  t.match(change(three, { ...what, displaces: 'u1' }), { code: 'CHANGE_UNDER_WAY', detail: /peer 11 by now/ })
  t.match(change(three, what), { code: 'ADDRESS_TAKEN' })
  const free = after(three, { ...what, url: urlOf(9), displaces: 'u3' })
  t.same(
    free.peers.map(({ url }) => url),
    [1, 9, 3].map(urlOf),
    'at a free address nobody is in the way',
  )
})

t.test(
  'only a leaving peer is removed; its number is not given again and the cube keeps its size',
  async t => {
    t.match(change(three, { kind: 'remove', uid: 'u3' }), { code: 'NOT_LEAVING', detail: /Peer 11/ })
    const removed = after(three, { kind: 'leave', id: '11' }, { kind: 'remove', uid: 'u3' })
    t.same(ids(removed), ['00', '01'])
    t.match(removed, { dimension: 2, lastNumber: 3 })
    t.equal(change(removed, { kind: 'remove', uid: 'u3' }).kind, 'unchanged')
    const back = after(removed, join(3))
    t.match(back.peers[2], { id: '10', uid: 'u3', number: 4 })
    const shrunk = after(full, join(9), { kind: 'leave', id: '100' }, { kind: 'remove', uid: 'u9' })
    t.equal(shrunk.dimension, 3)
  },
)

t.test('what was judged under another version is no change, unless it is so already', async t => {
  const now = after(three, join(9))
  const changes: Exclude<Bare<RosterChange>, { readonly kind: 'found' }>[] = [
    join(8),
    { kind: 'leave', id: '01' },
    { kind: 'evict', id: '01', uid: 'u2' },
    { kind: 'replace', id: '01', uid: 'u8', replaces: 'u2', url: urlOf(8) },
  ]
  for (const what of changes) {
    for (const follows of [1, 3]) {
      const outdated = { code: 'CHANGE_UNDER_WAY', detail: new RegExp(`version ${follows} .* at 2 by now`) }
      t.match(change(now, { ...what, follows }), outdated, `${what.kind} ${follows}`)
    }
    t.match(change(now, { ...what, follows: 2 }), { kind: 'changed' }, what.kind)
  }
  t.equal(change(now, { ...join(9), follows: 1 }).kind, 'unchanged', 'the answer it had')
})

t.test(
  'whatever is asked in whatever order, the roster stays sound and nothing given is taken back',
  async t => {
    const seed = Date.now()
    t.comment(`seed ${seed}`)
    const taken = new Map<string, number>()
    fc.assert(
      fc.property(fc.array(anyWish, { maxLength: 60, size: 'max' }), wishes => {
        let roster = rosterOf(1, ['0'])
        const owners = new Map(roster.peers.map(({ number, uid }) => [number, uid]))
        for (const wish of wishes) {
          const before = JSON.stringify(roster)
          const what = changeOf(wish, roster)
          const outcome = changeRoster(roster, what, 9, SMALL)
          check(JSON.stringify(roster) === before, 'the roster it was given was changed')
          taken.set(label(outcome, what), (taken.get(label(outcome, what)) ?? 0) + 1)
          if (outcome.kind === 'refused') {
            check(outcome.detail.length > 10, 'a refusal without a reason')
            continue
          }
          if (outcome.kind === 'unchanged') {
            check(outcome.roster === roster, 'unchanged is another roster')
            continue
          }
          judge(roster, outcome.roster, owners)
          roster = outcome.roster
          const again = changeRoster(roster, what, 10, SMALL)
          check(again.kind === 'unchanged', `again it is ${JSON.stringify(again)}`)
        }
      }),
      { seed, numRuns: 300 },
    )
    for (const kind of ['join', 'leave', 'evict', 'replace', 'address', 'remove', 'CUBE_FULL', 'LAST_PEER']) {
      t.ok(taken.get(kind), `${kind} came up`)
    }
  },
)

function label(outcome: ChangeOutcome, what: RosterChange): string {
  if (outcome.kind === 'refused') return outcome.code
  return outcome.kind === 'changed' ? what.kind : outcome.kind
}

/** @param owners by member number, the store it was given to; numbers of the past included */
function judge(before: Roster, now: Roster, owners: Map<number, string>): void {
  check(rosterFault(now, SMALL) === undefined, `${rosterFault(now, SMALL)}`)
  check(now.version === before.version + 1, 'the version does not rise by one')
  check(now.dimension >= before.dimension, 'the dimension shrinks')
  check(lastNumberOf(now) >= lastNumberOf(before), 'the last number falls')
  for (const { id, uid, number } of now.peers) {
    const old = before.peers.find(peer => peer.number === number)
    if (old === undefined) check(number > Math.max(...owners.keys()), `number ${number} is given again`)
    else check(owners.get(number) === uid, `number ${number} goes to another store`)
    owners.set(number, uid)
    if (old !== undefined) check(old.id === id, `peer ${old.id} becomes ${id}`)
    const twin = before.peers.find(peer => parseLabel(peer.id) === parseLabel(id))
    if (twin !== undefined) check(twin.id === id, `label ${twin.id} becomes ${id}`)
  }
}

function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(what)
}
