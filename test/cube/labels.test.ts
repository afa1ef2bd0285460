import fc from 'fast-check'
import t from 'tap'
import {
  dimensionFor,
  displayId,
  formatLabel,
  growLabel,
  idFault,
  labelFault,
  parseLabel,
} from '../../services/peer/cube/labels.ts'

t.test('a label is the corner in binary, as wide as the dimension', async t => {
  t.equal(formatLabel(5, 3), '101')
  t.equal(formatLabel(0, 3), '000')
  t.equal(parseLabel('0101'), 5)
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10 }), fc.nat(1023), (dimension, any) => {
      const corner = any % 2 ** dimension
      const label = formatLabel(corner, dimension)
      return label.length === dimension && parseLabel(label) === corner && !labelFault(label, dimension)
    }),
  )
})

t.test('a corner outside the cube has no label', async t => {
  for (const corner of [8, -1, 1.5, Number.NaN]) t.throws(() => formatLabel(corner, 3), RangeError)
})

t.test('growth keeps a label’s value', async t => {
  t.equal(growLabel('101', 4), '0101')
  t.equal(growLabel('101', 3), '101')
  t.throws(() => growLabel('101', 2), RangeError)
})

t.test('an id may be narrower than the cube, never wider, and is shown as wide as the cube', async t => {
  t.equal(idFault('101', 4), undefined)
  t.equal(idFault('1', 1), undefined)
  t.match(idFault('101', 2), /has 3 digits where the cube's dimension is 2: use at most 2/)
  t.match(idFault('10x', 2), /binary digits/)
  t.match(idFault('', 2), /binary digits/)
  t.match(idFault(5, 2), /must be a string/)
  t.equal(displayId('101', 5), '00101')
  t.equal(displayId('101', 3), '101')
  t.equal(displayId('101', 2), '101')
})

t.test('what is no label is refused with a text that says what to write', async t => {
  t.equal(labelFault('011', 3), undefined)
  t.match(labelFault('11', 3), /write every id with 3 digits/)
  t.match(labelFault('012', 3), /binary digits, for example 000/)
  t.match(labelFault('', 3), /binary digits/)
  t.match(labelFault('011\n', 4), /binary digits/)
  t.match(labelFault(11, 3), /must be a string/)
  t.match(labelFault(undefined, 3), /must be a string/)
  t.throws(() => parseLabel('peer'), RangeError)
  t.throws(() => parseLabel(''), RangeError)
})

t.test('a cube has the smallest dimension with room for its peers', async t => {
  t.same([1, 2, 3, 4, 5, 8, 9, 16, 17].map(dimensionFor), [1, 1, 2, 2, 3, 3, 4, 4, 5])
})
