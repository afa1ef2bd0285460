import type { PeerApi } from '../../services/peer/http/api.ts'
import { buildApp } from '../../services/peer/http/app.ts'
import { errorMarkdown } from '../../services/peer/http/error-page.ts'
import { openapiYaml } from '../../services/peer/http/openapi.ts'

/** openapi.yaml as the routes say it. No peer stands behind them: nothing is asked of them. */
export async function contractText(): Promise<string> {
  const settings = { maxPayloadBytes: 1, maxBatchBytes: 1, requestTimeoutMs: 1_000 }
  const app = await buildApp({
    settings,
    streams: { close() {} },
    links: { closeLanes() {} },
  } as unknown as PeerApi)
  try {
    return openapiYaml(app)
  } finally {
    await app.close()
  }
}

/** docs/ERRORS.md as the table of errors says it. */
export function errorsText(): string {
  return errorMarkdown()
}
