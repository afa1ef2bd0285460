import { Validator } from '@seriousme/openapi-schema-validator'

interface Response {
  readonly description?: string
  readonly content?: Readonly<Record<string, unknown>>
}

interface Operation {
  readonly operationId?: string
  readonly summary?: string
  readonly tags?: readonly string[]
  readonly parameters?: readonly { readonly name: string; readonly description?: string }[]
  readonly responses?: Readonly<Record<string, Response>>
}

interface Document {
  readonly tags: readonly { readonly name: string }[]
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
}

/**
 * What is wrong with the contract: against OpenAPI's own schema, and by the house's rules: every operation has a
 * unique operationId, a summary, tags that are declared, described parameters and responses, and says with a problem
 * document what a client can do wrong.
 * @param document openapi.yaml, parsed; it is not changed
 */
export async function lintContract(document: object): Promise<string[]> {
  const faults: string[] = []
  const { valid, errors } = await new Validator().validate(structuredClone(document) as never)
  if (!valid) faults.push(`openapi.yaml is no valid OpenAPI document: ${JSON.stringify(errors)}`)
  const { tags, paths } = document as Document
  const declared = new Set(tags.map(({ name }) => name))
  const ids = new Set<string>()
  for (const [path, operations] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      const where = `${method.toUpperCase()} ${path}`
      faults.push(...lintOperation(operation, declared).map(fault => `${where} ${fault}`))
      const id = operation.operationId ?? ''
      if (ids.has(id)) faults.push(`${where} has the operationId of another operation, ${id}`)
      ids.add(id)
    }
  }
  return faults
}

function lintOperation(operation: Operation, declared: ReadonlySet<string>): string[] {
  const { operationId, summary, tags = [], parameters = [], responses = {} } = operation
  const faults: string[] = []
  if (!/^[a-z][A-Za-z]+$/.test(operationId ?? '')) faults.push('has no readable operationId')
  if (!summary) faults.push('has no summary')
  if (tags.length === 0) faults.push('has no tags')
  for (const tag of tags) if (!declared.has(tag)) faults.push(`has the undeclared tag ${tag}`)
  for (const { name, description } of parameters) {
    if (!description) faults.push(`does not describe its parameter ${name}`)
  }
  const answers = Object.entries(responses)
  for (const [status, { description }] of answers) {
    if (!description || description === 'Default Response')
      faults.push(`does not describe its answer ${status}`)
  }
  const isProblem = ([status, { content }]: [string, Response]) =>
    status.startsWith('4') && content?.['application/problem+json'] !== undefined
  if (!answers.some(isProblem)) faults.push('has no problem among its 4xx answers')
  return faults
}
