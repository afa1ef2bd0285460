/**
 * `npm run openapi` writes openapi.yaml, docs/ERRORS.md and clients/typescript/src/openapi.ts from the routes and the
 * table of errors. With `--check` it writes nothing: it lints the contract and fails when a file differs.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { clientTypes } from './client-types.ts'
import { contractText, errorsText } from './lib/contract.ts'
import { lintContract } from './lib/lint-contract.ts'

const isCheck = process.argv.includes('--check')
const root = new URL('../', import.meta.url)

const yaml = await contractText()
const files: Readonly<Record<string, string>> = {
  'openapi.yaml': yaml,
  'docs/ERRORS.md': errorsText(),
  'clients/typescript/src/openapi.ts': await clientTypes(yaml),
}

const faults = await lintContract(parse(yaml))
for (const [path, text] of Object.entries(files)) {
  const file = fileURLToPath(new URL(path, root))
  if (!isCheck) {
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, text)
  } else if ((await readFile(file, 'utf8').catch(() => undefined)) !== text) {
    faults.push(`${path} differs from the routes: npm run openapi writes it anew`)
  }
}
for (const fault of faults) console.error(fault)
if (faults.length === 0)
  console.log(isCheck ? 'The contract is as the routes are.' : 'The contract is written.')
process.exitCode = faults.length === 0 ? 0 : 1
