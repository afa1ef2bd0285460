import t from 'tap'
import { covers, merge, type Place, readPlace, settle } from '../../clients/typescript/src/place.ts'

function place(text: string): Place {
  return readPlace(text)!
}

t.test('places of one topic and of several are read, anything else is not', async t => {
  t.ok(readPlace('42-1'))
  t.ok(readPlace('1.2s.4f~30.0.0~31.tlx3k9a2'))
  for (const text of ['', '42', '1.2', '1.2.3~', 'a b', '1.2.3 ~2.0.0', '1.2.3.4']) {
    t.equal(readPlace(text), undefined, text)
  }
})

t.test('a place covers another when it has passed all that the other has, in every slot', async t => {
  const cases: [string, string, boolean][] = [
    ['1.5.9~2.1.1', '1.5.9~2.1.1', true],
    ['1.z.9~2.1.1', '1.5.9~2.1.1', true],
    ['1.10.9', '1.z.9', true],
    ['1.5.9~2.1.1', '1.5.9~2.2.2', false],
    ['1.6.8', '1.5.9', false],
    ['1.5.9', '1.5.9~2.0.0', false],
    ['1.5.9~2.t5', '1.5.9~2.t5', true],
    ['1.5.9~2.t6', '1.4.9~2.t5', false],
    ['1.5.9~2.9.9', '1.5.9~2.t5', false],
    ['1.5.9~2.t5', '1.5.9~2.0.0', false],
    ['7-1', '6-1', true],
    ['6-1', '7-1', false],
    ['1-2', '7-1', true],
    ['7-1', '1-2', false],
  ]
  for (const [one, other, is] of cases) {
    t.equal(covers(place(one), place(other)), is, `${one} covers ${other}: ${is}`)
  }
})

t.test('merged places have passed what either has, and are written as peers do', async t => {
  t.equal(merge(place('1.5.9~2.1.1'), place('1.2.3~2.z.zz')).text, '1.5.9~2.z.zz')
  t.equal(merge(place('a.1.1~2.t9~1.1.1'), place('2.3.4~1.2.2~3.0.0')).text, '1.2.2~2.3.4~3.0.0~a.1.1')
  t.equal(merge(place('7-1'), place('6-1')).text, '7-1')
  const both = merge(place('1.5.9~2.1.1'), place('1.2.3~2.z.zz'))
  t.same(readPlace(both.text)!.parts, both.parts)
})

t.test('an undecided start is settled where the stream later has it', async t => {
  t.equal(settle(place('1.t5~2.0.0'), place('1.7.8~2.3.3')).text, '1.7.8~2.0.0')
  t.equal(settle(place('1.t5'), place('1.t5')).text, '1.t5')
})
