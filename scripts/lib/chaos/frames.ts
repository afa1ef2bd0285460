/** One frame of Server-Sent Events; fields that it does not name are empty. */
export interface Frame {
  readonly event: string
  readonly data: string
  readonly id: string
}

/** Cuts the text of a stream into frames; comments are left out. */
export class FrameReader {
  #rest = ''

  push(text: string): Frame[] {
    const parts = (this.#rest + text).split('\n\n')
    this.#rest = parts.pop()!
    return parts.map(readFrame)
  }
}

function readFrame(text: string): Frame {
  const found = { event: '', id: '' }
  const data: string[] = []
  for (const line of text.split('\n')) {
    const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line)!
    if (field === 'data') data.push(value!)
    else if (field === 'event' || field === 'id') found[field] = value!
  }
  return { ...found, data: data.join('\n') }
}
