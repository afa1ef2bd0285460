import { HypercastError } from '../errors.ts'
import { ownBytes } from './own-bytes.ts'

/** Bytes or JSON that do not have the shape they should have; nothing was done with them. */
export class CodecError extends HypercastError {
  constructor(detail: string) {
    super('INVALID_REQUEST', detail)
    this.name = 'CodecError'
  }
}

/** Written in a format that only a newer version of this program knows. */
export class NewerFormatError extends CodecError {
  readonly version: number
  constructor(what: string, version: number, known: number) {
    super(`${what} has format ${version}, this version knows up to ${known}: update this peer`)
    this.name = 'NewerFormatError'
    this.version = version
  }
}

/**
 * One shape described once: how a value of it is packed (by position, compact, for MessagePack), how it reads in
 * JSON (by name, for a person), and how both are checked on the way in. `name` is the place named by an error, `at` the
 * format that the readers know.
 */
export interface Shape<T> {
  pack(value: T, at: number): unknown
  unpack(raw: unknown, name: string): T
  toJson(value: T, at: number): unknown
  fromJson(raw: unknown, name: string): T
  /** The value may be absent. */
  readonly optional?: boolean
}

/** A shape whose value is the same packed and in JSON. */
const plain = <T>(is: (raw: unknown) => raw is T, should: string): Shape<T> => {
  const check = (raw: unknown, name: string): T => {
    if (!is(raw)) throw new CodecError(`${name} must be ${should}`)
    return raw
  }
  return { pack: value => value, unpack: check, toJson: value => value, fromJson: check }
}

/** An integer from 0 to 2^53 - 1. */
export const uint: Shape<number> = plain(
  (raw): raw is number => Number.isSafeInteger(raw) && (raw as number) >= 0,
  'an integer from 0',
)

/** A finite number. */
export const real: Shape<number> = plain((raw): raw is number => Number.isFinite(raw), 'a number')

export const bool: Shape<boolean> = plain((raw): raw is boolean => typeof raw === 'boolean', 'true or false')

export const text: Shape<string> = plain((raw): raw is string => typeof raw === 'string', 'a string')

/** One of a few strings. */
export const oneOf = <T extends string>(values: readonly T[]): Shape<T> => {
  const known: ReadonlySet<unknown> = new Set(values)
  return plain((raw): raw is T => known.has(raw), `one of ${values.slice(0, 12).join(', ')}`)
}

/** Bytes; in JSON `{"base64": "…"}`. Unpacked bytes are a view of the body they came in. */
export const bytes: Shape<Uint8Array> = {
  pack: value => value,
  unpack(raw, name) {
    if (!(raw instanceof Uint8Array)) throw new CodecError(`${name} must be bytes`)
    return raw
  },
  toJson: value => ({
    base64: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64'),
  }),
  fromJson(raw, name) {
    const base64 = isObject(raw) ? raw.base64 : undefined
    if (typeof base64 !== 'string') throw new CodecError(`${name} must be {"base64": "…"}`)
    const decoded = Buffer.from(base64, 'base64')
    if (decoded.toString('base64') !== base64) throw new CodecError(`${name} must be padded base64`)
    return decoded
  },
}

/** Bytes that are kept for long: unpacked ones hold little memory beside their own. */
export const keptBytes: Shape<Uint8Array> = {
  ...bytes,
  unpack: (raw, name) => ownBytes(bytes.unpack(raw, name)),
  fromJson: (raw, name) => ownBytes(bytes.fromJson(raw, name)),
}

/** May be absent: an absent field of a record, or null in its place. */
export const optional = <T>(shape: Shape<T>): Shape<T | undefined> => ({
  optional: true,
  pack: (value, at) => (value === undefined ? null : shape.pack(value, at)),
  unpack: (raw, name) => (raw === null || raw === undefined ? undefined : shape.unpack(raw, name)),
  toJson: (value, at) => (value === undefined ? undefined : shape.toJson(value, at)),
  fromJson: (raw, name) => (raw === undefined ? undefined : shape.fromJson(raw, name)),
})

/** May be absent, and is left out for readers that do not know the format it came with. */
export const since = <T>(format: number, shape: Shape<T>): Shape<T | undefined> => {
  const { pack, toJson, ...read } = optional(shape)
  return {
    ...read,
    pack: (value, at) => pack(at < format ? undefined : value, at),
    toJson: (value, at) => toJson(at < format ? undefined : value, at),
  }
}

/** May be null, which means something. */
export const nullable = <T>(shape: Shape<T>): Shape<T | null> => ({
  pack: (value, at) => (value === null ? null : shape.pack(value, at)),
  unpack: (raw, name) => (raw === null ? null : shape.unpack(raw, name)),
  toJson: (value, at) => (value === null ? null : shape.toJson(value, at)),
  fromJson: (raw, name) => (raw === null ? null : shape.fromJson(raw, name)),
})

/** Any number of one shape, at most `max`. */
export const list = <T>(item: Shape<T>, max = Number.MAX_SAFE_INTEGER): Shape<readonly T[]> => {
  const each =
    (convert: (raw: unknown, name: string) => T) =>
    (raw: unknown, name: string): T[] => {
      if (!Array.isArray(raw)) throw new CodecError(`${name} must be a list`)
      if (raw.length > max) throw new CodecError(`${name} must have at most ${max} items`)
      return raw.map(value => convert(value, name))
    }
  return {
    pack: (values, at) => values.map(value => item.pack(value, at)),
    unpack: each(item.unpack),
    toJson: (values, at) => values.map(value => item.toJson(value, at)),
    fromJson: each(item.fromJson),
  }
}

/** Strings by name; packed as a flat list of names and values. */
export const dictionary: Shape<Readonly<Record<string, string>>> = {
  pack: value => Object.entries(value).flat(),
  unpack(raw, name) {
    if (!Array.isArray(raw) || raw.length % 2 !== 0) throw new CodecError(`${name} must be names and values`)
    const pairs: [string, string][] = []
    for (let i = 0; i < raw.length; i += 2) {
      pairs.push([text.unpack(raw[i], name), text.unpack(raw[i + 1], name)])
    }
    return Object.fromEntries(pairs)
  },
  toJson: value => value,
  fromJson(raw, name) {
    if (!isObject(raw)) throw new CodecError(`${name} must be an object`)
    return Object.fromEntries(Object.entries(raw).map(([key, value]) => [key, text.fromJson(value, name)]))
  },
}

/** The shapes of a record's fields, in the order of their positions. */
export type Fields<T> = { readonly [K in keyof T]-?: Shape<T[K]> }

/** A record whose fields may also be laid out behind others of the same list. */
export interface RecordShape<T> extends Shape<T> {
  packOnto(packed: unknown[], value: T, at: number): unknown[]
  unpackFrom(raw: readonly unknown[], start: number, name: string, out: Record<string, unknown>): T
  jsonFields(value: T, at: number): Record<string, unknown>
  fromJsonFields(raw: Record<string, unknown>, skip: string | null, out: Record<string, unknown>): T
}

/** Named fields; packed as a list by position, absent ones at its end left away. */
export const record = <T>(shapes: Fields<T>): RecordShape<T> => {
  const fields = Object.entries(shapes as Record<string, Shape<unknown>>)
  const names = new Set(fields.map(([field]) => field))
  const self: RecordShape<T> = {
    packOnto(packed, value, at) {
      let length = packed.length
      for (const [field, shape] of fields) {
        const item = shape.pack((value as Record<string, unknown>)[field], at)
        packed.push(item)
        if (!shape.optional || item !== null) length = packed.length
      }
      packed.length = length
      return packed
    },
    unpackFrom(raw, start, name, out) {
      if (raw.length > start + fields.length) throw new CodecError(`${name} has more fields than are known`)
      let position = start
      for (const [field, shape] of fields) {
        const value = shape.unpack(raw[position++], field)
        if (value !== undefined) out[field] = value
      }
      return out as T
    },
    jsonFields(value, at) {
      const json: Record<string, unknown> = {}
      for (const [field, shape] of fields) {
        const item = shape.toJson((value as Record<string, unknown>)[field], at)
        if (item !== undefined) json[field] = item
      }
      return json
    },
    fromJsonFields(raw, skip, out) {
      for (const key of Object.keys(raw)) {
        if (key !== skip && !names.has(key)) throw new CodecError(`there is no field ${JSON.stringify(key)}`)
      }
      for (const [field, shape] of fields) {
        const value = shape.fromJson(Object.hasOwn(raw, field) ? raw[field] : undefined, field)
        if (value !== undefined) out[field] = value
      }
      return out as T
    },
    pack: (value, at) => self.packOnto([], value, at),
    unpack(raw, name) {
      if (!Array.isArray(raw)) throw new CodecError(`${name} must be a list of fields`)
      return self.unpackFrom(raw, 0, name, {})
    },
    toJson: (value, at) => self.jsonFields(value, at),
    fromJson(raw, name) {
      if (!isObject(raw)) throw new CodecError(`${name} must be an object`)
      return self.fromJsonFields(raw, null, {})
    },
  }
  return self
}

/** A record of one of several kinds, told apart by a field; packed as its number followed by its fields. */
export const variant = <T, Tag extends keyof T & string>(
  tag: Tag,
  kinds: {
    readonly [K in T[Tag] & string]: readonly [number, RecordShape<Omit<Extract<T, Record<Tag, K>>, Tag>>]
  },
): Shape<T> => {
  const byName = new Map(Object.entries(kinds) as [string, readonly [number, RecordShape<unknown>]][])
  const byNumber = new Map([...byName].map(([kind, [number, shape]]) => [number as unknown, { kind, shape }]))
  const kindOf = (value: T) => {
    const kind = byName.get(value[tag] as string)
    if (!kind) throw new CodecError(`there is no ${tag} ${JSON.stringify(value[tag])}`)
    return kind
  }
  return {
    pack(value, at) {
      const [number, shape] = kindOf(value)
      return shape.packOnto([number], value, at)
    },
    unpack(raw, name) {
      const known = Array.isArray(raw) ? byNumber.get(raw[0]) : undefined
      if (!known) throw new CodecError(`${name} is of no known ${tag}`)
      return known.shape.unpackFrom(raw as unknown[], 1, name, { [tag]: known.kind }) as T
    },
    toJson(value, at) {
      return { [tag]: value[tag], ...kindOf(value)[1].jsonFields(value, at) }
    },
    fromJson(raw, name) {
      const known = isObject(raw) ? byName.get(raw[tag] as string) : undefined
      if (!known) throw new CodecError(`${name} is of no known ${tag}`)
      return known[1].fromJsonFields(raw as Record<string, unknown>, tag, { [tag]: (raw as never)[tag] }) as T
    },
  }
}

/** A fixed number of shapes in a row; a list in JSON too. */
export const tuple = <T extends readonly unknown[]>(...shapes: { [I in keyof T]: Shape<T[I]> }): Shape<T> => {
  const items = shapes as unknown as readonly Shape<unknown>[]
  const each =
    (how: 'unpack' | 'fromJson') =>
    (raw: unknown, name: string): T => {
      if (!Array.isArray(raw) || raw.length !== items.length) {
        throw new CodecError(`${name} must be a list of ${items.length}`)
      }
      return items.map((shape, i) => shape[how](raw[i], name)) as unknown as T
    }
  return {
    pack: (value, at) => items.map((shape, i) => shape.pack(value[i], at)),
    unpack: each('unpack'),
    toJson: (value, at) => items.map((shape, i) => shape.toJson(value[i], at)),
    fromJson: each('fromJson'),
  }
}

function isObject(raw: unknown): raw is Record<string, unknown> {
  return typeof raw === 'object' && raw !== null && !Array.isArray(raw)
}
