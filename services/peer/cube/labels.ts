/** A peer's id: the binary label of its corner, as wide as the dimension, e.g. `011`. */
export type PeerId = string

/**
 * What is wrong with `id` as a label of the given width, as a text that says what to do; undefined when it is one.
 * Takes anything, since labels come from command lines and from the network.
 */
export function labelFault(id: unknown, dimension: number): string | undefined {
  if (typeof id !== 'string') return 'a peer id must be a string of binary digits such as 011'
  if (!/^[01]+$/.test(id)) {
    return `peer id ${JSON.stringify(id.slice(0, 40))} must be written in binary digits, for example ${formatLabel(0, Math.max(1, dimension))}`
  }
  if (id.length !== dimension) {
    return `peer id ${id.slice(0, 40)} has ${id.length} digits where the cube's dimension is ${dimension}: write every id with ${dimension} digits`
  }
  return undefined
}

/**
 * What is wrong with `id` as the id of a peer in a cube of that dimension; undefined when it is one. An id is given
 * once and never rewritten, so it may be narrower than a cube that has grown since: 101 is the corner 0101.
 */
export function idFault(id: unknown, dimension: number): string | undefined {
  if (typeof id !== 'string' || id.length <= dimension) {
    return labelFault(id, typeof id === 'string' ? id.length : dimension)
  }
  return (
    labelFault(id, id.length) ??
    `peer id ${id.slice(0, 40)} has ${id.length} digits where the cube's dimension is ${dimension}: use at most ${dimension}`
  )
}

/** The corner a label names, as a number: bit i is dimension i. Throws RangeError for what is no label. */
export function parseLabel(id: PeerId): number {
  const fault = labelFault(id, id.length)
  if (fault !== undefined) throw new RangeError(fault)
  return Number.parseInt(id, 2)
}

/** The label of corner `corner`, `dimension` digits wide. Throws RangeError for a corner the cube does not have. */
export function formatLabel(corner: number, dimension: number): PeerId {
  if (!Number.isInteger(corner) || corner < 0 || corner >= 2 ** dimension) {
    throw new RangeError(`corner ${corner} is not in a cube of dimension ${dimension}`)
  }
  return corner.toString(2).padStart(dimension, '0')
}

/** The same corner in a cube grown to `dimension`: 101 becomes 0101. Throws RangeError when it would have to shrink. */
export function growLabel(id: PeerId, dimension: number): PeerId {
  if (id.length > dimension) throw new RangeError(`label ${id} is wider than dimension ${dimension}`)
  return formatLabel(parseLabel(id), dimension)
}

/** An id as it is shown in a cube of `dimension`: padded to it; one that is wider already stays as it is. */
export function displayId(id: PeerId, dimension: number): PeerId {
  return id.padStart(dimension, '0')
}

/** The smallest dimension with room for `count` peers, at least 1 so that every peer has a label. */
export function dimensionFor(count: number): number {
  let dimension = 1
  while (2 ** dimension < count) dimension += 1
  return dimension
}
