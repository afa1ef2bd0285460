/** `npm start`: the command `hypercast cube`. */
import { readFileSync } from 'node:fs'
import { main } from '../services/peer/main.ts'

const { version } = JSON.parse(
  readFileSync(new URL('../services/peer/package.json', import.meta.url), 'utf8'),
)
await main(['cube', ...process.argv.slice(2)], version)
