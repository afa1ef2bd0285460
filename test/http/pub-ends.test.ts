import { PassThrough, Readable, Writable } from 'node:stream'
import t, { type Test } from 'tap'
import { type PubTools, runPub } from '../../services/peer/commands/pub.ts'
import { type PubOptions, parsePub } from '../../services/peer/commands/stream-options.ts'
import { progressOn, tellOn } from '../../services/peer/commands/telling.ts'
import { LIMITS } from '../../services/peer/limits.ts'
import { type Answer, cut, FakePeer, json, problem } from '../clients/fake-peer.ts'
import { PAUSES, refusal, runProgram, Sink, startProgram, topicWorld } from '../support/commands.ts'

/** Publishes to the topic `t`; resolves with what was said. `interrupt` is the first Ctrl-C. */
function pub(
  url: string,
  stdin: Readable | string,
  flags: Partial<PubOptions> = {},
  tools: Partial<PubTools> = {},
) {
  const told: string[] = []
  const stopping = new AbortController()
  const stdout = new Sink()
  const input = stdin instanceof Readable ? stdin : Readable.from([stdin], { objectMode: false })
  const given = { stdin: input, stdout, tell: (line: string) => told.push(line), signal: stopping.signal }
  const done = runPub(
    { ...parsePub('t', { url: [url] }), ...flags },
    { ...given, waitMs: 2, pauses: PAUSES, ...tools },
  )
  return { done, told, stdout, interrupt: () => stopping.abort() }
}

/** A peer that takes every batch, unless `before` says otherwise once. */
async function taking(t: Test, before: (batch: number) => Answer | undefined = () => undefined) {
  let latest = 0
  const peer = await FakePeer.start((response, request) => {
    const otherwise = before(peer.requests.length)
    if (otherwise) return otherwise(response, request)
    const count = request.body.split('\n').length - 1
    latest += count
    const answer = {
      topic: 't',
      first: latest - count + 1,
      last: latest,
      count,
      cursor: `${latest}-1`,
      time: 'now',
    }
    json(201, answer)(response, request)
  })
  t.teardown(() => peer.stop())
  return peer
}

t.test('it is shown how far a long input is, and what a batch waits for', async t => {
  const shown: string[] = []
  let wake = () => {}
  const until = async (pattern: RegExp) => {
    while (!shown.some(text => pattern.test(text))) {
      await new Promise<void>(resolve => {
        wake = resolve
      })
    }
  }
  const show = (text: string) => {
    shown.push(text)
    wake()
  }
  let isFull = true
  const peer = await taking(t, batch => (batch > 1 && isFull ? problem(503, 'OVERLOADED') : undefined))
  const stdin = new PassThrough()
  const run = pub(peer.url, stdin, { batch: 2 }, { inputBytes: 16, progress: { show, everyMs: 1 } })
  stdin.write('one\r\ntwo\n')
  await until(/^2 events, [\d,]+ events\/s, 56% of the input$/)
  stdin.end('three\nf')
  await until(/^2 events, [^;]+; detail of OVERLOADED .*; trying http:/)
  isFull = false
  await run.done
  t.same(run.told, ['published 4 events to "t", offsets 1 to 4'])
  t.equal(shown.at(-1), '', 'it is taken away in the end')
})

t.test(
  'progress is a line that is written anew on a terminal, and lines elsewhere when asked for',
  async t => {
    const terminal = Object.assign(new Sink(), { isTTY: true })
    progressOn(terminal, undefined)!.show('1 event')
    tellOn(terminal)('done')
    t.equal(terminal.text, '\r\x1b[K1 event\r\x1b[Kdone\n')
    t.equal(progressOn(terminal, false), undefined)
    const file = new Sink()
    t.equal(progressOn(file, undefined), undefined)
    const { show, everyMs } = progressOn(file, true)!
    show('1 event')
    show('')
    tellOn(file)('done')
    t.equal(file.text, '1 event\ndone\n')
    t.equal(everyMs, LIMITS.PUB_PROGRESS_LINE_MS)
  },
)

t.test('an interrupt tells what was acknowledged, on stdout too, and gives up what nobody takes', async t => {
  const last = await taking(t, () => void within.interrupt())
  const within = pub(last.url, 'a\nb\n', { json: true })
  await within.done
  t.same(within.told, ['published 2 events to "t", offsets 1 to 2'], 'all of stdin was read and published')
  t.equal(JSON.parse(within.stdout.lines[0]!).last, 2)

  const waits = problem(503, 'NO_PRIMARY', { 'retry-after': '30' })
  const full = await taking(t, batch => (batch > 1 ? waits : undefined))
  const show = (text: string) => {
    if (text.includes('NO_PRIMARY')) waiting.interrupt()
  }
  const waiting = pub(full.url, 'a\nb\n', { batch: 1 }, { progress: { show, everyMs: 1 } })
  t.match(await refusal(t, waiting.done), /\(NO_PRIMARY\); line 2 is not published$/)
  t.same(waiting.told, ['published 1 event to "t", offset 1'])

  const cutting = await taking(t, () => cut)
  const doubtful = pub(cutting.url, new PassThrough(), { data: 'one' })
  await cutting.received(2)
  doubtful.interrupt()
  t.match(await refusal(t, doubtful.done), /^no answer from .*; whether it is published is not known$/)
})

t.test('a reader of stdout that goes away ends the publishing after the batch under way', async t => {
  const peer = await taking(t)
  const stdin = new PassThrough()
  stdin.write('a\nb\n')
  const stdout = new Writable({
    write: (_chunk, _encoding, done) => done(Object.assign(new Error('EPIPE'), { code: 'EPIPE' })),
  })
  const { done, told } = pub(peer.url, stdin, { json: true, batch: 1 }, { stdout })
  t.equal(await refusal(t, done), 'stopped before the end of stdin: published 1 event to "t", offset 1')
  t.equal(peer.requests.length, 1)
  t.same(told, [])
})

t.test('a line that is too long ends the publishing; what stands before it is published', async t => {
  const peer = await taking(t)
  const endless = Readable.from(
    (function* () {
      yield 'a\nb\n'
      for (;;) yield 'x'.repeat(1_048_576)
    })(),
    { objectMode: false },
  )
  const { done, told } = pub(peer.url, endless)
  t.equal(
    await refusal(t, done),
    `line 3 is longer than ${LIMITS.PUB_LINE_BYTES} bytes: no peer takes so large an event`,
  )
  t.same(told, ['published 2 events to "t", offsets 1 to 2'])
})

t.test('the program ends a stdin that never ends when it is interrupted', async t => {
  const { url, events } = await topicWorld(t)
  const { child, errors, exited } = startProgram(['pub', 't', '--url', url, '--json'], 'pipe')
  const read = new Sink()
  child.stdout.pipe(read)
  child.stdin!.write('one\ntwo\nhalf')
  await read.until(1)
  child.kill('SIGINT')
  t.same(await exited, [1, null])
  t.equal(errors(), 'hypercast: stopped before the end of stdin: published 2 events to "t", offsets 1 to 2\n')
  t.equal((await events()).length, 2)
})

t.test('the program goes on when nobody reads its stderr', async t => {
  const { url, events } = await topicWorld(t)
  const { child, exited } = startProgram(['pub', 't', '--url', url, '--json', '--progress'], 'pipe')
  child.stderr.destroy()
  const read = new Sink()
  child.stdout.pipe(read)
  child.stdin!.write('one\n')
  await read.until(1)
  child.stdin!.end('two\n')
  t.same(await exited, [0, null])
  t.equal((await events()).length, 2)
  const told = await runProgram(['pub', 't', '--url', url, '--no-progress'], 'three\n')
  t.same(told, { code: 0, out: '', err: 'published 1 event to "t", offset 3\n' })
})
