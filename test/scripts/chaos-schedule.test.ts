import tap from 'tap'
import { ALL_KINDS, FAULT_KINDS, type FaultKind } from '../../scripts/lib/chaos/kinds.ts'
import { Random } from '../../scripts/lib/chaos/random.ts'
import { RosterView } from '../../scripts/lib/chaos/roster-view.ts'
import { leavesMajorities, type Round, Schedule, type Situation } from '../../scripts/lib/chaos/schedule.ts'
import { cubeLabels } from '../../services/peer/launcher/plan.ts'

const SIZE = 8
const DISK_PEER = '101'
const founded = RosterView.founded(cubeLabels(SIZE), 64)

interface Planned {
  readonly before: Situation
  readonly round: Round
}

/** A cube that does what its rounds say. */
class Model {
  roster = founded
  away: string[] = []
  #joined = 0

  get fresh(): string {
    return `new-${this.#joined + 1}`
  }

  apply({ faults }: Round): void {
    for (const { kind, victims, other } of faults) {
      const [peer] = victims as readonly [string]
      if (kind === 'leave') this.away.push(peer)
      if (kind === 'leave' || kind === 'evict') this.roster = this.roster.without(peer)
      if (kind === 'join' || kind === 'evict') this.#join(kind === 'join' ? peer : other!)
    }
  }

  #join(name: string): void {
    if (name === this.fresh) this.#joined += 1
    this.away = this.away.filter(other => other !== name)
    this.roster = this.roster.with(name)
  }
}

function plan(seed: string, kinds: readonly FaultKind[] = ALL_KINDS, rounds = 60): Planned[] {
  const schedule = new Schedule({ random: new Random(seed), kinds, size: SIZE, diskPeer: DISK_PEER })
  const model = new Model()
  return Array.from({ length: rounds }, () => {
    const before = { roster: model.roster, away: model.away, fresh: model.fresh }
    const round = schedule.next(before)
    model.apply(round)
    return { before, round }
  })
}

const faultsOf = (planned: readonly Planned[]) => planned.flatMap(({ round }) => round.faults)

tap.test('the same seed gives the same schedule, another seed another', async t => {
  t.same(plan('7'), plan('7'))
  t.notSame(plan('7'), plan('8'))
})

tap.test('faults that overlap leave every slot a majority, before and after the roster changes', async t => {
  let [overlapping, changing] = [0, 0]
  for (let seed = 0; seed < 40; seed += 1) {
    const planned = plan(String(seed))
    for (const [index, { before, round }] of planned.entries()) {
      const { faults } = round
      if (faults.length === 1) continue
      overlapping += 1
      if (FAULT_KINDS[faults[0]!.kind].isChange) changing += 1
      const victims = faults.flatMap(fault => fault.victims)
      const after = planned[index + 1]?.before.roster ?? before.roster
      for (const replicas of [...before.roster.placements, ...after.placements]) {
        const well = replicas.filter(peer => !victims.includes(peer))
        if (well.length <= replicas.length / 2)
          t.fail(`seed ${seed}: ${victims} leave ${replicas} no majority`)
      }
      if (faults.some(({ kind }) => FAULT_KINDS[kind].harms === 'all')) {
        t.fail(`seed ${seed}: a whole-cube fault overlaps with another`)
      }
      if (faults.filter(({ kind }) => FAULT_KINDS[kind].isChange).length > 1) {
        t.fail(`seed ${seed}: two changes overlap`)
      }
    }
  }
  t.ok(overlapping > 200, `${overlapping} rounds overlapped`)
  t.ok(changing > 50, `${changing} of them while slots moved`)
})

tap.test('two replicas of one slot are too many', async t => {
  const fault = { kind: 'kill', afterMs: 0, forMs: 1, strength: 0 } as const
  const [one, other] = founded.placements[0]!
  const faults = [one!, other!].map(peer => ({ ...fault, victims: [peer] }))
  t.equal(leavesMajorities(faults.slice(0, 1), founded.placements), true)
  t.equal(leavesMajorities(faults, founded.placements), false)
})

tap.test('every kind comes once before any comes again', async t => {
  const firsts = plan('3', ALL_KINDS, ALL_KINDS.length).map(({ round }) => round.faults[0]!.kind)
  t.same([...firsts].sort(), [...ALL_KINDS].sort())
})

tap.test('a disk is only filled where there is a small one, and a link is cut between replicas', async t => {
  for (const { before, round } of plan('5', ['disk', 'link', 'evict'])) {
    for (const { kind, victims, other } of round.faults) {
      if (kind === 'disk') t.same(victims, [DISK_PEER])
      if (kind !== 'link') continue
      const { placements } = before.roster
      t.ok(placements.some(replicas => replicas.includes(victims[0]!) && replicas.includes(other!)))
      t.not(victims[0], other)
    }
  }
})

tap.test(
  'peers come and go: at most one more and one less than at first, and the small disk stays',
  async t => {
    const planned = plan('6', ['join', 'leave', 'evict'], 200)
    const sizes = new Set(planned.map(({ before }) => before.roster.corners.length))
    t.same([...sizes].sort(), [SIZE - 1, SIZE, SIZE + 1])
    t.ok(planned.every(({ before }) => before.roster.names.includes(DISK_PEER)))
    const joiners = faultsOf(planned).flatMap(({ kind, victims, other }) =>
      kind === 'join' ? victims : kind === 'evict' ? [other!] : [],
    )
    t.ok(joiners.includes('new-2'), 'new ones join')
    t.ok(new Set(joiners).size < joiners.length, 'some that left come back')
  },
)

tap.test('with one kind alone, what was changed is made up for', async t => {
  const kinds = (kind: FaultKind) => faultsOf(plan('9', [kind], 4)).map(fault => fault.kind)
  t.same(kinds('leave'), ['leave', 'join', 'leave', 'join'])
  t.same(kinds('join'), ['join', 'leave', 'join', 'leave'])
})

tap.test('a view gives the lowest free corner, grows when it is full and keeps what remains', async t => {
  t.same(founded.placements[6], ['110', '010', '100'])
  t.equal(founded.placements.length, 65)
  t.same(founded.placements[64]?.length, 5, 'the roster’s own slot')
  const grown = founded.with('ninth')
  t.equal(grown.dimension, 4)
  t.same(grown.corners.at(-1), { name: 'ninth', id: '1000' })
  t.equal(grown.placements[8]?.[0], 'ninth')
  const left = founded.without('010')
  t.same(left.with('again').corners[2], { name: 'again', id: '010' })
  t.equal(left.placements[2]?.[0], '110')
})
