import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import type { LightMyRequestResponse } from 'fastify'

interface Response {
  readonly content?: Readonly<Record<string, unknown>>
}

/** openapi.yaml as far as the tests look at it. */
export interface Contract {
  readonly paths: Readonly<
    Record<string, Readonly<Record<string, { readonly responses: Readonly<Record<string, Response>> }>>>
  >
  readonly components: { readonly schemas: Readonly<Record<string, object>> }
}

/** Holds answers against the contract, and remembers which operations it has seen. */
export class ContractChecker {
  readonly #contract: Contract
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true })
  /** `<method> <path> <status>` of every answer that was checked. */
  readonly seen = new Set<string>()

  constructor(contract: Contract) {
    this.#contract = contract
    ;(addFormats as unknown as typeof addFormats.default)(this.#ajv)
    this.#ajv.addSchema({ ...contract, $id: 'contract' })
  }

  /** What in this answer is not as the contract says; undefined when all is. */
  fault(method: string, url: string, answer: LightMyRequestResponse): string | undefined {
    const path = this.#pathOf(url)
    const operation = path && this.#contract.paths[path]?.[method.toLowerCase()]
    if (!path || !operation) return `${method} ${url} is not in the contract`
    const status = String(answer.statusCode)
    const response = operation.responses[status]
    const where = `${method} ${path} ${status}`
    if (!response) return `${where} is not in the contract: ${answer.body}`
    this.seen.add(where)
    if (!response.content) return answer.body === '' ? undefined : `${where} has a body`
    const type = String(answer.headers['content-type']).split(';', 1)[0]!
    if (!response.content[type]) return `${where} is ${type}`
    if (!type.endsWith('json') || type.includes('ndjson')) return undefined
    const pointer = ['paths', path, method.toLowerCase(), 'responses', status, 'content', type, 'schema']
    const escaped = pointer.map(part => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1')))
    const check = this.#ajv.compile({ $ref: `contract#/${escaped.join('/')}` })
    return check(answer.json()) ? undefined : `${where}: ${this.#ajv.errorsText(check.errors)}`
  }

  #pathOf(url: string): string | undefined {
    const [bare = ''] = url.split('?', 1)
    const parts = bare.split('/')
    return Object.keys(this.#contract.paths).find(path => {
      const pattern = path.split('/')
      return (
        pattern.length === parts.length &&
        pattern.every((one, at) => one.startsWith('{') || one === parts[at])
      )
    })
  }
}
