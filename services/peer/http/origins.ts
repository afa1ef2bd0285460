import type { Roster } from '../cube/roster.ts'

const LOOPBACK = ['127.0.0.1', 'localhost', '[::1]'] as const

/**
 * True when pages of `origin` may write here: those on the list (`*` is all) and those of this cube's peers, where
 * all names of loopback are one. The request's Host proves nothing: a foreign name can be made to resolve to this
 * machine (DNS rebinding).
 * @param origin the header Origin; the opaque origin `null` is allowed only by `*`
 */
export function mayWrite(origin: string, allowed: readonly string[], roster: Roster | null): boolean {
  if (allowed.includes('*') || allowed.includes(origin)) return true
  return roster?.peers.some(({ url }) => originsOf(url).includes(origin)) ?? false
}

function originsOf(url: string): string[] {
  if (!URL.canParse(url)) return []
  const { origin, hostname, protocol, port } = new URL(url)
  if (!(LOOPBACK as readonly string[]).includes(hostname)) return [origin]
  const suffix = port === '' ? '' : `:${port}`
  return LOOPBACK.map(name => `${protocol}//${name}${suffix}`)
}
