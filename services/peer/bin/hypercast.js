#!/usr/bin/env node
import { existsSync, readFileSync } from 'node:fs'
import module from 'node:module'

const NEEDED = 24
const major = Number(process.versions.node.split('.')[0])
if (major < NEEDED) {
  process.stderr.write(
    `hypercast needs Node ${NEEDED} or later and this is ${process.version}: install it from https://nodejs.org, or run ` +
      `"npm install node@${NEEDED}" here and start with "npx hypercast"\n`,
  )
  process.exit(2)
}

// Halves the time to load: compiled and type-stripped code is kept in the system's folder for temporary files.
module.enableCompileCache?.()

// A checkout runs its TypeScript as it is; an installed package holds JavaScript, since Node strips no types there.
const source = new URL('../main.ts', import.meta.url)
const entry = existsSync(source) ? source : new URL('../dist/main.js', import.meta.url)
const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
const { main } = await import(entry.href)
await main(process.argv.slice(2), version)
