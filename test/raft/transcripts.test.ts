import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { Transcript } from './transcript.ts'

const folder = new URL('./transcripts/', import.meta.url)
const update = process.env.UPDATE_TRANSCRIPTS === '1'

for (const name of readdirSync(folder)
  .filter(file => file.endsWith('.txt'))
  .sort()) {
  t.test(`the members do what transcripts/${name} says (UPDATE_TRANSCRIPTS=1 rewrites it)`, t => {
    const file = new URL(name, folder)
    const written = readFileSync(file, 'utf8')
    const played = new Transcript().play(written)
    if (update) writeFileSync(file, played)
    t.equal(played, update ? played : written)
    t.end()
  })
}
