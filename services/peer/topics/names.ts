/** Longest topic name, in bytes of UTF-8 (DESIGN 10). */
const MAX_NAME_BYTES = 255

/** Who gives the name: a leading `$` is the system's. */
export type NameOwner = 'client' | 'system'

/**
 * Bytes of `text` in UTF-8.
 * @returns undefined when it holds a lone surrogate and so has no UTF-8 form (RFC 3629, section 3)
 */
export function utf8LengthBytes(text: string): number | undefined {
  let lengthBytes = 0
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit < 0x80) lengthBytes += 1
    else if (unit < 0x800) lengthBytes += 2
    else if (unit < 0xd800 || unit > 0xdfff) lengthBytes += 3
    else {
      const next = text.charCodeAt(at + 1)
      if (unit > 0xdbff || !(next >= 0xdc00 && next <= 0xdfff)) return undefined
      lengthBytes += 4
      at++
    }
  }
  return lengthBytes
}

/** True when `text` holds a control character: Unicode's category Cc, that is C0, DEL and C1. */
function hasControlCharacter(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit < 0x20 || (unit >= 0x7f && unit <= 0x9f)) return true
  }
  return false
}

/**
 * What is wrong with `name` as a topic's name: 1 to 255 bytes of UTF-8 without control characters and `*`,
 * not `.` or `..`, and from clients not with a leading `$`.
 * @returns a phrase that completes "the name …", or undefined for a good name
 */
export function topicNameProblem(name: string, owner: NameOwner = 'client'): string | undefined {
  if (name.length === 0) return 'is empty'
  // A name's bytes are never fewer than its code units, so that a huge one costs nothing.
  if (name.length > MAX_NAME_BYTES) return `is longer than ${MAX_NAME_BYTES} bytes`
  const lengthBytes = utf8LengthBytes(name)
  if (lengthBytes === undefined) return 'is not valid Unicode'
  if (lengthBytes > MAX_NAME_BYTES) return `is longer than ${MAX_NAME_BYTES} bytes`
  if (hasControlCharacter(name)) return 'holds a control character'
  if (name === '.' || name === '..') return 'is "." or "..", which a URL cannot carry'
  if (name.includes('*')) return 'holds "*", which stands for itself only in patterns'
  if (owner === 'client' && name.startsWith('$')) return 'starts with "$", which is the system’s'
  return undefined
}

/** True when `name` can be a topic of `owner`. */
export function isTopicName(name: string, owner: NameOwner = 'client'): boolean {
  return topicNameProblem(name, owner) === undefined
}
