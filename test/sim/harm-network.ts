import type { FaultKind, Harm } from './harm.ts'
import type { Member } from './member.ts'
import { FAIR, type Weather } from './network.ts'

/** Bad weather in one respect, for all links. Its effects are counted message by message. */
function weather(respect: keyof Weather, worst: readonly number[]): FaultKind {
  return {
    counted: undefined,
    meanMs: [3_000, 15_000],
    strike: harm => {
      const { network } = harm.cluster
      const value = harm.chance.pick(worst) * harm.chance.between(0.1, 1)
      const begin = () => {
        harm.say('faults', `${respect} is ${value.toFixed(3)}`)
        network.weather[respect] = value
      }
      return harm.window(respect, 500, 5_000, begin, () => {
        harm.say('faults', `${respect} is as it should be`)
        network.weather[respect] = FAIR[respect]
      })
    },
  }
}

/** Cuts every link from one peer to another that `affects` picks. */
export function cut(
  harm: Harm,
  affects: (from: string, to: string) => boolean,
  [lowMs, highMs]: readonly [number, number] = [300, 6_000],
): boolean {
  const { network, members } = harm.cluster
  const links: string[] = []
  for (const from of members.keys()) {
    for (const to of members.keys()) if (from !== to && affects(from, to)) links.push(`${from}>${to}`)
  }
  if (links.length === 0) return false
  harm.say('faults', `cut ${links.join(' ')}`)
  network.cut(links)
  harm.later(lowMs, highMs, () => {
    harm.say('faults', `mend ${links.join(' ')}`)
    network.mend(links)
  })
  return true
}

/** Deals the peers out to two sides. */
function sides(harm: Harm, members: readonly string[]): (id: string) => boolean | undefined {
  const side = new Map(members.map(id => [id, harm.chance.yes(0.5)]))
  return id => side.get(id)
}

/** One peer is heard and hears nothing, or the other way round. */
function deafen(harm: Harm): boolean {
  const { host } = harm.anyone()
  const isDeaf = harm.chance.yes(0.5)
  return cut(harm, (from, to) => (isDeaf ? to : from) === host)
}

function cutPair(harm: Harm, isBothWays: boolean): boolean {
  const [one, other] = harm.pair()
  return cut(
    harm,
    (from, to) =>
      (from === one.host && to === other.host) || (isBothWays && from === other.host && to === one.host),
  )
}

function isolate(harm: Harm): boolean {
  const { host } = harm.anyone()
  return cut(harm, (from, to) => from === host || to === host)
}

/** Two groups that do not hear each other. */
function partition(harm: Harm): boolean {
  const side = sides(harm, [...harm.cluster.members.keys()])
  return cut(harm, (from, to) => side(from) !== side(to))
}

/** Two groups that hear each other's words only through one peer, which hears both. */
function bridge(harm: Harm): boolean {
  const [middle, ...rest] = [harm.anyone().host, ...harm.cluster.members.keys()]
  const outer = rest.filter(id => id !== middle)
  const side = sides(harm, outer)
  return cut(harm, (from, to) => from !== middle && to !== middle && side(from) !== side(to))
}

/** Some pairs cannot talk, everybody else can. */
function partial(harm: Harm): boolean {
  const cutOff = new Set<string>()
  const ids = [...harm.cluster.members.keys()]
  for (const one of ids)
    for (const other of ids) if (one < other && harm.chance.yes(0.4)) cutOff.add(one + other)
  return cut(harm, (from, to) => cutOff.has(from < to ? from + to : to + from))
}

/** Bytes on a link, one way or both, wait and arrive all at once when it is free again. */
function clog(harm: Harm): boolean {
  const { network } = harm.cluster
  const [one, other] = harm.pair()
  const links = [`${one.host}>${other.host}`]
  if (harm.chance.yes(0.5)) links.push(`${other.host}>${one.host}`)
  let fired = false
  for (const link of links) {
    const begin = () => {
      harm.say('faults', `clog ${link}`)
      network.clog(link)
    }
    const end = () => {
      harm.say('faults', `unclog ${link}`)
      network.unclog(link)
    }
    fired = harm.window(`clog ${link}`, 300, 5_000, begin, end) || fired
  }
  return fired
}

/** A connection closes for no reason. */
function closeConnection(harm: Harm): boolean {
  const [one, other] = harm.pair()
  if (!one.isUp) return false
  one.life.run(() => one.engine.connectionClosed(other.id))
  return true
}

/**
 * A transfer of leadership that was given up arrives after all: the message that ends one, from the primary of the
 * term, at a replica that may no longer be level and whose primary goes on.
 */
function lateTransfer(harm: Harm): boolean {
  const { cluster, chance } = harm
  const slot = chance.pick(cluster.slots)
  const holders = cluster.replicas(slot)
  const live = holders.filter(({ isUp, life, engine }) => isUp && !life.isPaused && engine.holds(slot))
  const primary = live.find(({ engine }) => engine.status(slot).raft.role === 'leader')
  const heir = chance.pick(holders)
  if (!primary || heir === primary) return false
  const number = (of: Member) => cluster.roster.peers.find(({ uid }) => uid === of.uid)!.number
  const { term } = primary.engine.status(slot).raft
  const message = { type: 'timeoutNow', from: number(primary), to: number(heir), term } as const
  harm.say(primary.name, `hands slot ${slot} to ${heir.name}, out of turn`)
  cluster.transports.of(primary).send(heir.id, [{ slot, message }])
  // A primary that is deaf from now on does not learn that another one leads.
  if (chance.yes(0.5)) cut(harm, (_from, to) => to === primary.host)
  return true
}

export const NETWORK_FAULTS: readonly FaultKind[] = [
  weather('loss', [0.02, 0.3]),
  weather('doubling', [0.2]),
  weather('reorder', [0.1, 0.5]),
  weather('maxDelayMs', [100, 700]),
  { counted: 'one-way cut', meanMs: [4_000, 20_000], strike: harm => cutPair(harm, false) },
  { counted: 'two-way cut', meanMs: [4_000, 20_000], strike: harm => cutPair(harm, true) },
  { counted: 'deaf or mute peer', meanMs: [5_000, 25_000], strike: deafen },
  { counted: 'isolated peer', meanMs: [5_000, 25_000], strike: isolate },
  { counted: 'partition', meanMs: [5_000, 25_000], strike: partition },
  { counted: 'bridge partition', meanMs: [5_000, 25_000], strike: bridge },
  { counted: 'partial partition', meanMs: [5_000, 25_000], strike: partial },
  { counted: 'clogged link', meanMs: [3_000, 20_000], strike: clog },
  { counted: 'closed connection', meanMs: [2_000, 20_000], strike: closeConnection },
  { counted: 'late transfer', meanMs: [2_000, 20_000], strike: lateTransfer },
]
