import fc from 'fast-check'
import type { Roster, RosterBounds, RosterPeer } from '../../services/peer/cube/roster.ts'
import type { RosterChange } from '../../services/peer/cube/roster-change.ts'

export const SMALL: RosterBounds = {
  MAX_DIMENSION: 3,
  MAX_SLOTS: 64,
  MAX_UID_LENGTH: 8,
  MAX_NOTE_LENGTH: 12,
  MAX_ADDRESS_LENGTH: 24,
}

export const NOTE = { by: 'ops', why: 'test' } as const

export function urlOf(n: number): string {
  return `http://p${n}.test`
}

/** A roster with peers of these ids: stores `u1`, `u2`, … numbered and addressed in that order. */
export function rosterOf(dimension: number, ids: readonly string[], leaving: readonly string[] = []): Roster {
  const peers = ids.map((id, at): RosterPeer => {
    const peer = { id, uid: `u${at + 1}`, number: at + 1, url: urlOf(at + 1) }
    return leaving.includes(id) ? { ...peer, leaving: true } : peer
  })
  return { version: 1, clusterId: 'c', dimension, slots: 8, peers }
}

/** What somebody wants of the roster, before it is known whom the roster lists. */
export interface Wish {
  readonly kind: Exclude<RosterChange['kind'], 'found'>
  /** Which of the listed peers, counted around. */
  readonly pick: number
  readonly store: number
  readonly address: number
  readonly asked: string | undefined
  /** The change names a store that is not the peer's. */
  readonly isWrong: boolean
}

export const anyWish: fc.Arbitrary<Wish> = fc.record({
  kind: fc.constantFrom(
    // A cube fills up only when more come than go.
    ...Array<'join'>(7).fill('join'),
    'leave',
    'evict',
    'replace',
    'address',
    'remove',
    'remove',
    'format',
  ),
  pick: fc.nat(7),
  store: fc.integer({ min: 1, max: 14 }),
  address: fc.integer({ min: 1, max: 14 }),
  asked: fc.option(fc.stringMatching(/^[01]{1,4}$/), { nil: undefined, freq: 1 }),
  isWrong: fc.integer({ min: 0, max: 9 }).map(n => n === 0),
})

/** The change a wish comes to under a roster. */
export function changeOf(wish: Wish, { peers }: Roster): RosterChange {
  const { kind, asked, isWrong } = wish
  const leaver = peers.find(({ leaving }) => leaving)
  const peer = kind === 'remove' && leaver && !isWrong ? leaver : peers[wish.pick % peers.length]!
  const listed = isWrong ? 'nobody' : peer.uid
  const [uid, url] = [`u${wish.store}`, urlOf(wish.address)]
  switch (kind) {
    case 'join':
      return { kind, uid, url, ...(asked !== undefined && { id: asked }), ...program(wish), ...NOTE }
    case 'leave':
      return { kind, id: isWrong ? '1111' : peer.id, ...NOTE }
    case 'evict':
      return { kind, id: peer.id, uid: listed, ...NOTE }
    case 'replace':
      return {
        kind,
        id: peer.id,
        uid,
        replaces: listed,
        url: wish.pick % 2 ? url : peer.url,
        ...program(wish),
        ...NOTE,
      }
    case 'address':
      return { kind, uid: listed, url, ...displaced(wish, peers), ...NOTE }
    case 'remove':
      return { kind, uid: listed, ...NOTE }
    case 'format':
      return { kind, uid: listed, format: 1 + (wish.store % 3), ...NOTE }
  }
}

/** Every other newcomer runs a newer version of the program. */
function program({ pick }: Wish) {
  return pick % 2 ? { format: 3 } : {}
}

/** Every other change of address displaces whoever is in its way. */
function displaced({ pick, address }: Wish, peers: readonly RosterPeer[]) {
  const holder = peers.find(({ url }) => url === urlOf(address))
  return holder && pick % 2 ? { displaces: holder.uid } : {}
}
