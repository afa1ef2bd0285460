import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { LogError, openLog, type PeerLog } from '../services/peer/log.ts'

function open(folder: string, options: { rotateBytes?: number; keepFiles?: number } = {}): PeerLog {
  return openLog({
    folder,
    peer: '011',
    port: 5558,
    level: 'info',
    rotateBytes: 1_048_576,
    keepFiles: 3,
    ...options,
  })
}

function lines(file: string): Record<string, unknown>[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line))
}

t.test('every line is JSON with an ISO time, the level by name, the peer and its port', async t => {
  const folder = join(t.testdir(), 'new', 'logs')
  const { log, path, close } = open(folder)
  log.info({ event: 'topic-created', topic: 'sports' }, 'topic created')
  log.debug('not at this level')
  log.error({ err: new Error('broken') }, 'trouble')
  await close()
  t.equal(path, join(folder, 'peer_node_5558.log'))
  const [first, second, ...rest] = lines(path)
  t.same(rest, [])
  t.match(first, {
    level: 'info',
    peer: '011',
    port: 5558,
    event: 'topic-created',
    topic: 'sports',
    msg: 'topic created',
  })
  t.match(first!.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  t.match(second, { level: 'error', err: { message: 'broken', stack: /Error: broken/ } })
})

t.test('a second start appends to the file', async t => {
  const folder = t.testdir()
  for (const run of [1, 2]) {
    const { log, close } = open(folder)
    log.info({ run }, 'started')
    await close()
  }
  t.same(
    lines(join(folder, 'peer_node_5558.log')).map(line => line.run),
    [1, 2],
  )
})

t.test('the file is rotated by size and a bounded number of files is kept', async t => {
  const folder = t.testdir()
  for (let start = 0; start < 10; start += 1) {
    const { log, close } = open(folder, { rotateBytes: 4_096, keepFiles: 3 })
    for (let line = 0; line < 30; line += 1) log.info({ line, text: 'x'.repeat(100) }, 'a line')
    await close()
  }
  const files = readdirSync(folder).sort()
  t.same(files, [
    'peer_node_5558.log',
    'peer_node_5558.log.1',
    'peer_node_5558.log.2',
    'peer_node_5558.log.3',
  ])
  for (const file of files) {
    t.ok(statSync(join(folder, file)).size < 4_096 * 3, file)
    for (const line of lines(join(folder, file))) t.equal(line.text, 'x'.repeat(100))
  }
})

t.test('lines written at once are all in the file after close', async t => {
  const folder = t.testdir()
  const { log, path, close } = open(folder)
  for (let line = 0; line < 5_000; line += 1) log.info({ line }, 'a line')
  await close()
  t.same(
    lines(path).map(line => line.line),
    Array.from({ length: 5_000 }, (_, line) => line),
  )
})

t.test('a folder that cannot be made or written is refused with what to do', async t => {
  const folder = t.testdir({ file: 'not a folder' })
  const below = join(folder, 'file', 'logs')
  t.throws(() => open(below), LogError)
  t.throws(() => open(below), {
    message: /cannot write logs to .*file.logs \(\w+\): give a writable folder with --logs/,
  })
})

t.test(
  'a file that cannot be written is told once, its lines are dropped, and the peer lives on',
  async t => {
    const folder = t.testdir()
    mkdirSync(join(folder, 'peer_node_5558.log'))
    writeFileSync(join(folder, 'peer_node_5558.log', 'in the way'), '')
    const told: string[] = []
    const trouble = Promise.withResolvers<void>()
    const { log, close } = openLog({
      folder,
      peer: '011',
      port: 5558,
      level: 'info',
      rotateBytes: 4_096,
      keepFiles: 3,
      onTrouble: message => {
        told.push(message)
        trouble.resolve()
      },
    })
    log.info('lost')
    await trouble.promise
    log.info('lost too')
    await close()
    t.equal(told.length, 1)
    t.match(told[0], /the log cannot be written .*: its lines are dropped/)
  },
)
