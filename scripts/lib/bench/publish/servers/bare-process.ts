/** Answers every request 201 at once and does nothing else: what the publishers can do at most. */
import { type AddressInfo, createServer } from 'node:net'
import { serve } from '../../load/worker.ts'

const ANSWER = 'HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}'
const LENGTH = /\r\ncontent-length: *(\d+)/i

const server = createServer(socket => {
  let text = ''
  socket.setNoDelay(true)
  socket.on('error', () => socket.destroy())
  socket.on('data', bytes => {
    text += bytes.toString('latin1')
    let answers = ''
    for (;;) {
      const end = text.indexOf('\r\n\r\n')
      if (end === -1) break
      const whole = end + 4 + Number(LENGTH.exec(text.slice(0, end))?.[1] ?? 0)
      if (text.length < whole) break
      text = text.slice(whole)
      answers += ANSWER
    }
    if (answers !== '') socket.write(answers, 'latin1')
  })
})

const operations = {
  listen: (_: null): Promise<number> =>
    new Promise(resolve =>
      server.listen(0, '127.0.0.1', 4_096, () => resolve((server.address() as AddressInfo).port)),
    ),
}

export type BareOperations = typeof operations

serve(operations)
