const ONE = '*'
const ANY = '**'

/** What patterns that begin with the same segments have in common. */
class Node {
  /** Undefined until there are some: most patterns end alone. */
  children: Map<string, Node> | undefined
  /** Stands for any number of segments. */
  readonly isAny: boolean
  /** The pattern that ends here. */
  pattern: string | undefined

  constructor(isAny: boolean) {
    this.isAny = isAny
  }
}

/**
 * Patterns, and which of them match a topic's name, as `matchesWant` has it. What a name costs depends on its segments and
 * on the patterns that begin like it, not on how many others there are.
 */
export class PatternTree {
  readonly #root = new Node(false)

  add(pattern: string): void {
    let node = this.#root
    for (const segment of pattern.split('/')) {
      node.children ??= new Map()
      const next: Node = node.children.get(segment) ?? new Node(segment === ANY)
      node.children.set(segment, next)
      node = next
    }
    node.pattern = pattern
  }

  /** One that is not there changes nothing. */
  delete(pattern: string): void {
    const way: [Node, string][] = []
    let node = this.#root
    for (const segment of pattern.split('/')) {
      const next = node.children?.get(segment)
      if (next === undefined) return
      way.push([node, segment])
      node = next
    }
    node.pattern = undefined
    for (const [parent, segment] of way.reverse()) {
      const child = parent.children!.get(segment)!
      if (child.pattern !== undefined || (child.children?.size ?? 0) > 0) return
      parent.children!.delete(segment)
    }
  }

  /** The patterns that match, in no order. */
  matching(topic: string): string[] {
    const isOfSystem = topic.startsWith('$')
    let nodes = new Set([this.#root])
    if (!isOfSystem) enter(this.#root, nodes)
    for (const [at, segment] of topic.split('/').entries()) {
      const next = new Set<Node>()
      for (const node of nodes) {
        if (node.isAny) next.add(node)
        enter(node.children?.get(segment), next)
        // Only a pattern that begins with `$` matches the system's topics.
        if (at > 0 || !isOfSystem) enter(node.children?.get(ONE), next)
      }
      if (next.size === 0) return []
      nodes = next
    }
    return [...nodes].map(({ pattern }) => pattern).filter(pattern => pattern !== undefined)
  }
}

/** Comes to a node, and with it to what stands behind it for no segment at all. */
function enter(node: Node | undefined, nodes: Set<Node>): void {
  for (let next = node; next !== undefined; next = next.children?.get(ANY)) nodes.add(next)
}
