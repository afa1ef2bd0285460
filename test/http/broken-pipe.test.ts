import t from 'tap'
import { startProgram, topicWorld } from '../support/commands.ts'

t.test('a command whose stdout nobody reads any more goes on to its end and says nothing of it', async t => {
  const { url, peer } = await topicWorld(t)
  for (const argv of [['peers'], ['recover', '--lost', '001', '--force']]) {
    const { child, errors, exited } = startProgram([...argv, '--url', url])
    child.stdout.destroy()
    t.same(await exited, [0, null], argv.join(' '))
    t.equal(errors(), '')
  }
  const recovered = peer.membership.asked.filter(asked => 'lost' in asked)
  t.match(recovered, [{ lost: ['001'], force: true }])
})
