import t from 'tap'
import {
  mergeSettings,
  sameSettings,
  settingsProblem,
  UNLIMITED,
} from '../../services/peer/topics/settings.ts'

t.test('settings are positive whole numbers or null', async t => {
  t.equal(settingsProblem({}), undefined)
  t.equal(settingsProblem({ maxAgeMs: 1, maxEvents: null, maxBytes: Number.MAX_SAFE_INTEGER }), undefined)
  for (const value of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, '5', true, []]) {
    t.match(settingsProblem({ maxEvents: value }), /maxEvents is a whole number/)
  }
  t.match(settingsProblem({ maxevents: 1 }), /no setting "maxevents"/)
  for (const input of [null, [], 'x', 7, undefined]) t.match(settingsProblem(input), /JSON object/)
})

t.test('a change replaces what it names and null lifts a limit', async t => {
  const base = { maxAgeMs: 5, maxEvents: 6, maxBytes: 7 }
  t.same(mergeSettings(base, {}), base)
  t.same(mergeSettings(base, { maxAgeMs: undefined }), base)
  t.same(mergeSettings(base, { maxAgeMs: null, maxBytes: 1 }), { maxAgeMs: null, maxEvents: 6, maxBytes: 1 })
  t.ok(sameSettings(mergeSettings(base, UNLIMITED), UNLIMITED))
  t.notOk(sameSettings(base, UNLIMITED))
})
