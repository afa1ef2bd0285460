import { LIMITS } from './limits.ts'

/** A list of peers' URLs and the one of them to ask next: always the same one until it fails. */
export class Peers {
  readonly urls: readonly string[]
  #at = 0

  /** @throws TypeError for an empty list, one that is too long, or what is no http(s) URL */
  constructor(urls: string | readonly string[]) {
    this.urls = [...new Set([urls].flat().map(normalise))]
    if (this.urls.length === 0) throw new TypeError('Give the URL of at least one peer.')
    if (this.urls.length > LIMITS.MAX_PEERS) throw new TypeError(`Give at most ${LIMITS.MAX_PEERS} peers.`)
  }

  /** The peer to ask. */
  get current(): string {
    return this.urls[this.#at]!
  }

  /** `url` did not serve: the one after it is next. Ignored when that is settled already. */
  failed(url: string): void {
    if (url === this.current) this.#at = (this.#at + 1) % this.urls.length
  }
}

function normalise(text: string): string {
  const url = new URL(text)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new TypeError(`A peer's URL starts with http:// or https://, unlike ${text}.`)
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`
}
