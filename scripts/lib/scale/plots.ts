import { FORMULAS } from './formulas.ts'
import type { Figures } from './measure.ts'
import { plot, type Series } from './plot.ts'

const X_LABEL = 'peers'

/** The plots of docs/SCALE.md, by file name. */
export function plots(all: readonly Figures[]): ReadonlyMap<string, string> {
  const measured = (name: string, y: (figures: Figures) => number): Series => ({
    name,
    kind: 'measured',
    points: all.map(figures => ({ x: figures.peers, y: y(figures) })),
  })
  const formula = (name: string, y: (figures: Figures) => number): Series => ({
    ...measured(name, y),
    kind: 'formula',
  })
  const allowed = (what: string): Series => {
    const { formula: text, allowed: y } = FORMULAS.find(one => one.what === what)!
    return formula(text, y)
  }
  const linear = (title: string, yLabel: string, series: readonly Series[]) =>
    plot({ title, xLabel: X_LABEL, yLabel, yScale: 'linear', series })
  const log = (title: string, yLabel: string, series: readonly Series[]) =>
    plot({ title, xLabel: X_LABEL, yLabel, yScale: 'log', series })
  return new Map([
    [
      'links.svg',
      linear('Links and heartbeat partners of a peer', 'peers', [
        measured('links, mean', ({ placing }) => placing.links.mean),
        measured('links, most', ({ placing }) => placing.links.most),
        measured('partners, mean', ({ rest }) => rest.partners.mean),
        allowed('links of a peer, most'),
      ]),
    ],
    [
      'hops.svg',
      linear('Hops of a request', 'hops', [
        measured('healthy, mean', ({ hops }) => hops.mean),
        measured('healthy, most', ({ hops }) => hops.most),
        measured('10 % dead, mean', ({ losses }) => losses.hops.mean),
        measured('10 % dead, most', ({ losses }) => losses.hops.most),
        formula('d/2 · N/(N − 1)', ({ dimension, peers }) => ((dimension / 2) * peers) / (peers - 1)),
        allowed('hops of a request, most'),
      ]),
    ],
    [
      'heartbeats.svg',
      linear('Heartbeats of a peer at rest', 'exchanges per second', [
        measured('mean', ({ rest }) => rest.exchangesPerS.mean),
        measured('most', ({ rest }) => rest.exchangesPerS.most),
        allowed('heartbeats of a peer per second, mean'),
      ]),
    ],
    [
      'events.svg',
      log('Messages for one event to subscribers on every peer', 'messages', [
        measured('to other peers', ({ events }) => events.followed),
        measured('among replicas', ({ events }) => events.raft),
        measured('to the primary and back', ({ events }) => events.publish),
        formula('N − R', ({ peers }) => peers - 3),
        allowed('an event: among its replicas'),
        formula('d', ({ dimension }) => dimension),
      ]),
    ],
    [
      'moves.svg',
      log('Share that moves when the last peer joins, with a slot for every corner', 'share', [
        measured('homes', one => (one.roomy ?? one.placing).joined.homes),
        measured('replicas', one => (one.roomy ?? one.placing).joined.replicas),
        formula('1/N', ({ peers }) => 1 / peers),
      ]),
    ],
    [
      'spread.svg',
      log('Slots of a peer, with a slot for every corner', 'slots', [
        measured('home to, least', one => (one.roomy ?? one.placing).homes.least),
        measured('home to, most', one => (one.roomy ?? one.placing).homes.most),
        measured('replicas, least', one => (one.roomy ?? one.placing).replicas.least),
        measured('replicas, most', one => (one.roomy ?? one.placing).replicas.most),
        formula('S/N', one => (one.roomy ?? one.placing).slots / one.peers),
        formula('RS/N', one => (3 * (one.roomy ?? one.placing).slots) / one.peers),
      ]),
    ],
    [
      'failover.svg',
      log('From the loss of a primary to the acknowledgement of a publish', 'virtual ms', [
        measured('killed, mean', ({ failover }) => failover.killed.mean),
        measured('killed, most', ({ failover }) => failover.killed.most),
        measured('silent, mean', ({ failover }) => failover.silent.mean),
        measured('silent, most', ({ failover }) => failover.silent.most),
      ]),
    ],
  ])
}
