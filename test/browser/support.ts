import { accessSync, constants, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Browser, chromium } from 'playwright-core'
import { ROOT, runNode } from '../e2e/support.ts'

const PAGE = `<!doctype html><title>a page</title><script type="importmap">
{ "imports": { "@hypercast/client": "/client/index.js", "@hypercast/client/shared": "/client/shared.js",
  "openapi-fetch": "/openapi-fetch/index.mjs" } }
</script>`
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'
const ARGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Why the test does not run, for its name. */
export const MISSING = isExecutable(CHROMIUM)
  ? false
  : `there is no ${CHROMIUM}: install the package chromium or set CHROMIUM`

/** A page on an origin of its own, as an application's would be, with the files it asks for. */
export async function servePage(
  t: { teardown(run: () => void): void },
  folders: Readonly<Record<string, string>> = {},
): Promise<string> {
  const server = createServer(({ url = '/' }, response) => {
    const [, folder = '', file = ''] = /^\/([^/]+)\/([\w./-]+)$/.exec(url) ?? []
    const path = folders[folder]
    if (path === undefined) response.setHeader('content-type', 'text/html').end(PAGE)
    else response.setHeader('content-type', 'text/javascript').end(readFileSync(join(path, file)))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Starts Chromium; it ends with the test. */
export async function openBrowser(t: { teardown(run: () => Promise<void>): void }): Promise<Browser> {
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGS })
  t.teardown(() => browser.close())
  return browser
}

/** Builds the client as it is published. @returns the folders that a page loads it from */
export async function builtClient(t: { testdir(): string }): Promise<Record<string, string>> {
  const client = t.testdir()
  const build = ['-p', 'clients/typescript/tsconfig.build.json', '--outDir', client]
  const compiler = runNode(['node_modules/typescript/bin/tsc', ...build], { cwd: ROOT })
  const { code } = await compiler.exited
  if (code !== 0) throw new Error(`the client cannot be built:\n${compiler.output()}`)
  return { client, 'openapi-fetch': dirname(fileURLToPath(import.meta.resolve('openapi-fetch'))) }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
