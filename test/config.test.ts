import fc from 'fast-check'
import t from 'tap'
import { normalizeFlags, parsePeerArguments } from '../services/peer/arguments.ts'
import { ConfigError, envName, SETTINGS } from '../services/peer/config.ts'
import { formatDuration, formatSize, parseDuration, parseSize } from '../services/peer/units.ts'

const LIST = '000=http://127.0.0.1:5555,001=http://127.0.0.1:5556'

const VIA = 'http://127.0.0.1:5599'

/** The message an argument list is refused with. */
function refusal(argv: string[], environment: Record<string, string> = {}): string {
  try {
    parsePeerArguments(argv, environment)
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
  return ''
}

t.test('a peer of a list has the defaults, and its own URL from the list', async t => {
  const config = parsePeerArguments(['--node-id', '000', '--peers', LIST], {})
  t.match(config, {
    nodeId: '000',
    port: 5555,
    host: '127.0.0.1',
    url: 'http://127.0.0.1:5555',
    found: false,
    insecure: false,
    data: 'data/000',
    logs: 'logs',
    logLevel: 'info',
    slots: 64,
    tickMs: 100,
    heartbeatMs: 300,
    electionMs: 1000,
    reclaimAfterMs: 1000,
    evictAfterMs: 600_000,
    slotsGiven: false,
    publishTimeoutMs: 10_000,
    maxPayloadBytes: 1_048_576,
    maxBatchBytes: 8_388_608,
    retentionAgeMs: 604_800_000,
    retentionBytes: null,
    retentionEvents: null,
    diskReserveBytes: 134_217_728,
    allowOrigin: [],
    sseHeartbeatMs: 15_000,
    sseRetryMs: 500,
    stallTimeoutMs: 30_000,
    requestTimeoutMs: 30_000,
  })
  t.same(config.peers, [
    { id: '000', url: 'http://127.0.0.1:5555' },
    { id: '001', url: 'http://127.0.0.1:5556' },
  ])
})

t.test('every key of the configuration but what follows from others has one row of the table', async t => {
  const config = parsePeerArguments(['--node-id', '0', '--found'], {})
  t.same(
    Object.keys(config)
      .filter(key => key !== 'url' && key !== 'slotsGiven')
      .sort(),
    SETTINGS.map(setting => setting.key).sort(),
  )
})

t.test('flags win over the environment, and the environment over the defaults', async t => {
  const environment = { HYPERCAST_NODE_ID: '001', HYPERCAST_PORT: '5556', HYPERCAST_HEARTBEAT: '150ms' }
  t.match(parsePeerArguments([], environment), {
    nodeId: '001',
    port: 5556,
    heartbeatMs: 150,
    electionMs: 1000,
  })
  t.match(parsePeerArguments(['--port', '7000'], environment), { nodeId: '001', port: 7000 })
  t.match(
    parsePeerArguments([], { ...environment, HYPERCAST_PORT: '' }),
    { port: 5555 },
    'an empty variable is none',
  )
})

t.test('every setting can be given in the environment as well as by its flag', async t => {
  const byKind: Record<string, string> = {
    label: '01',
    port: '81',
    text: '127.0.0.9',
    level: 'debug',
    list: 'http://a',
    url: 'http://127.0.0.1:81',
  }
  const byFlag: Record<string, string> = {
    slots: '32',
    tick: '20ms',
    heartbeat: '150ms',
    'log-keep': '7',
    'log-rotate': '1MiB',
  }
  byFlag['max-batch'] = '9MiB'
  for (const setting of SETTINGS) {
    if (setting.kind === 'peers') continue
    const environment = { HYPERCAST_NODE_ID: '00' }
    const isSwitch = setting.kind === 'switch'
    const value = isSwitch ? 'true' : (byKind[setting.kind] ?? byFlag[setting.flag] ?? '2000')
    const flags = isSwitch ? [`--${setting.flag}`] : [`--${setting.flag}`, value]
    const expected = parsePeerArguments(flags, environment)
    t.same(parsePeerArguments([], { ...environment, [envName(setting)]: value }), expected, setting.flag)
    t.strictNotSame(
      expected[setting.key],
      parsePeerArguments([], environment)[setting.key],
      'it is not the default',
    )
  }
})

t.test('a flag may be written with underscores and with an equals sign', async t => {
  t.match(parsePeerArguments(['--node_id', '000', '--log_level=debug'], {}), {
    nodeId: '000',
    logLevel: 'debug',
  })
  t.same(normalizeFlags(['--node_id=0_1', '--', '--a_b', 'x_y']), ['--node-id=0_1', '--', '--a_b', 'x_y'])
  t.same(normalizeFlags(['--data', '--a_b', '--content_type', 'c']), [
    '--data',
    '--a_b',
    '--content-type',
    'c',
  ])
})

t.test('durations and sizes are read with their units', async t => {
  t.same(
    ['250', '250ms', '1.5s', '5m', '2h', '7d', ' 10 s '].map(parseDuration),
    [250, 250, 1_500, 300_000, 7_200_000, 604_800_000, 10_000],
  )
  t.same(
    ['4096', '64KiB', '8mib', '1GiB', '0.5KiB'].map(parseSize),
    [4_096, 65_536, 8_388_608, 1_073_741_824, 512],
  )
  for (const text of ['', 'x', '1y', '-1', '1.0001ms', '9'.repeat(20), '1e3', '0x10']) {
    t.equal(parseDuration(text), undefined, text)
  }
})

t.test('what is written of a number is read as that number again', async () => {
  fc.assert(
    fc.property(fc.nat({ max: 2 ** 50 }), value => {
      return parseDuration(formatDuration(value)) === value && parseSize(formatSize(value)) === value
    }),
    { verbose: true },
  )
})

t.test('retention may be without limit, written none or 0', async t => {
  const config = parsePeerArguments(
    ['--node-id', '0', '--retention-age', 'none', '--retention-size', '0'],
    {},
  )
  t.match(config, { retentionAgeMs: null, retentionBytes: null, retentionEvents: null })
})

t.test('a lone peer that founds lists itself', async t => {
  const config = parsePeerArguments(['--node-id', '0', '--found', '--port', '7001'], {})
  t.same(config.peers, [{ id: '0', url: 'http://127.0.0.1:7001' }])
})

t.test('a lone founder without a label stands on corner 0', async t => {
  const config = parsePeerArguments(['--found', '--port', '7001'], {})
  t.match(config, { nodeId: '0', data: 'data/0', peers: [{ id: '0', url: 'http://127.0.0.1:7001' }] })
  const elsewhere = parsePeerArguments(['--found', '--advertise', 'http://example.org:80/'], {})
  t.match(elsewhere, { url: 'http://example.org', peers: [{ id: '0', url: 'http://example.org' }] })
})

t.test('a peer that joins may leave its label to the cluster', async t => {
  const config = parsePeerArguments(['--join', `${VIA}/`, '--port', '5556'], {})
  t.match(config, { join: VIA, url: 'http://127.0.0.1:5556', data: 'data/peer_node_5556', peers: [] })
  t.equal(config.nodeId, undefined)
  t.equal(config.slotsGiven, false)
  const asked = parsePeerArguments(['--node-id', '101', '--slots', '64'], { HYPERCAST_JOIN: VIA })
  t.match(asked, { join: VIA, nodeId: '101', data: 'data/101', slotsGiven: true })
  t.equal(parsePeerArguments(['--join', VIA], { HYPERCAST_SLOTS: '32' }).slotsGiven, true)
  t.equal(parsePeerArguments(['--join', VIA, '--data', 'd'], {}).data, 'd')
})

t.test('the address a peer advertises is its own, whatever it listens on', async t => {
  const all = ['--host', '0.0.0.0', '--insecure', '--advertise', 'http://peer-1:80']
  t.match(parsePeerArguments(['--join', VIA, ...all], {}), { url: 'http://peer-1', host: '0.0.0.0' })
  t.match(parsePeerArguments(['--node-id', '0', ...all], {}), { url: 'http://peer-1' })
  const listed = ['--node-id', '000', '--port', '80', '--peers', LIST]
  const advertised = [...listed, '--advertise', 'http://127.0.0.1:5555']
  t.match(parsePeerArguments(advertised, {}), { url: 'http://127.0.0.1:5555', port: 80 })
})

t.test('eviction is off with 0', async t => {
  t.equal(parsePeerArguments(['--found', '--evict-after', '0'], {}).evictAfterMs, 0)
  t.equal(parsePeerArguments(['--found'], { HYPERCAST_EVICT_AFTER: '1h' }).evictAfterMs, 3_600_000)
})

t.test('each bad setting is refused in one line that names it and says what to do', async t => {
  const peer = ['--node-id', '000']
  const cases: [string[], RegExp][] = [
    [[], /--node-id is missing: give .* or --join a running cluster/],
    [['--node-id', '0x1'], /--node-id is "0x1": give a label/],
    [['--node-id', '0'.repeat(11)], /give a label of 1 to 10/],
    [[...peer, '--port', '0'], /--port is "0": give a port, 1 to 65535/],
    [[...peer, '--port', 'http'], /give a port/],
    [[...peer, '--port', ''], /give a port/],
    [[...peer, '--bogus'], /unknown option '--bogus'/],
    [[...peer, 'more'], /too many arguments/],
    [[...peer, '--data', ''], /--data is empty/],
    [[...peer, '--slots', '60'], /--slots is 60: give a power of two/],
    [[...peer, '--slots', '32768'], /--slots is "32768": give a number, 1 to 16384/],
    [[...peer, '--log-level', 'loud'], /give one of fatal, error/],
    [[...peer, '--heartbeat', 'soon'], /give a duration such as/],
    [[...peer, '--heartbeat', '1ms'], /10ms to 10s/],
    [[...peer, '--max-payload', 'big'], /give a size such as/],
    [[...peer, '--max-payload', '9MiB'], /--max-batch is smaller than --max-payload/],
    [[...peer, '--tick', '400ms'], /--tick is longer than --heartbeat/],
    [[...peer, '--election', '500ms'], /--election is shorter than three heartbeats/],
    [[...peer, '--allow-origin', 'example.org'], /--allow-origin has "example.org": give \* or an origin/],
    [[...peer, '--host', '0.0.0.0'], /not loopback .* add --insecure/],
    [[...peer, '--host', '0.0.0.0', '--insecure'], /say this peer’s URL with --advertise http/],
    [[...peer, '--peers', ','], /--peers is empty/],
    [[...peer, '--peers', '000:5555'], /write each peer as label=URL/],
    [[...peer, '--peers', '000=https://127.0.0.1:5555'], /give http:\/\/host:port/],
    [[...peer, '--peers', '000=http://127.0.0.1:5555/x'], /nothing behind it/],
    [
      [...peer, '--peers', `${LIST},01=http://127.0.0.1:5557`],
      /labels "000" and "01": make all labels equally wide/,
    ],
    [[...peer, '--peers', `${LIST},001=http://127.0.0.1:5557`], /lists 001 twice/],
    [[...peer, '--peers', `${LIST},010=http://127.0.0.1:5556/`], /lists http:\/\/127.0.0.1:5556 twice/],
    [[...peer, '--peers', '001=http://127.0.0.1:5556'], /--peers does not list 000: add 000=/],
    [[...peer, '--port', '6000', '--peers', LIST], /make the two ports equal/],
    [[...peer, '--found', '--peers', LIST], /--found is for a cube of one peer/],
    [['--found', '--peers', LIST], /--node-id is missing/],
    [['--join', VIA, '--found'], /--join and --found exclude each other: leave --found out/],
    [[...peer, '--join', VIA, '--peers', LIST], /--join and --peers exclude each other: leave --peers out/],
    [['--join', 'here'], /--join has the URL "here": give http:\/\/host:port/],
    [['--join', ''], /--join has the URL ""/],
    [['--join', `${VIA}/v1/peers`], /nothing behind it/],
    [
      ['--join', VIA, '--port', '5599'],
      /--join http:\/\/127.0.0.1:5599 is this peer itself: give the URL of/,
    ],
    [['--join', VIA, '--advertise', `${VIA}/`], /is this peer itself/],
    [['--join', VIA, '--host', '0.0.0.0', '--insecure'], /say this peer’s URL with --advertise/],
    [['--join', VIA, '--node-id', 'x'], /--node-id is "x": give a label/],
    [['--found', '--advertise', 'https://example.org'], /--advertise has the URL "https:\/\/example.org"/],
    [[...peer, '--peers', LIST, '--advertise', VIA], /but --advertise is .*: make the two equal or leave/],
    [[...peer, '--evict-after', '900ms'], /--evict-after is shorter than --election: .* or 0 for never/],
    [[...peer, '--evict-after', '31d'], /--evict-after is "31d": give a duration such as .*, 0ms to 30d/],
  ]
  for (const [argv, expected] of cases) {
    const message = refusal(argv)
    t.match(message, expected, argv.join(' '))
    t.notMatch(message, /\n./, 'it is one line')
  }
})

t.test('an environment variable that is wrong is named as such', async t => {
  t.match(refusal(['--node-id', '000'], { HYPERCAST_PORT: 'x' }), /^HYPERCAST_PORT is "x"/)
})

t.test('loopback in all its forms needs no --insecure', async t => {
  for (const host of ['127.0.0.1', '127.1.2.3', 'localhost', '::1']) {
    t.equal(refusal(['--node-id', '0', '--host', host]), '', host)
  }
  t.match(parsePeerArguments(['--node-id', '0', '--host', '::1', '--found'], {}).url, 'http://[::1]:5555')
})

t.test('no argument list makes anything but a configuration or a clear refusal', async () => {
  const flags = SETTINGS.map(setting => `--${setting.flag}`)
  const word = fc.oneof(fc.constantFrom(...flags), fc.string(), fc.constantFrom('000', '5555', '1s', LIST))
  fc.assert(
    fc.property(fc.array(word, { maxLength: 8 }), argv => {
      if (argv.some(argument => argument === '--help' || argument === '-h')) return
      refusal(argv)
    }),
    { verbose: true },
  )
})
