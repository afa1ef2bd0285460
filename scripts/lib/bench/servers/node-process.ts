/** A bare Node server in a process of its own: writes once per event and subscriber, keeps nothing. */
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { serve } from '../load/worker.ts'

const topics = new Map<string, Set<ServerResponse>>()

const server = createServer((request, response) => {
  const [, what, topic = ''] = request.url!.split('/')
  const subscribers = topics.get(topic) ?? new Set()
  topics.set(topic, subscribers)
  if (what === 'subscribe') {
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' })
    response.write(': hi\n\n')
    subscribers.add(response)
    response.once('close', () => subscribers.delete(response))
    return
  }
  let body = ''
  request.setEncoding('latin1')
  request.on('data', (part: string) => {
    body += part
  })
  request.on('end', () => {
    for (const line of body.split('\n')) {
      if (line === '') continue
      const frame = Buffer.from(`data: ${line}\n\n`)
      for (const subscriber of subscribers) subscriber.write(frame)
    }
    response.writeHead(201, { 'Content-Length': 0 }).end()
  })
})
server.keepAliveTimeout = 0

const operations = {
  listen: (_: null): Promise<number> =>
    new Promise(resolve =>
      server.listen(0, '127.0.0.1', 4_096, () => resolve((server.address() as AddressInfo).port)),
    ),
}

export type NodeServerOperations = typeof operations

serve(operations)
