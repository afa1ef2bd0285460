import { readFileSync } from 'node:fs'
import { PassThrough } from 'node:stream'
import t from 'tap'
import { listen, makeApp, RawClient } from '../support/app.ts'

t.test('live is live, ready says what is missing', async t => {
  const { app, peer } = await makeApp(t)
  t.same((await app.inject('/health/live')).json(), { status: 'ok', why: 'the process runs' })
  t.same((await app.inject('/health/ready')).json(), { status: 'ok', why: 'every slot has a primary' })
  peer.isReady = false
  const waiting = await app.inject('/health/ready')
  t.equal(waiting.statusCode, 503)
  t.same(waiting.json(), { status: 'waiting', why: 'slot 4 has none' })
})

t.test('the metrics give real values', async t => {
  const { app, peer } = await makeApp(t)
  await app.inject({ method: 'PUT', url: '/v1/topics/sports' })
  await app.inject({ method: 'POST', url: '/v1/topics/sports/publish', payload: 'x' })
  peer.metrics.committed(3)
  peer.metrics.flushed(1.5, 7)
  peer.metrics.election()
  peer.metrics.beat('010', true)
  peer.metrics.beat('010', false)
  peer.statuses.set('111', 'down')
  const { port } = await listen(app)
  const client = new RawClient(port)
  t.teardown(() => client.socket.destroy())
  client.send('GET /v1/topics/sports/events?from=1 HTTP/1.1\r\nHost: x\r\n\r\n')
  await client.until('data: x\n')
  const trunk = new PassThrough()
  t.teardown(() => trunk.destroy())
  peer.streams.openTrunk('010', 't1', trunk)
  const answer = await app.inject('/metrics')
  t.match(answer.headers['content-type'], /^text\/plain; version=0\.0\.4/)
  for (const line of [
    'hypercast_publishes_total{outcome="ok"} 1',
    'hypercast_published_events_total 1',
    'hypercast_deliveries_total 1',
    'hypercast_streams 1',
    'hypercast_trunks_up 0',
    'hypercast_trunks_down 1',
    'hypercast_commit_seconds_count 1',
    'hypercast_commit_seconds_sum 0.003',
    'hypercast_fsync_seconds_sum 0.0015',
    'hypercast_batch_entries_sum 7',
    'hypercast_elections_total 1',
    'hypercast_heartbeats_total{peer="010",outcome="failed"} 1',
    'hypercast_slot_role{slot="30",role="leader"} 1',
    'hypercast_slot_role{slot="30",role="follower"} 0',
    'hypercast_slots_led 64',
    'hypercast_neighbours 3',
    'hypercast_neighbours_up 2',
  ]) {
    t.match(answer.body, `\n${line}\n`, line)
  }
  t.match(answer.body, /\nnodejs_eventloop_lag_p99_seconds \d/)
})

t.test('docs/OPERATIONS.md names every figure of ours, and no other', async t => {
  const { peer } = await makeApp(t)
  const all = await peer.metrics.registry.getMetricsAsJSON()
  const text = readFileSync(new URL('../../docs/OPERATIONS.md', import.meta.url), 'utf8')
  const rows = text.split('\n').filter(line => line.startsWith('| `hypercast_'))
  const named = rows.flatMap(row => row.match(/hypercast_\w+/g) ?? [])
  const ours = all.map(({ name }) => name).filter(name => name.startsWith('hypercast_'))
  t.same(named.sort(), ours.sort())
})

t.test('/docs shows the contract from local files only', async t => {
  const { app } = await makeApp(t)
  const page = await app.inject('/docs')
  t.equal(page.statusCode, 200)
  const files = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(match => match[1]!)
  t.ok(files.length > 3)
  for (const file of files) {
    t.match(file, /^\/docs\//)
    t.equal((await app.inject(file)).statusCode, 200, file)
  }
  const policy = String(page.headers['content-security-policy'])
  t.notMatch(policy, 'https:')
  t.notMatch(policy, 'upgrade-insecure-requests')
  t.equal((await app.inject('/docs/json')).json().info.title, 'Hypercast')
})

t.test('a peer that this one has nothing to do with is not called suspected', async t => {
  const { app, peer } = await makeApp(t)
  peer.statuses.set('001', 'unknown')
  t.match((await app.inject('/v1/peers/001')).json(), { status: 'unknown' })
})

t.test('the cube and its peers are told as this peer sees them', async t => {
  const { app, peer } = await makeApp(t)
  peer.statuses.set('000', 'suspected').set('001', 'down')
  const cube = (await app.inject('/v1/cube')).json()
  t.match(cube, { clusterId: 'c1', version: 1, dimension: 3, slots: 64, self: '110' })
  t.equal(cube.primaries.length, 64)
  t.same([cube.primaries[0], cube.primaries[30]], [null, '110'])
  t.match(cube.peers[0], {
    id: '000',
    url: 'http://127.0.0.1:5555',
    status: 'suspected',
    neighbours: ['001', '010', '100'],
    homes: 8,
    primaries: 0,
  })
  t.match(cube.peers[6], { id: '110', status: 'self', primaries: 63 })
  const { peers } = (await app.inject('/v1/peers')).json()
  t.same(peers, cube.peers)
  t.same((await app.inject('/v1/peers/001')).json(), cube.peers[1])
  t.match((await app.inject('/v1/peers/0110')).json(), { code: 'UNKNOWN_PEER', status: 404 })
})

t.test('HEAD works wherever GET does', async t => {
  const { app } = await makeApp(t)
  for (const url of [
    '/v1/cube',
    '/v1/cube/events',
    '/v1/topics',
    '/health/live',
    '/metrics',
    '/openapi.yaml',
  ]) {
    const answer = await app.inject({ method: 'HEAD', url })
    t.equal(answer.statusCode, 200, url)
    t.equal(answer.body, '')
  }
})
