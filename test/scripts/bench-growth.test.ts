import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import type { ChurnFigures } from '../../scripts/lib/bench/churn.ts'
import { growth, type Look, perMinute, plateau, type SettledSample } from '../../scripts/lib/bench/growth.ts'
import { askSettled } from '../../scripts/lib/bench/settled.ts'
import { verdicts } from '../../scripts/lib/bench/verdicts.ts'

const FROM_S = 120
const EVERY_30_S = Array.from({ length: 20 }, (_, at) => at * 30)

const settled = (peer: string, mib: (seconds: number) => number): SettledSample[] =>
  EVERY_30_S.map(seconds => ({ seconds, peer, heapMiB: mib(seconds) - 10, externalMiB: 10 }))
const looks = (residentMiB: (seconds: number) => number, streams = (_: number) => 500): Look[] =>
  Array.from({ length: 120 }, (_, at) => at * 5).map(seconds => ({
    seconds,
    residentMiB: residentMiB(seconds),
    files: 530,
    streams: streams(seconds),
  }))

t.test(
  'growth is of what is left after collections, of each peer by itself, once the caches are full',
  async t => {
    const filling = (seconds: number) => 60 + Math.min(seconds, FROM_S) / 4
    const [steady, leaking] = growth(
      [...settled('0', filling), ...settled('1', seconds => filling(seconds) + seconds / 60)],
      FROM_S,
    ) as [ReturnType<typeof growth>[number], ReturnType<typeof growth>[number]]
    t.same([steady.peer, steady.firstMiB, steady.lastMiB], ['0', 90, 90])
    t.ok(Math.abs(steady.perMinuteMiB) < 1e-9)
    t.ok(Math.abs(leaking.perMinuteMiB - 1) < 1e-9, `${leaking.perMinuteMiB}`)
    t.same(growth(settled('0', filling).slice(0, 5), FROM_S), [], 'one look says nothing')
  },
)

t.test('a sawtooth is a plateau, what goes higher and higher is none', async t => {
  const sawtooth = (seconds: number) => 250 + (seconds % 55)
  t.same(plateau(looks(sawtooth), FROM_S), { beforeMiB: 300, lastMiB: 300 })
  const rising = plateau(
    looks(seconds => sawtooth(seconds) + seconds / 2),
    FROM_S,
  )
  t.ok(rising.lastMiB > rising.beforeMiB * 1.1, `${rising.beforeMiB} ${rising.lastMiB}`)
  t.ok(Number.isNaN(plateau([], FROM_S).lastMiB))
  const streams = looks(sawtooth, seconds => 500 + seconds)
  t.ok(Math.abs(perMinute(streams, FROM_S, one => one.streams) - 60) < 1e-9)
  t.equal(
    perMinute(streams, FROM_S, one => one.files),
    0,
  )
})

t.test('the verdicts on churn', async t => {
  const sawtooth = (seconds: number) => 250 + (seconds % 55)
  const figures = (changes: Partial<ChurnFigures> = {}, minutes = 10): ChurnFigures => ({
    options: { peers: 2, minutes, perSecond: 100, population: 500, publishesPerS: 20 },
    opened: 1,
    events: 1,
    looks: [],
    settled: [],
    after: { look: looks(sawtooth)[0]!, settled: settled('0', () => 60)[0]! },
    growth: growth([...settled('0', () => 60), ...settled('1', () => 50)], FROM_S),
    plateau: plateau(looks(sawtooth), FROM_S),
    filesPerMinute: 0,
    streamsPerMinute: 0,
    left: { files: 3, streams: 0 },
    violations: [],
    ...changes,
  })
  const passes = (churn: ChurnFigures) => verdicts({ churn }).map(({ isPass }) => isPass)
  t.same(passes(figures()), [true, true, true])
  const grows = growth([...settled('0', () => 60), ...settled('1', seconds => 50 + seconds / 200)], FROM_S)
  t.same(passes(figures({ growth: grows })), [false, true, true], 'the other peer grows')
  t.same(passes(figures({ growth: [] })), [false, true, true], 'nothing was measured')
  t.same(passes(figures({ plateau: { beforeMiB: 300, lastMiB: 331 } })), [true, false, true])
  t.same(passes(figures({ streamsPerMinute: 4 })), [true, true, false])
  t.same(passes(figures({ left: { files: 0, streams: 1 } }, 1)), [true, true, false])
  t.same(passes(figures({ growth: [], streamsPerMinute: 99 }, 1)), [true, true, true], 'too short to judge')
})

t.test('a peer tells what is left when its garbage is collected', async t => {
  // Not tap's own folder: the path of a socket may have no more than about 100 characters.
  const folder = mkdtempSync(join(tmpdir(), 'collector-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'socket')
  const collector = fileURLToPath(new URL('../../scripts/lib/bench/collector.ts', import.meta.url))
  // 64 MiB in the heap of which nothing is needed, and 32 MiB outside it that are.
  const program =
    'const garbage = []; for (let at = 0; at < 64; at += 1) garbage.push(new Array(131072).fill(at)); ' +
    'globalThis.kept = Buffer.alloc(33554432); setInterval(() => { garbage.length = 0 }, 10)'
  const child = spawn(process.execPath, ['--import', collector, '--eval', program], {
    env: { PATH: process.env.PATH, BENCH_COLLECTOR: path },
    stdio: 'ignore',
  })
  t.teardown(() => child.kill('SIGKILL'))
  for (let tries = 0; tries < 100 && !existsSync(path); tries += 1) await delay(50)
  await delay(500)
  const { heapUsed, external, arrayBuffers, rss } = await askSettled(path)
  t.ok(heapUsed < 30e6, `${heapUsed}`)
  t.ok(arrayBuffers >= 33_554_432 && external >= arrayBuffers && rss > external)
  await t.rejects(askSettled(join(folder, 'nobody')))
})
