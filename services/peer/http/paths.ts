/** Which methods each path takes, gathered while the routes are added, to answer 405 with an Allow header. */
export class PathTable {
  readonly #methods = new Map<string, Set<string>>()

  /** Adds a route, its path written as Fastify does, such as `/v1/topics/:topic`. */
  add(path: string, methods: readonly string[]): void {
    const known = this.#methods.get(path) ?? new Set<string>()
    for (const method of methods) known.add(method)
    this.#methods.set(path, known)
  }

  /** Every path with its methods. */
  routes(): [path: string, methods: string[]][] {
    return [...this.#methods].map(([path, methods]) => [path, [...methods]])
  }

  /** Methods that the path of `url` takes, sorted; none when nothing is there. */
  allowed(url: string): string[] {
    const [path = ''] = url.split(/[?#]/, 1)
    const segments = path.split('/')
    const methods = new Set<string>()
    for (const [pattern, some] of this.#methods) {
      if (matches(pattern.split('/'), segments)) for (const method of some) methods.add(method)
    }
    return [...methods].sort()
  }
}

function matches(pattern: readonly string[], segments: readonly string[]): boolean {
  if (pattern.length !== segments.length) return false
  return pattern.every((part, at) => {
    const segment = segments[at] ?? ''
    return part.startsWith(':') ? segment !== '' : part === segment
  })
}
