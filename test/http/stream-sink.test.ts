import type { ServerResponse } from 'node:http'
import t from 'tap'
import { StreamSink } from '../../services/peer/http/stream-sink.ts'

t.test('the same bytes are chunked once for all, in memory of their own', async t => {
  const written: Buffer[] = []
  const response = () => {
    const socket = { destroyed: false, write: (bytes: Buffer) => written.push(bytes) > 0 }
    return { chunkedEncoding: true, writableEnded: false, socket } as unknown as ServerResponse
  }
  // Large enough not to come from the pool, and small enough to.
  for (const bytes of [Buffer.from('id: 1-1\ndata: x\n\n'), Buffer.alloc(100_000, 'y')]) {
    written.length = 0
    new StreamSink(response()).write(bytes)
    new StreamSink(response()).write(bytes)
    const [one, other] = written as [Buffer, Buffer]
    t.equal(one, other)
    t.equal(one.toString(), `${bytes.length.toString(16)}\r\n${bytes}\r\n`)
    // It is kept as long as somebody keeps the bytes: a slice of Node's pool would keep what others took of the pool.
    t.equal(one.buffer.byteLength, one.length)
  }
})
