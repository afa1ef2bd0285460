import fc from 'fast-check'
import t, { type Test } from 'tap'
import { answerBody, beatBody, messagesBody, operationsBody } from '../../services/peer/engine/wire.ts'
import { HypercastError } from '../../services/peer/errors.ts'
import { handleFounding } from '../../services/peer/links/founding.ts'
import type { Forwarded } from '../../services/peer/links/types.ts'
import { startCube } from './support/cube.ts'

const JSON_TYPE = 'application/json'
const PACKED = 'application/vnd.msgpack'
const beat = {
  uid: 'u',
  boot: 1,
  to: 'uid',
  rosterVersion: 1,
  nowMs: 5,
  lowDisk: false,
  stopping: false,
  leads: [],
  follows: [],
}
const describe: Forwarded = {
  operation: { kind: 'describe', slot: 6, topic: 'sports' },
  target: '110',
  path: ['111'],
  visited: ['111'],
  patienceMs: 1_000,
}

async function peerOf(t: Test) {
  const cube = await startCube()
  t.teardown(() => cube.close())
  return cube.peer('110')
}

const collected = async (stream: AsyncIterable<Buffer>) => {
  const parts: Buffer[] = []
  for await (const part of stream) parts.push(part)
  return Buffer.concat(parts)
}

t.test('bodies that cannot be read are refused and reach nobody', async t => {
  const peer = await peerOf(t)
  const { handlers, engine } = peer
  const refuses = async (run: () => unknown) => {
    try {
      await run()
      return false
    } catch (error) {
      return error instanceof HypercastError && error.code === 'INVALID_REQUEST'
    }
  }
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 60 }),
      fc.constantFrom(JSON_TYPE, PACKED),
      async (bytes, type) => {
        const body = Buffer.from(bytes)
        const all = [
          await refuses(() => handlers.replicate('111', type, body)),
          await refuses(() => handlers.heartbeat('111', type, body)),
          await refuses(() => handlers.operations('111', type, body)),
        ]
        return all.every(Boolean)
      },
    ),
    { numRuns: 500, verbose: true },
  )
  t.same(engine.received, [])
  for (const type of [undefined, 'text/plain']) {
    const error = await handlers.replicate('111', type, Buffer.alloc(0)).catch(reason => reason)
    t.match(error, { code: 'UNSUPPORTED_MEDIA_TYPE' })
  }
})

t.test('a person with curl is answered in JSON', async t => {
  const { handlers } = await peerOf(t)
  const { contentType, body } = await handlers.heartbeat('111', JSON_TYPE, beatBody.encode(beat, 'json'))
  t.equal(contentType, JSON_TYPE)
  t.match(JSON.parse(Buffer.from(body).toString()), { version: 1, beat: { uid: 'answer' } })
  const replicated = await handlers.replicate('111', JSON_TYPE, messagesBody.encode([], 'json'))
  t.same(JSON.parse(Buffer.from(replicated.body).toString()), { version: 1, messages: [] })
  const lines = await collected(
    handlers.operations('111', JSON_TYPE, operationsBody.encode([describe], 'json')),
  )
  const [line, rest] = lines.toString().split('\n')
  t.match(JSON.parse(line!), { version: 1, answered: { index: 0, answer: { kind: 'answered' } } })
  t.equal(rest, '')
})

t.test('a defect on the way is an answer whose outcome is unknown, not a broken stream', async t => {
  const peer = await peerOf(t)
  peer.slots.barrier = async () => {
    throw new Error('defect')
  }
  const lines = await collected(peer.handlers.operations('111', PACKED, operationsBody.encode([describe])))
  const { answer } = answerBody.decode(lines.subarray(4))
  t.same(answer, {
    kind: 'answered',
    path: [],
    result: { kind: 'failed', code: 'INTERNAL', definite: false },
  })
})

t.test('an operation that was here before is given back', async t => {
  const peer = await peerOf(t)
  const body = operationsBody.encode([{ ...describe, visited: ['111', '110'] }])
  const lines = await collected(peer.handlers.operations('111', PACKED, body))
  t.match(answerBody.decode(lines.subarray(4)).answer, {
    kind: 'exhausted',
    visited: ['111', '110'],
    definite: true,
  })
})

t.test('a request nobody waits for any more is not passed on', async t => {
  const cube = await startCube()
  t.teardown(() => cube.close())
  const peer = cube.peer('001')
  const stream = peer.handlers.operations('000', PACKED, operationsBody.encode([describe]))
  await stream[Symbol.asyncIterator]().return?.()
  await new Promise(resolve => setImmediate(resolve))
  const asked = [...cube.peers.values()].reduce((sum, { requests }) => sum + requests.size, 0)
  t.equal(asked, 0)
})

t.test('founding statements are JSON in and out', async t => {
  const echo = (statement: unknown) => ({ heard: statement })
  const { body } = handleFounding(JSON_TYPE, Buffer.from('{"a":1}'), echo)
  t.equal(Buffer.from(body).toString(), '{"heard":{"a":1}}')
  t.throws(() => handleFounding(JSON_TYPE, Buffer.from('{'), echo), { code: 'INVALID_REQUEST' })
  t.throws(() => handleFounding(PACKED, Buffer.from('{}'), echo), { code: 'INVALID_REQUEST' })
})
