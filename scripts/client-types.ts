import openapiTS, { astToString } from 'openapi-typescript'

const HEADER = '// Generated from openapi.yaml by `npm run openapi`. Do not edit.\n\n'

/**
 * The TypeScript types of an OpenAPI document, as they are kept in clients/typescript/src/openapi.ts.
 * @param yaml the text of openapi.yaml
 * @throws Error when it is no valid OpenAPI 3 document
 */
export async function clientTypes(yaml: string): Promise<string> {
  return HEADER + astToString(await openapiTS(yaml, { silent: true }))
}
