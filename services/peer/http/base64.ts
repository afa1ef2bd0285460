/** Bytes of padded base64 (RFC 4648, section 4); undefined for anything else. Takes time in proportion to its length. */
export function decodeBase64(text: string): Buffer | undefined {
  if (text.length % 4 !== 0) return undefined
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0
  if (/[^A-Za-z0-9+/]/.test(text.slice(0, text.length - padding))) return undefined
  return Buffer.from(text, 'base64')
}
