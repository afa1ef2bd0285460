import { LIMITS } from '../../../services/peer/limits.ts'
import type { Configuration } from '../../../services/peer/raft/types.ts'
import type { Member } from '../member.ts'
import { isQuorum } from './voters.ts'

/** Between two looks. */
export const LOOK_MS = 250
/** A primary that a majority did not answer for an election timeout steps down; clocks may run slow, answers late. */
const LOOKS_WITHOUT_QUORUM = 16
/** Beats and ticks until a primary has noticed that its clock is wrong, with time to spare. */
const LOOKS_WITH_WRONG_CLOCK = 8
/** How much further than the bound a clock must be off: what a primary knows of the others' is old by a beat. */
const SKEW_MARGIN_MS = 1_000

/** What one life of a peer has done without the right to; counted in looks in which it ran. */
interface Watched {
  looks: number
  /** Look at which another peer was last heard, by uid. */
  readonly heard: Map<string, number>
  /** Looks in a row at which its clock was wrong and it could know, by slot. */
  readonly wrong: Map<number, number>
  /** Since which look it leads a slot as it does now: another configuration asks for other voters' answers. */
  readonly leads: Map<
    number,
    { readonly term: number; readonly by: Configuration; readonly sinceLook: number }
  >
}

export interface AuthorityOptions {
  readonly members: ReadonlyMap<string, Member>
  /** Who the other means by a label. */
  readonly known: (member: Member, id: string) => Member | undefined
  readonly violation: (what: string) => void
}

/** Who may act as a primary: only one that hears a majority (check-quorum), and whose clock is near the others'. */
export class Authority {
  readonly #options: AuthorityOptions
  readonly #watched = new WeakMap<Member['life'], Watched>()

  constructor(options: AuthorityOptions) {
    this.#options = options
  }

  heard({ life }: Member, from: Member): void {
    const watched = this.#of(life)
    watched.heard.set(from.uid, watched.looks)
  }

  /** Looks at all members that run; those that are stopped do nothing. */
  look(): void {
    for (const member of this.#options.members.values()) {
      if (!member.isUp || member.life.isPaused) continue
      const watched = this.#of(member.life)
      watched.looks++
      for (const slot of member.engine.held) {
        if (member.engine.status(slot).primary === member.id) this.#judge(member, slot, watched)
        else {
          watched.wrong.delete(slot)
          watched.leads.delete(slot)
        }
      }
    }
  }

  /** A primary stamped a command. */
  stamped(member: Member, slot: number): void {
    const { name, life, engine } = member
    if ((this.#of(life).wrong.get(slot) ?? 0) < LOOKS_WITH_WRONG_CLOCK) return
    // Since the last look it may have lost one of the others from sight: with two clocks it cannot know.
    if (!this.#isWrong(member, engine.status(slot).replicas)) return
    this.#options.violation(`a wrong clock stamps nothing: ${name} stamped a command of slot ${slot}`)
  }

  #judge(member: Member, slot: number, { looks, heard, wrong, leads }: Watched): void {
    const { replicas, raft } = member.engine.status(slot)
    const answers = (uid: string) =>
      uid === member.uid || looks - (heard.get(uid) ?? 0) < LOOKS_WITHOUT_QUORUM
    const known = leads.get(slot)
    const { term, configuration: by } = raft
    const now = known?.term === term && known.by === by ? known : { term, by, sinceLook: looks }
    leads.set(slot, now)
    if (looks - now.sinceLook >= LOOKS_WITHOUT_QUORUM && !isQuorum(by, answers)) {
      this.#options.violation(`who hears no quorum does not lead: ${member.name} leads slot ${slot}`)
    }
    if (this.#isWrong(member, replicas)) wrong.set(slot, (wrong.get(slot) ?? 0) + 1)
    else wrong.delete(slot)
  }

  /** Its clock is beyond the bound from the median's of its voters, all of which it believes up. */
  #isWrong(member: Member, replicas: readonly string[]): boolean {
    const { known } = this.#options
    const others = replicas.filter(id => id !== member.id)
    if (replicas.length < 3 || others.some(id => member.engine.peerState(id) !== 'up')) return false
    const voters = replicas.flatMap(id => (id === member.id ? member : (known(member, id) ?? [])))
    const clocks = voters.map(({ clock }) => clock.wallMs()).sort((a, b) => a - b)
    const median = clocks[Math.floor((clocks.length - 1) / 2)]!
    const allowedMs = LIMITS.MAX_CLOCK_SKEW_MS + SKEW_MARGIN_MS
    return Math.abs(member.clock.wallMs() - median) > allowedMs
  }

  #of(life: Member['life']): Watched {
    let watched = this.#watched.get(life)
    if (watched === undefined) {
      watched = { looks: 0, heard: new Map(), wrong: new Map(), leads: new Map() }
      this.#watched.set(life, watched)
    }
    return watched
  }
}
