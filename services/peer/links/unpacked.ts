/** What a body in MessagePack holds, checked: each throws Error for anything else. */

export function items(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error('between peers: a list is missing')
  return value
}

export function count(value: unknown): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0)
    throw new Error('between peers: a number is wrong')
  return value as number
}

export function text(value: unknown): string {
  if (typeof value !== 'string') throw new Error('between peers: a text is missing')
  return value
}
