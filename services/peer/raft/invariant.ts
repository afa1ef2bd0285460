/** What the node throws when it finds something that Raft rules out: the peer must stop, loudly (DESIGN 11). */
export class InvariantBroken extends Error {
  constructor(what: string) {
    super(`raft invariant broken: ${what}`)
    this.name = 'InvariantBroken'
  }
}

/** Throws {@link InvariantBroken} unless `holds`. Stays on in production. */
export function invariant(holds: boolean, what: string): asserts holds {
  if (!holds) throw new InvariantBroken(what)
}
