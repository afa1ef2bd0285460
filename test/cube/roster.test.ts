import fc from 'fast-check'
import t from 'tap'
import {
  cubeFault,
  peerAt,
  type Roster,
  rosterFault,
  staying,
  urlFault,
} from '../../services/peer/cube/roster.ts'
import { LIMITS } from '../../services/peer/limits.ts'

const peer = (id: string, changes = {}) => {
  const corner = Number.parseInt(id, 2)
  return { id, uid: `uid-${id}`, number: corner + 1, url: `http://127.0.0.1:${5555 + corner}`, ...changes }
}
const roster: Roster = {
  version: 1,
  clusterId: 'c',
  dimension: 2,
  slots: 64,
  peers: [peer('00'), peer('01'), peer('11')],
}
const note = { kind: 'join', id: '11', by: 'ops', why: 'more room', timeMs: 1 } as const
const fault = (changes: Record<string, unknown>) => rosterFault({ ...roster, ...changes }, LIMITS)

t.test('a sound roster has no fault, with gaps between its corners too', async t => {
  t.equal(rosterFault(roster, LIMITS), undefined)
  t.equal(cubeFault(2, 64, [{ id: '10', url: 'https://peer.example' }], LIMITS), undefined)
})

t.test('a roster that grew, lost peers and is losing one has no fault', async t => {
  const grown = {
    ...roster,
    dimension: 4,
    peers: [peer('1'), peer('10', { leaving: true }), peer('011'), peer('1000')],
  }
  t.equal(rosterFault(grown, LIMITS), undefined)
  t.equal(rosterFault({ ...grown, lastNumber: 9, change: note }, LIMITS), undefined)
  t.equal(rosterFault({ ...grown, lastNumber: 12, change: note }, LIMITS), undefined)
})

t.test('a list to found from has ids of exactly the dimension', async t => {
  const list = [{ id: '0', url: 'https://peer.example' }]
  t.match(cubeFault(2, 64, list, LIMITS), /write every id with 2 digits/)
})

t.test('a peer is found by the value of its label', async t => {
  const grown: Roster = { ...roster, dimension: 4, peers: [peer('00'), peer('101')] }
  t.equal(peerAt(grown, '0101')?.uid, 'uid-101')
  t.equal(peerAt(grown, '101')?.uid, 'uid-101')
  t.equal(peerAt(grown, '0000')?.uid, 'uid-00')
  for (const id of ['1', '', '2', '0x5', '1'.repeat(2_000)]) t.equal(peerAt(grown, id), undefined, id)
})

t.test('the cube that stays is the one without those that leave', async t => {
  const leaving: Roster = { ...roster, peers: [peer('00'), peer('01', { leaving: true }), peer('11')] }
  t.same(staying(leaving), { dimension: 2, peers: [peer('00'), peer('11')] })
})

t.test('each thing that can be wrong is named', async t => {
  const cases: [Record<string, unknown>, RegExp][] = [
    [{ version: 0 }, /version/],
    [{ clusterId: '' }, /clusterId/],
    [{ clusterId: 'x'.repeat(65) }, /clusterId/],
    [{ dimension: 0 }, /dimension must be a whole number from 1 to 10/],
    [{ dimension: 11 }, /dimension/],
    [{ slots: 48 }, /power of two/],
    [{ slots: 0 }, /power of two/],
    [{ slots: 32_768 }, /power of two from 1 to 16384/],
    [{ slots: '64' }, /power of two/],
    [{ peers: [] }, /at least one peer/],
    [{ peers: null }, /at least one peer/],
    [{ peers: ['00'] }, /object with id and url/],
    [{ peers: [peer('00'), peer('011')] }, /has 3 digits .* use at most 2/],
    [{ peers: [peer('00'), peer('')] }, /binary digits/],
    [{ peers: [peer('1'), peer('01', { url: 'http://p' })] }, /peer 01 is listed twice/],
    [{ peers: [peer('10'), peer('1')] }, /sort the peers by label/],
    [{ peers: [peer('00'), peer('00')] }, /listed twice/],
    [{ peers: [peer('01'), peer('00')] }, /sort the peers by label/],
    [{ peers: [peer('00'), peer('01', { url: 'http://127.0.0.1:5555' })] }, /same address/],
    [{ peers: [peer('00', { url: 'localhost:5555' })] }, /neither http nor https/],
    [{ peers: [peer('00', { uid: undefined })] }, /uid of peer 00/],
    [{ peers: [peer('00'), peer('01', { uid: 'uid-00' })] }, /data folder is a copy/],
    [{ peers: [peer('00'), peer('01', { number: 1 })] }, /same member number/],
    [{ peers: [peer('00', { number: 0 })] }, /number of peer 00/],
    [{ peers: [peer('00', { leaving: false })] }, /leaving of peer 00 must be true or absent/],
    [{ peers: [peer('00', { leaving: true })] }, /at least one peer .* must not be leaving/],
    [{ lastNumber: 3 }, /lastNumber must be a whole number from 4 up/],
    [{ lastNumber: '4' }, /lastNumber/],
    [{ change: 'join' }, /note of the change must be an object/],
    [{ change: { ...note, kind: 'found' } }, /kind of the change must be one of join, leave/],
    [{ change: { ...note, timeMs: Number.NaN } }, /time of the change/],
    [{ change: { ...note, id: '012' } }, /binary digits/],
    [{ change: { ...note, by: 7 } }, /by must be a text of at most 200/],
    [{ change: { ...note, why: 'x'.repeat(201) } }, /why must be a text/],
  ]
  for (const [changes, expected] of cases)
    t.match(fault(changes), expected, JSON.stringify(changes).slice(0, 60))
})

t.test('an address is an origin in its usual spelling', async t => {
  t.equal(urlFault('http://[::1]:5555'), undefined)
  t.match(urlFault('http://127.0.0.1:5555/'), /must be written as http:\/\/127\.0\.0\.1:5555/)
  t.match(urlFault('HTTP://Peer.Example:80'), /must be written as http:\/\/peer\.example/)
  t.match(urlFault('http://u:p@peer.example?x=1'), /must be written as http:\/\/peer\.example/)
  t.match(urlFault('ftp://peer.example'), /neither http nor https/)
  t.match(urlFault('peer one'), /is not a URL/)
  t.match(urlFault(5555), /is not a URL/)
})

t.test('nothing at all makes the check throw', async t => {
  fc.assert(
    fc.property(fc.anything(), fc.anything(), (a, b) => {
      t.type(rosterFault(a, LIMITS), 'string')
      const bent = rosterFault({ ...roster, peers: [a, b] }, LIMITS)
      t.type(bent, 'string')
    }),
  )
})
