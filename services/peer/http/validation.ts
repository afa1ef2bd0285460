import type { FastifySchemaCompiler } from 'fastify'
import type { TObject, TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { HypercastError } from '../errors.ts'
import { shorten } from './start.ts'

/** The part of a parameter's schema that says how its text is read. */
interface Property {
  readonly type?: string
}

type Checked = { readonly value: unknown } | { readonly error: Error }

/**
 * Checks what the schemas say. Query parameters are coerced (numbers and booleans come as text) and unknown ones
 * refused; bodies are taken as they are; request headers are described for the contract only.
 */
export const validatorCompiler: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  if (httpPart === 'querystring') return queryValidator(schema as TObject)
  if (httpPart === 'body') return bodyValidator(schema)
  return () => true
}

function queryValidator(schema: TObject): (input: unknown) => Checked {
  const { properties } = schema
  const check = Compile(schema)
  return input => {
    const query: Record<string, unknown> = {}
    for (const [name, value] of Object.entries((input ?? {}) as Record<string, unknown>)) {
      if (!Object.hasOwn(properties, name)) return { error: unknownParameter(name, properties) }
      const property = properties[name] as Property
      if (property.type === 'array') {
        query[name] = [value].flat().map(String)
        continue
      }
      if (Array.isArray(value)) return { error: wrong(`The parameter "${name}" is given more than once.`) }
      query[name] = coerce(property, String(value))
    }
    if (check.Check(query)) return { value: query }
    const [first] = check.Errors(query)
    if (first?.keyword === 'required') {
      return { error: wrong(`The parameter "${first.params.requiredProperties.join('", "')}" is missing.`) }
    }
    const name = first?.instancePath.slice(1) ?? ''
    return { error: wrong(`The parameter "${name}" ${choice(properties[name]) ?? first?.message}.`) }
  }
}

/** What a parameter with a few possible values must be; undefined for others. */
function choice(schema: { readonly anyOf?: readonly { readonly const?: unknown }[] } | undefined) {
  return schema?.anyOf && `must be ${schema.anyOf.map(one => JSON.stringify(one.const)).join(' or ')}`
}

function unknownParameter(name: string, properties: object): HypercastError {
  const known = Object.keys(properties)
  const names = known.length === 0 ? 'it takes none' : `it takes ${known.join(', ')}`
  return new HypercastError('UNKNOWN_PARAMETER', `This path does not know "${shorten(name)}"; ${names}.`)
}

function coerce({ type }: Property, text: string): unknown {
  if (type === 'integer' && /^-?\d{1,16}$/.test(text)) return Number(text)
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true'
  return text
}

function bodyValidator(schema: TSchema): (input: unknown) => Checked | true {
  // A raw body is its route's own matter.
  if (!('type' in schema) || schema.type !== 'object') return () => true
  const check = Compile(schema)
  return input => {
    // A body that was left out is an empty object: PUT works without one.
    const body = input ?? {}
    if (check.Check(body)) return { value: body }
    return { error: wrong(bodyProblem(check.Errors(body))) }
  }
}

function bodyProblem(errors: ReturnType<ReturnType<typeof Compile>['Errors']>): string {
  for (const error of errors) {
    const where = error.instancePath === '' ? 'The body' : `The member "${error.instancePath.slice(1)}"`
    if (error.keyword === 'additionalProperties') {
      const names = error.params.additionalProperties.map(name => `"${shorten(name)}"`).slice(0, 3)
      return `${where} has members that the contract does not know: ${names.join(', ')}.`
    }
    if (error.keyword === 'required')
      return `${where} lacks "${error.params.requiredProperties.join('", "')}".`
  }
  const [first] = errors
  const where = first?.instancePath ? `The member "${first.instancePath.slice(1)}"` : 'The body'
  return `${where} ${first?.message ?? 'is not as the contract says'}.`
}

function wrong(detail: string): HypercastError {
  return new HypercastError('INVALID_REQUEST', detail)
}
