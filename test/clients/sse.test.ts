import fc from 'fast-check'
import t from 'tap'
import { type SseFrame, SseParser } from '../../clients/typescript/src/sse.ts'

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

function parse(text: string): SseFrame[] {
  return new SseParser().push(bytesOf(text))
}

/** Cuts at these places, given as parts of the whole. */
function cut(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = cuts.map(part => Math.round(part * bytes.length)).sort((one, other) => one - other)
  return [0, ...places].map((from, at) => bytes.subarray(from, places[at] ?? bytes.length))
}

/** The standard's algorithm on a whole text, as plainly as it can be written. */
function parseWhole(text: string): SseFrame[] {
  const frames: SseFrame[] = []
  let lastEventId = ''
  const withoutMark = text.startsWith('\ufeff') ? text.slice(1) : text
  const blocks = `${withoutMark.replaceAll(/\r\n?/g, '\n')}`.split('\n').slice(0, -1)
  let block: { event: string; data?: string; id?: string } = { event: '' }
  for (const line of blocks) {
    if (line === '') {
      lastEventId = block.id ?? lastEventId
      if (block.data !== undefined || block.id !== undefined) {
        frames.push({ event: block.event || 'message', data: block.data, lastEventId })
      }
      block = { event: '' }
      continue
    }
    const [, field, value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line)!
    if (field === 'data') block.data = block.data === undefined ? value : `${block.data}\n${value}`
    if (field === 'event') block.event = value
    if (field === 'id' && !value.includes('\0')) block.id = value
  }
  return frames
}

t.test('the examples of the standard are read as it says', async t => {
  t.same(parse('data: YHOO\ndata: +2\ndata: 10\n\n'), [
    { event: 'message', data: 'YHOO\n+2\n10', lastEventId: '' },
  ])
  const second = ': test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n'
  t.same(parse(second), [
    { event: 'message', data: 'first event', lastEventId: '1' },
    { event: 'message', data: 'second event', lastEventId: '' },
  ])
  t.same(
    parse('data\n\ndata\ndata\n\ndata:').map(frame => frame.data),
    ['', '\n'],
  )
  t.same(
    parse('data:test\n\ndata: test\n\n').map(frame => frame.data),
    ['test', 'test'],
  )
})

t.test('lines end in LF, CR or CRLF', async t => {
  const expected = [{ event: 'a', data: '1\n2', lastEventId: '7' }]
  for (const end of ['\n', '\r', '\r\n']) {
    t.same(
      parse(['event: a', 'id: 7', 'data: 1', 'data: 2', '', ''].join(end)),
      expected,
      JSON.stringify(end),
    )
  }
  t.same(parse('event: a\rid: 7\r\ndata: 1\ndata: 2\r\r\n'), expected, 'mixed')
})

t.test('a CRLF cut in two is one break', async t => {
  const parser = new SseParser()
  t.same(parser.push(bytesOf('data: 1\r')), [])
  t.same(parser.push(bytesOf('\ndata: 2\r')), [])
  t.same(parser.push(new Uint8Array()), [])
  t.match(parser.push(bytesOf('\n\r')), [{ data: '1\n2' }])
  t.same(parser.push(bytesOf('\n')), [])
  t.match(parser.push(bytesOf('data: 3\n\n')), [{ data: '3' }])
})

t.test('a frame with only an id moves the cursor', async t => {
  const parser = new SseParser('1-1')
  t.same(parser.push(bytesOf(':\n\n')), [])
  t.same(parser.push(bytesOf('id: 4-1\n\n')), [{ event: 'message', data: undefined, lastEventId: '4-1' }])
  t.same(parser.push(bytesOf('data: x\n\n')), [{ event: 'message', data: 'x', lastEventId: '4-1' }])
  t.same(parser.push(bytesOf('id: 5-1\ndata: y\n')), [])
  t.equal(parser.lastEventId, '4-1', 'not before the block is whole')
  t.match(parser.push(bytesOf('\n')), [{ lastEventId: '5-1' }])
})

t.test('an id with a NUL is ignored, one that is empty resets', async t => {
  t.match(parse('id: 1\n\nid: 2\0\ndata: x\n\nid\ndata: y\n\n'), [
    {},
    { lastEventId: '1' },
    { lastEventId: '' },
  ])
})

t.test('a byte order mark is skipped at the beginning only', async t => {
  t.match(parse('\ufeffdata: 1\n\n'), [{ data: '1' }])
  t.same(parse('\n\ufeffdata: 1\n\n'), [])
})

t.test('retry is taken when it is digits', async t => {
  const parser = new SseParser()
  parser.push(bytesOf('retry: 500\n\n'))
  t.equal(parser.retryMs, 500)
  parser.push(bytesOf('retry: -1\nretry: 1.5\nretry: \nretry: 1s\nretry\n\n'))
  t.equal(parser.retryMs, 500)
})

t.test('an event’s name does not carry over, unknown fields and comments are nothing', async t => {
  const frames = parse(':event: a\nevent: gap\n\ndata: 1\nDATA: 2\n data: 3\nevents: x\n\n')
  t.same(frames, [{ event: 'message', data: '1', lastEventId: '' }])
})

t.test('wherever the stream is cut into chunks, the same comes out', async t => {
  const seed = Date.now()
  t.comment(`seed ${seed}`)
  const piece = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom('\r', '\n', '\r\n', '\n\n', '\r\r', '\r\n\r\n') },
    { weight: 3, arbitrary: fc.constantFrom('data', 'data:', 'data: ', 'id: ', 'event: ', ':', 'retry: 5') },
    fc.string({ unit: 'grapheme', maxLength: 6 }),
    fc.constantFrom('\ufeff', '\0', '😀', 'ж'),
  )
  const text = fc.array(piece, { maxLength: 40 }).map(pieces => pieces.join(''))
  const part = fc.double({ min: 0, max: 1, noNaN: true })
  fc.assert(
    fc.property(text, fc.array(part, { maxLength: 20 }), (text, cuts) => {
      const parser = new SseParser()
      const frames = cut(bytesOf(text), cuts).flatMap(chunk => parser.push(chunk))
      const [got, expected] = [JSON.stringify(frames), JSON.stringify(parseWhole(text))]
      if (got !== expected) throw new Error(`${got}\nis not\n${expected}`)
    }),
    { seed, numRuns: 2_000 },
  )
  t.pass('held')
})

t.test('a block that never ends is refused', async t => {
  const parser = new SseParser()
  const chunk = bytesOf(`data: ${'x'.repeat(1_048_576)}\n`)
  t.throws(() => {
    for (let count = 0; count < 65; count++) parser.push(chunk)
  }, RangeError)
})
