import t from 'tap'
import type { Roster } from '../../services/peer/cube/roster.ts'
import { Whereabouts } from '../../services/peer/links/whereabouts.ts'

const urlOf = (port: number) => `http://127.0.0.1:${port}`

function world() {
  let roster: Roster = {
    version: 1,
    clusterId: 'c',
    dimension: 1,
    slots: 4,
    peers: ['0', '1'].map((id, at) => ({ id, uid: `uid-${id}`, number: at + 1, url: urlOf(at) })),
  }
  const list = (id: string, what: { readonly uid?: string; readonly url?: string }) => {
    const peers = roster.peers.map(peer => (peer.id === id ? { ...peer, ...what } : peer))
    roster = { ...roster, version: roster.version + 1, peers }
  }
  const leave = (id: string) => {
    roster = { ...roster, version: roster.version + 1, peers: roster.peers.filter(peer => peer.id !== id) }
  }
  return { where: new Whereabouts(() => roster), list, leave }
}

t.test('a peer is looked for where it is listed, and nobody else is', async t => {
  const { where, leave } = world()
  t.equal(where.urlOf('1'), urlOf(1))
  t.equal(where.urlOf('11'), undefined)
  where.missed('1', urlOf(1))
  t.equal(where.urlOf('1'), urlOf(1), 'it has said of no other place')
  leave('1')
  where.said('1', urlOf(9))
  t.equal(where.urlOf('1'), undefined)
})

t.test('one that is not found is looked for where it says it is, by turns', async t => {
  const { where } = world()
  where.said('1', urlOf(9))
  t.equal(where.urlOf('1'), urlOf(1), 'what it says counts for nothing while it is found')
  where.missed('1', urlOf(1))
  t.equal(where.urlOf('1'), urlOf(9))
  where.missed('1', urlOf(1))
  t.equal(where.urlOf('1'), urlOf(9), 'an attempt at the other place is late')
  where.said('1', urlOf(10))
  t.equal(where.urlOf('1'), urlOf(10), 'it has moved on')
  where.missed('1', urlOf(10))
  t.equal(where.urlOf('1'), urlOf(1), 'a wrong --advertise does not hide it')
  where.missed('1', urlOf(1))
  t.equal(where.urlOf('1'), urlOf(10))
})

t.test('the roster has the last word, and back at its place a peer is found there', async t => {
  const { where, list } = world()
  const away = () => {
    where.said('1', urlOf(9))
    where.missed('1', where.urlOf('1'))
    t.equal(where.urlOf('1'), urlOf(9))
  }
  away()
  list('1', { url: urlOf(5) })
  t.equal(where.urlOf('1'), urlOf(5))
  away()
  list('1', { uid: 'another store' })
  t.equal(where.urlOf('1'), urlOf(5))
  away()
  where.said('1', urlOf(5))
  t.equal(where.urlOf('1'), urlOf(5))
  t.equal(where.urlOf('0'), urlOf(0), 'nobody is believed of others')
})

t.test('what is no address is ignored', async t => {
  const { where } = world()
  for (const url of ['', 'here', 'ftp://x', `${urlOf(9)}/path`, `http://${'x'.repeat(300)}`]) {
    where.said('1', url)
    where.missed('1', urlOf(1))
    t.equal(where.urlOf('1'), urlOf(1), url)
  }
})
