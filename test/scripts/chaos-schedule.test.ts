import tap from 'tap'
import { Random } from '../../scripts/lib/chaos/random.ts'
import {
  DEFAULT_KINDS,
  FAULT_KINDS,
  type FaultKind,
  leavesMajorities,
  makeSchedule,
} from '../../scripts/lib/chaos/schedule.ts'
import { placement } from '../../services/peer/cube/placement.ts'
import { LIMITS } from '../../services/peer/limits.ts'

const peers = ['000', '001', '010', '011', '100', '101', '110', '111']
const cube = { dimension: 3, peers: peers.map(id => ({ id })) }
const placements = Array.from({ length: 64 }, (_, slot) => placement(slot, cube, LIMITS.REPLICAS))

function schedule(seed: string, kinds: readonly FaultKind[] = DEFAULT_KINDS, rounds = 60) {
  return makeSchedule({ random: new Random(seed), kinds, peers, placements, rounds, diskPeer: '101' })
}

tap.test('the same seed gives the same schedule, another seed another', async t => {
  t.same(schedule('7'), schedule('7'))
  t.notSame(schedule('7'), schedule('8'))
})

tap.test('faults that overlap leave every slot a majority', async t => {
  let overlapping = 0
  for (let seed = 0; seed < 50; seed += 1) {
    for (const { faults } of schedule(String(seed))) {
      if (faults.length === 1) continue
      overlapping += 1
      const victims = faults.map(({ victims: [peer] }) => peer!)
      for (const replicas of placements) {
        const well = replicas.filter(peer => !victims.includes(peer))
        if (well.length <= replicas.length / 2)
          t.fail(`seed ${seed}: ${victims} leave ${replicas} no majority`)
      }
      if (faults.some(({ kind }) => FAULT_KINDS[kind].harms === 'all')) {
        t.fail(`seed ${seed}: a whole-cube fault overlaps with another`)
      }
    }
  }
  t.ok(overlapping > 100, `${overlapping} rounds overlapped`)
})

tap.test('two replicas of one slot are too many', async t => {
  const fault = { kind: 'kill', afterMs: 0, forMs: 1, strength: 0 } as const
  const [one, other] = placements[0]!
  t.equal(leavesMajorities([{ ...fault, victims: [one!] }], placements), true)
  t.equal(
    leavesMajorities(
      [
        { ...fault, victims: [one!] },
        { ...fault, victims: [other!] },
      ],
      placements,
    ),
    false,
  )
})

tap.test('every kind comes once before any comes again', async t => {
  const firsts = schedule('3', DEFAULT_KINDS, DEFAULT_KINDS.length).map(({ faults }) => faults[0]!.kind)
  t.same([...firsts].sort(), [...DEFAULT_KINDS].sort())
})

tap.test('a disk is only filled where there is a small one, and a link is cut between replicas', async t => {
  const faults = schedule('5', ['disk', 'link']).flatMap(round => round.faults)
  for (const { victims } of faults.filter(({ kind }) => kind === 'disk')) t.same(victims, ['101'])
  for (const { victims, other } of faults.filter(({ kind }) => kind === 'link')) {
    t.ok(placements.some(replicas => replicas.includes(victims[0]!) && replicas.includes(other!)))
    t.not(victims[0], other)
  }
})

tap.test(
  'what cannot be repaired yet is left out unless asked for, and then comes once, alone and last',
  async t => {
    t.notOk(DEFAULT_KINDS.includes('flip') || DEFAULT_KINDS.includes('wipe'))
    const rounds = schedule('4', ['kill', 'wipe', 'flip'], 20)
    const at = rounds.flatMap(({ faults }, index) =>
      faults.some(({ kind }) => FAULT_KINDS[kind].waitsFor) ? [index] : [],
    )
    t.same(at, [rounds.length - 1])
    t.equal(rounds.at(-1)!.faults.length, 1)
  },
)
