const ESCAPE = '%[0-9A-Fa-f]{2}'
const PLAIN = "A-Za-z0-9\\-._~!$&'()*+,;="
const PCHAR = `(?:[${PLAIN}:@]|${ESCAPE})`
const USER = `(?:[${PLAIN}:]|${ESCAPE})*@`
const NAME = `(?:[${PLAIN}]|${ESCAPE})*`
const LITERAL = `\\[(?:([0-9A-Fa-f:.]+)|v[0-9A-Fa-f]+\\.[${PLAIN}:]+)\\]`
const AUTHORITY = `//(?:${USER})?(?:${LITERAL}|${NAME})(?::\\d*)?(?:/${PCHAR}*)*`
const TAIL = `(?:\\?(?:${PCHAR}|[/?])*)?(?:#(?:${PCHAR}|[/?])*)?`
const ABSOLUTE_PATH = `/(?:${PCHAR}+(?:/${PCHAR}*)*)?`
const URI = new RegExp(
  `^[A-Za-z][A-Za-z0-9+\\-.]*:(?:${AUTHORITY}|${ABSOLUTE_PATH}|(?:${PCHAR}+(?:/${PCHAR}*)*)?)${TAIL}$`,
)
const SEGMENT = `(?:[${PLAIN}@]|${ESCAPE})+`
const RELATIVE = new RegExp(`^(?:${AUTHORITY}|${ABSOLUTE_PATH}|(?:${SEGMENT}(?:/${PCHAR}*)*)?)${TAIL}$`)

/** True for a URI with a scheme, with or without a fragment (RFC 3986, section 3). */
export function isUri(text: string): boolean {
  return matches(URI, text)
}

/** True for a URI or a reference relative to one (RFC 3986, section 4.1). */
export function isUriReference(text: string): boolean {
  return matches(URI, text) || matches(RELATIVE, text)
}

/** `text` as it is where it is a URI-reference, else with what may not stand in one percent-encoded. */
export function asUriReference(text: string): string {
  if (isUriReference(text)) return text
  const wellFormed = text.toWellFormed()
  const encoded = encodeURI(wellFormed)
  return isUriReference(encoded) ? encoded : encodeURIComponent(wellFormed)
}

function matches(pattern: RegExp, text: string): boolean {
  const match = pattern.exec(text)
  return match !== null && (match[1] === undefined || isIpv6(match[1]))
}

/** RFC 4291, section 2.2: eight groups, or fewer around one `::`, the last two perhaps as IPv4. */
function isIpv6(text: string): boolean {
  const halves = text.split('::')
  if (halves.length > 2) return false
  let groups = 0
  for (const [at, half] of halves.entries()) {
    const parts = half === '' ? [] : half.split(':')
    for (const [place, part] of parts.entries()) {
      const isLast = at === halves.length - 1 && place === parts.length - 1
      if (isLast && isIpv4(part)) groups += 2
      else if (/^[0-9A-Fa-f]{1,4}$/.test(part)) groups += 1
      else return false
    }
  }
  return halves.length === 2 ? groups < 8 : groups === 8
}

function isIpv4(text: string): boolean {
  const parts = text.split('.')
  return parts.length === 4 && parts.every(part => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256)
}
