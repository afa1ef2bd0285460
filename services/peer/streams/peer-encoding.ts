import { encodeFollowFrame } from '../links/follow-wire.ts'
import type { Encoding } from './frames.ts'

const NOTHING = Buffer.alloc(0)
const ENDED = encodeFollowFrame({ kind: 'ended' })

/** The stream to a peer that follows a topic here: the same stream as a browser's, in frames of links/follow-wire. */
export const peerEncoding: Encoding = {
  name: 'peer',
  event: event => encodeFollowFrame({ kind: 'event', event }),
  opening: () => NOTHING,
  position: ({ incarnation, earliest, latest }) =>
    encodeFollowFrame({ kind: 'state', incarnation, earliest, latest }),
  gap: (_incarnation, from, to) => encodeFollowFrame({ kind: 'gap', from, to }),
  end: () => ENDED,
  heartbeat: view =>
    view === undefined
      ? NOTHING
      : encodeFollowFrame({ kind: 'mark', earliest: view.earliest, latest: view.latest, led: view.led }),
}
