import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import {
  connectionKey,
  readQueues,
  SOCKET_TABLES,
  tableOf,
  visitRows,
} from '../../services/peer/http/unacknowledged.ts'
import { LIMITS } from '../../services/peer/limits.ts'
import { listen, makeApp, RawClient } from '../support/app.ts'

/** As Linux 6.18 on x86-64 gives it: one that listens, two connections, one that is over. */
const V4 = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode                                                     
   0: 0100007F:15B3 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 122 1 000000007d43aa4e 100 0 0 10 0                       
   1: 0100007F:15B3 0100007F:C3BA 01 00000000:00000000 00:00000000 00000000     0        0 45198 1 0000000001abebe4 20 0 0 11 -1                     
  23: 0101A8C0:15B3 0201A8C0:E71C 01 0000001E:00000000 01:000002C9 00000005     0        0 45199 3 000000002501c3f4 8800 0 0 1 7                    
12345: 0100007F:BDE8 0100007F:B719 06 00000000:00000000 03:000006A6 00000000     0        0 0 3 000000000ed9d074                                      
`
const V6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:9809 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 45195 1 00000000671955d9 100 0 0 10 0
   1: 0000000000000000FFFF00000100007F:9809 0000000000000000FFFF00000100007F:C3BA 01 00000103:00000000 00:00000000 00000000     0        0 45198 1 0000000001abebe4 20 0 0 11 -1
   2: 00000000000000000000000001000000:9809 00000000000000000000000001000000:C63E 01 00000000:00000000 00:00000000 00000000     0        0 45199 1 000000002501c3f4 20 0 0 11 -1
`

function rows(text: string): [string, number][] {
  const found: [string, number][] = []
  t.equal(
    visitRows(text, (connection, bytes) => found.push([connection, bytes])),
    '',
  )
  return found
}

t.test('the rows of both tables are read, with the bytes that were not acknowledged', async t => {
  t.same(rows(V4), [
    ['0100007F:15B3 00000000:0000', 0],
    ['0100007F:15B3 0100007F:C3BA', 0],
    ['0101A8C0:15B3 0201A8C0:E71C', 30],
    ['0100007F:BDE8 0100007F:B719', 0],
  ])
  t.same(
    rows(V6).map(([, bytes]) => bytes),
    [0, 259, 0],
  )
})

t.test('what is no row is passed by, and a part of one is given back', async t => {
  t.same(rows('\n: \nx: 1\n   1: 0100007F:15B3\n'), [])
  for (const at of [0, 1, 200, 310, V4.length - 1]) {
    const found: string[] = []
    const rest = visitRows(V4.slice(0, at), connection => found.push(connection))
    t.equal(
      visitRows(rest + V4.slice(at), connection => found.push(connection)),
      '',
    )
    t.equal(found.length, 4, `cut at ${at}`)
  }
})

t.test('a connection is written as the kernel of this machine writes it', async t => {
  const ends = {
    localAddress: '192.168.1.1',
    localPort: 0x15b3,
    remoteAddress: '192.168.1.2',
    remotePort: 59164,
  }
  t.equal(connectionKey(ends, 'LE'), '0101A8C0:15B3 0201A8C0:E71C')
  t.equal(connectionKey(ends, 'BE'), 'C0A80101:15B3 C0A80102:E71C')
  const of = (address: string) =>
    connectionKey({ localAddress: address, localPort: 1, remoteAddress: address, remotePort: 1 }, 'LE')
  const twice = (one: string) => `${one}:0001 ${one}:0001`
  t.equal(of('::1'), twice('00000000000000000000000001000000'))
  t.equal(of('::ffff:127.0.0.1'), twice('0000000000000000FFFF00000100007F'))
  t.equal(of('fe80::1:2%eth0'), twice('000080FE000000000000000002000100'))
  t.equal(of('1:2:3:4:5:6:7:8'), twice('02000100040003000600050008000700'))
  t.equal(of('2001:db8::'), twice('B80D0120000000000000000000000000'))
  t.equal(tableOf(of('::1')!), 'v6')
  t.equal(tableOf(of('127.0.0.1')!), 'v4')
  t.equal(connectionKey({}), undefined)
  t.equal(of('no address'), undefined)
})

t.test('a table is read in slices whatever its length, and one that is not there is told', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'hypercast-rows-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const [head = '', , , row = ''] = V4.split('\n')
  const many = Math.ceil((3 * LIMITS.SOCKET_TABLE_SLICE_BYTES) / row.length)
  const path = join(folder, 'tcp')
  writeFileSync(path, `${head}\n${`${row}\n`.repeat(many)}`)
  let sumBytes = 0
  let turns = 0
  let isRead = false
  const counting = () => {
    turns += 1
    if (!isRead) setImmediate(counting)
  }
  setImmediate(counting)
  t.equal(
    await readQueues(path, (_, bytes) => {
      sumBytes += bytes
    }),
    true,
  )
  isRead = true
  t.equal(sumBytes, 30 * many)
  t.ok(turns >= 3, 'others get their turns')
  t.equal(await readQueues(join(folder, 'none'), () => {}), false)
  t.equal(await readQueues(folder, () => {}), false)
})

const hasTables = await readQueues(SOCKET_TABLES.v4, () => {})

t.test(
  'the connection of a real stream is found in the kernel’s own table',
  { skip: hasTables ? false : `there is no ${SOCKET_TABLES.v4} here` },
  async t => {
    const { app } = await makeApp(t)
    await app.inject({ method: 'PUT', url: '/v1/topics/sports' })
    const { port } = await listen(app)
    const client = new RawClient(port)
    client.send('GET /v1/topics/sports/events HTTP/1.1\r\nhost: x\r\n\r\n')
    await client.until('id: 0-1')
    t.equal(app.halfOpen.size, 1)
    const { localAddress, localPort, remoteAddress, remotePort } = client.socket
    const server = connectionKey({
      localAddress: remoteAddress,
      localPort: remotePort,
      remoteAddress: localAddress,
      remotePort: localPort,
    })!
    const found = new Map<string, number>()
    await readQueues(SOCKET_TABLES[tableOf(server)], (connection, bytes) => found.set(connection, bytes))
    t.equal(found.get(server), 0, 'all of it was acknowledged')
    client.socket.destroy()
    while (app.halfOpen.size > 0) await new Promise(setImmediate)
  },
)
