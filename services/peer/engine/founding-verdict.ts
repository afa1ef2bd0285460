import { type PeerId, parseLabel } from '../cube/labels.ts'
import { cubeFault, type Roster, rosterFault } from '../cube/roster.ts'
import { commonFormat, listedFormat } from '../cube/roster-format.ts'
import { LIMITS } from '../limits.ts'
import { type Formats, formatFault } from './formats.ts'
import {
  FoundingError,
  type FoundingPlan,
  type ListedPeer,
  planDifference,
  type Statement,
  StrangerError,
} from './founding-statement.ts'

/** Who is deciding. */
export interface Founder {
  readonly id: PeerId
  readonly uid: string
  readonly plan: FoundingPlan
  /** What its program speaks. */
  readonly formats: Formats
}

/** The store of a founding peer, and what its program speaks. */
export interface FoundingMember {
  readonly uid: string
  readonly formats: Formats
}

/** What the answers of one round allow. */
export type Verdict =
  | { readonly kind: 'adopt'; readonly roster: Roster; readonly from: PeerId }
  | { readonly kind: 'mint'; readonly members: ReadonlyMap<PeerId, FoundingMember> }
  | { readonly kind: 'wait' }

/** What a program speaks that does not say it. */
const FIRST_FORMAT: Formats = { oldest: 1, newest: 1 }

const STRANGER_REMEDY =
  'Start it again with the data folder it had. If that is lost, the peer has to be replaced in the roster before it may take part; ' +
  'if nothing in the cluster is to be kept, stop all peers, remove all data folders and start them again.'

/**
 * Judges the answers of one round; a peer that did not answer is not in `answers`. In this order: a roster that
 * names this store is adopted; any other founded cluster makes this peer a stranger; only when everybody on the same
 * list has answered "empty" may the lowest label mint. Throws FoundingError or StrangerError when waiting cannot help.
 */
export function judge(me: Founder, answers: ReadonlyMap<ListedPeer, Statement>): Verdict {
  for (const [peer, { id }] of answers) {
    if (id !== peer.id) {
      throw new FoundingError(
        `The list says that ${peer.url} is peer ${peer.id}, but peer ${id} answers there: correct --peers on all peers.`,
      )
    }
  }
  for (const answer of answers.values()) {
    if (answer.kind === 'founded' && names(answer.roster, me)) {
      return { kind: 'adopt', roster: answer.roster, from: answer.id }
    }
  }
  for (const [peer, answer] of answers) {
    if (answer.kind === 'founded') throw strangerTo(me, answer.roster, peer)
    const difference = planDifference(me.plan, answer.plan, `at ${peer.id}`)
    if (difference !== undefined) {
      throw new FoundingError(
        `Peers ${me.id} and ${peer.id} were told to found different clusters: ${difference}. Start all peers with the same --peers and --slots.`,
      )
    }
  }
  const others = me.plan.list.length - 1
  if (answers.size < others || me.plan.list[0]?.id !== me.id) return { kind: 'wait' }
  return {
    kind: 'mint',
    members: new Map<PeerId, FoundingMember>([
      [me.id, me],
      ...[...answers.values()].map(
        ({ id, uid, speaks = FIRST_FORMAT }) => [id, { uid, formats: speaks }] as const,
      ),
    ]),
  }
}

/**
 * The first version of the roster; the peers speak the newest format that all their programs know. Throws FoundingError
 * when two stores say the same uid, or when there is no such format.
 */
export function mintRoster(
  plan: FoundingPlan,
  clusterId: string,
  members: ReadonlyMap<PeerId, FoundingMember>,
): Roster {
  const peers = plan.list.map(({ id, url }, place) => {
    const { uid, formats } = members.get(id)!
    return { id, url, uid, number: place + 1, ...listedFormat(formats.newest) }
  })
  const { dimension, slots } = plan
  const format = listedFormat(commonFormat(peers))
  const roster: Roster = { version: 1, clusterId, dimension, slots, peers, ...format }
  const fault = rosterFault(roster, LIMITS)
  if (fault !== undefined) throw new FoundingError(`The cluster cannot be founded: ${fault}.`)
  for (const [id, { formats }] of members) {
    const unfit = formatFault(formats, roster)
    if (unfit !== undefined)
      throw new FoundingError(`The cluster cannot be founded with peer ${id}: ${unfit}`)
  }
  return roster
}

/** Whether a peer may found or be founded with what it was told. Throws FoundingError that says what to change. */
export function checkPlan(me: Founder, alone: boolean): void {
  const { dimension, slots, list } = me.plan
  if (list.length === 0) {
    throw new FoundingError(
      'The store is empty and no peers are given: give --peers with all founding peers, or --found to found a cluster of this peer alone.',
    )
  }
  const fault = cubeFault(dimension, slots, list, LIMITS)
  if (fault !== undefined) throw new FoundingError(`The cluster cannot be founded: ${fault}.`)
  if (!list.some(({ id }) => id === me.id)) {
    throw new FoundingError(`This peer is ${me.id}, which --peers does not name: add it, on all peers alike.`)
  }
  if (list.length === 1 && !alone) {
    throw new FoundingError(
      '--peers names this peer only: give it all founding peers, or say --found to found a cluster of one.',
    )
  }
  if (list.length > 1 && alone) {
    throw new FoundingError(
      '--found founds a cluster of this peer alone, but --peers names others: give one of the two.',
    )
  }
}

/**
 * Whether a peer may start from the roster on its disk. The roster counts, not the flags; but a list that contradicts
 * the founding roster is a mistake worth a stop. Throws StrangerError or FoundingError.
 */
export function checkStored(me: Founder, roster: Roster): void {
  const own = roster.peers.find(({ uid }) => uid === me.uid)
  if (own === undefined) {
    throw new StrangerError(
      `The roster in the data folder (cluster ${roster.clusterId}, version ${roster.version}) does not name this store (uid ${me.uid}): it has left or was evicted. Start it with --join <URL of a peer> instead of --peers: its store is set aside, and it comes back as a new peer.`,
    )
  }
  if (parseLabel(own.id) !== parseLabel(me.id)) {
    throw new FoundingError(
      `The data folder belongs to peer ${own.id} of cluster ${roster.clusterId}, but this peer was started as ${me.id}: correct --node-id or --data.`,
    )
  }
  // Later versions have moved on from the list; the founding one is exactly the list.
  if (roster.version > 1 || me.plan.list.length === 0) return
  // The number of slots has a default, so a difference may be nobody's wish; the roster's counts.
  // The own address may be another than at the founding: the peer tells the others of it when it runs.
  const list = me.plan.list.map(peer => (peer.id === own.id ? { ...peer, url: own.url } : peer))
  const here = { ...me.plan, list, slots: roster.slots }
  const difference = planDifference(here, planOf(roster), 'in the data folder')
  if (difference === undefined) return
  throw new FoundingError(
    `The list of peers contradicts the roster in the data folder (cluster ${roster.clusterId}): ${difference}. Correct --peers, or use another --data.`,
  )
}

/** Whether the roster names this peer's store under its label. Labels may have grown wider since. */
function names(roster: Roster, me: Founder): boolean {
  const own = roster.peers.find(({ uid }) => uid === me.uid)
  return own !== undefined && parseLabel(own.id) === parseLabel(me.id)
}

/** The error for a peer whose store a founded cluster does not know. */
function strangerTo(me: Founder, roster: Roster, teller: ListedPeer): Error {
  const said = `Peer ${teller.id} at ${teller.url} belongs to cluster ${roster.clusterId}`
  const elsewhere = roster.peers.find(({ uid }) => uid === me.uid)
  if (elsewhere !== undefined) {
    return new FoundingError(
      `${said}, which knows this store as peer ${elsewhere.id}, not as ${me.id}: correct --node-id or --data.`,
    )
  }
  const known = roster.peers.find(({ id }) => parseLabel(id) === parseLabel(me.id))
  if (known === undefined) {
    return new StrangerError(
      `${said}, which has no peer ${me.id}. Correct --peers if another cluster is meant; a cluster that runs takes in a new peer only when it joins.`,
    )
  }
  return new StrangerError(
    `${said}, which knows peer ${me.id} with another store (uid ${known.uid}); this one (uid ${me.uid}) is empty, so it was wiped or is not that peer’s. ${STRANGER_REMEDY}`,
    teller.url,
  )
}

function planOf(roster: Roster): FoundingPlan {
  return {
    dimension: roster.dimension,
    slots: roster.slots,
    list: roster.peers.map(({ id, url }) => ({ id, url })),
  }
}
