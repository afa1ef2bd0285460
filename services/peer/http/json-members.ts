/*
 * Cuts JSON apart without changing it: numbers, white space and the order of members stay as they were written.
 * `membersOf` and `itemsOf` take text that JSON.parse has taken as a whole. Each character is looked at once.
 */
const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const [OPEN_OBJECT, CLOSE_OBJECT] = [0x7b, 0x7d]
const [OPEN_LIST, CLOSE_LIST] = [0x5b, 0x5d]

/** The members of the object `text` as names and the JSON of their values, in order; undefined when it is no object. */
export function membersOf(text: string): Iterable<readonly [name: string, json: string]> | undefined {
  const start = skipSpace(text, 0)
  return text.charCodeAt(start) === OPEN_OBJECT ? members(text, start + 1) : undefined
}

/** The JSON of each item of the list `text`; undefined when it is no list. */
export function itemsOf(text: string): Iterable<string> | undefined {
  const start = skipSpace(text, 0)
  return text.charCodeAt(start) === OPEN_LIST ? items(text, start + 1) : undefined
}

/** True when `text`, which need not be JSON, nests objects and lists in more than `levels` levels. */
export function isDeeperThan(text: string, levels: number): boolean {
  let depth = 0
  for (let at = 0; at < text.length; ) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) {
      at = endOfString(text, at)
      continue
    }
    if (code === OPEN_OBJECT || code === OPEN_LIST) depth += 1
    else if (code === CLOSE_OBJECT || code === CLOSE_LIST) depth -= 1
    if (depth > levels) return true
    at += 1
  }
  return false
}

function* members(text: string, start: number): Generator<readonly [string, string]> {
  for (let at = skipSpace(text, start); text.charCodeAt(at) !== CLOSE_OBJECT; ) {
    const nameEnd = endOfString(text, at)
    const name = JSON.parse(text.slice(at, nameEnd)) as string
    // Behind the name come white space, a colon and white space.
    const valueAt = skipSpace(text, skipSpace(text, nameEnd) + 1)
    const end = endOfValue(text, valueAt)
    yield [name, text.slice(valueAt, end)]
    at = skipComma(text, end)
  }
}

function* items(text: string, start: number): Generator<string> {
  for (let at = skipSpace(text, start); text.charCodeAt(at) !== CLOSE_LIST; ) {
    const end = endOfValue(text, at)
    yield text.slice(at, end)
    at = skipComma(text, end)
  }
}

function skipComma(text: string, start: number): number {
  const at = skipSpace(text, start)
  return text.charCodeAt(at) === COMMA ? skipSpace(text, at + 1) : at
}

function skipSpace(text: string, start: number): number {
  let at = start
  while (isSpace(text.charCodeAt(at))) at += 1
  return at
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09
}

/** Where the string that begins at `start` is over. */
function endOfString(text: string, start: number): number {
  let at = start + 1
  while (at < text.length) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) return at + 1
    at += code === BACKSLASH ? 2 : 1
  }
  return text.length
}

function endOfValue(text: string, start: number): number {
  let depth = 0
  let at = start
  while (at < text.length) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) at = endOfString(text, at)
    else if (code === OPEN_OBJECT || code === OPEN_LIST) {
      depth += 1
      at += 1
    } else if (code === CLOSE_OBJECT || code === CLOSE_LIST) {
      depth -= 1
      at += 1
    } else if (depth === 0) return endOfScalar(text, at)
    else at += 1
    if (depth === 0) return at
  }
  return text.length
}

/** Where a number or a literal is over. */
function endOfScalar(text: string, start: number): number {
  let at = start
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === COMMA || code === CLOSE_OBJECT || code === CLOSE_LIST || isSpace(code)) break
  }
  return at
}
