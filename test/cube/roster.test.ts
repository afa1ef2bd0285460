import fc from 'fast-check'
import t from 'tap'
import { cubeFault, type Roster, rosterFault, urlFault } from '../../services/peer/cube/roster.ts'
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
const fault = (changes: Record<string, unknown>) => rosterFault({ ...roster, ...changes }, LIMITS)

t.test('a sound roster has no fault, with gaps between its corners too', async t => {
  t.equal(rosterFault(roster, LIMITS), undefined)
  t.equal(cubeFault(2, 64, [{ id: '10', url: 'https://peer.example' }], LIMITS), undefined)
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
    [{ peers: [peer('00'), peer('011')] }, /write every id with 2 digits/],
    [{ peers: [peer('00'), peer('00')] }, /listed twice/],
    [{ peers: [peer('01'), peer('00')] }, /sort the peers by label/],
    [{ peers: [peer('00'), peer('01', { url: 'http://127.0.0.1:5555' })] }, /same address/],
    [{ peers: [peer('00', { url: 'localhost:5555' })] }, /neither http nor https/],
    [{ peers: [peer('00', { uid: undefined })] }, /uid of peer 00/],
    [{ peers: [peer('00'), peer('01', { uid: 'uid-00' })] }, /data folder is a copy/],
    [{ peers: [peer('00'), peer('01', { number: 1 })] }, /same member number/],
    [{ peers: [peer('00', { number: 0 })] }, /number of peer 00/],
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
