import t from 'tap'
import { runNode } from './support.ts'

t.test('the demo tells its story to the end and exits with 0', async t => {
  const demo = runNode(['scripts/demo.ts'])
  const { code } = await demo.exited
  t.equal(code, 0, demo.output() + demo.errors())
  t.match(
    demo.output(),
    /start 8 peers[\s\S]*create the topic[\s\S]*kill -9 the primary[\s\S]*a replica has taken over/,
  )
  t.match(
    demo.output(),
    /primary again[\s\S]*every message, once and in order[\s\S]*all \d+ steps as promised/,
  )
  t.notMatch(demo.output(), /✗/)
})
