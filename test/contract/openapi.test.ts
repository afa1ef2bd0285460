import { readFile } from 'node:fs/promises'
import type { InjectOptions } from 'fastify'
import t from 'tap'
import { parse } from 'yaml'
import { clientTypes } from '../../scripts/client-types.ts'
import { contractText, errorsText } from '../../scripts/lib/contract.ts'
import { lintContract } from '../../scripts/lib/lint-contract.ts'
import { HypercastError } from '../../services/peer/errors.ts'
import { makeApp } from '../support/app.ts'
import { type Contract, ContractChecker } from './contract-checker.ts'

const read = (path: string) => readFile(new URL(`../../${path}`, import.meta.url), 'utf8')
const generated = await contractText()
const contract: Contract = parse(generated)

t.test('the committed contract, error page and client types are as the routes are', async t => {
  const remedy = 'npm run openapi writes it anew'
  t.equal(await read('openapi.yaml'), generated, remedy)
  t.equal(await read('docs/ERRORS.md'), errorsText(), remedy)
  t.equal(await read('clients/typescript/src/openapi.ts'), await clientTypes(generated), remedy)
})

t.test('the contract passes the linter, which finds what is wrong', async t => {
  t.same(await lintContract(contract), [])
  const bad = structuredClone(contract) as unknown as {
    openapi: string
    paths: Record<string, Record<string, Record<string, unknown>>>
  }
  const operation = bad.paths['/v1/cube']!.get!
  operation.operationId = 'getPeer'
  operation.tags = ['nonsense']
  delete operation.summary
  operation.responses = { 200: { description: 'Default Response' } }
  const faults = await lintContract(bad)
  for (const part of [
    'another operation',
    'undeclared tag',
    'no summary',
    'describe its answer',
    'no problem',
  ]) {
    t.ok(
      faults.some(fault => fault.includes(part)),
      part,
    )
  }
  bad.openapi = '3.1.0'
  bad.paths['/v1/cube']!.get = { responses: 5 as unknown as object }
  t.match((await lintContract(bad)).join(), 'no valid OpenAPI')
})

t.test('every route is in the contract and the contract has no others', async t => {
  const { app } = await makeApp(t)
  const routes = app.pathTable
    .routes()
    .filter(([path]) => !path.startsWith('/docs') && !path.startsWith('/v1/relay/'))
    .flatMap(([path, methods]) =>
      methods
        .filter(method => method !== 'HEAD')
        .map(method => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`),
    )
  const documented = Object.entries(contract.paths).flatMap(([path, operations]) =>
    Object.keys(operations).map(method => `${method.toUpperCase()} ${path}`),
  )
  t.same(routes.sort(), documented.sort())
})

t.test('the answers are as the contract says', async t => {
  const { app, peer } = await makeApp(t, { maxPayloadBytes: 1_000, maxBatchBytes: 2_000 })
  const checker = new ContractChecker(contract)
  const ask = async (
    method: NonNullable<InjectOptions['method']>,
    url: string,
    options: InjectOptions = {},
  ) => {
    const answer = await app.inject({ ...options, method, url })
    t.equal(checker.fault(method, url, answer), undefined, `${method} ${url} ${answer.statusCode}`)
    return answer
  }
  const json = { headers: { accept: 'application/json' } }
  const ndjson = { 'content-type': 'application/x-ndjson' }

  await ask('POST', '/v1/topics', { payload: { name: 'sports', maxEvents: 100 } })
  await ask('POST', '/v1/topics', { payload: { name: 'sports', maxEvents: 100 } })
  await ask('POST', '/v1/topics', { payload: { name: 'sports', maxEvents: 1 } })
  await ask('POST', '/v1/topics', { payload: { name: '$x' } })
  await ask('POST', '/v1/topics', { payload: 'x', headers: { 'content-type': 'text/xml' } })
  await ask('PUT', '/v1/topics/news')
  await ask('PUT', '/v1/topics/news')
  await ask('PUT', '/v1/topics/news', { headers: { origin: 'http://evil.example' } })
  await ask('GET', '/v1/topics')
  await ask('GET', '/v1/topics?limit=0')
  await ask('GET', '/v1/topics/sports')
  await ask('GET', '/v1/topics/none')
  await ask('GET', '/v1/topics/sports/subscribers')
  await ask('GET', '/v1/topics/none/subscribers')
  await ask('PATCH', '/v1/topics/sports', { payload: { maxBytes: 5_000 } })
  await ask('PATCH', '/v1/topics/sports', { payload: { maxBytes: 0 } })
  await ask('POST', '/v1/topics/sports/publish', { payload: 'x', headers: { 'idempotency-key': 'k' } })
  await ask('POST', '/v1/topics/sports/publish', { payload: 'y', headers: { 'idempotency-key': 'k' } })
  await ask('POST', '/v1/topics/sports/publish', { payload: 'y'.repeat(1_001) })
  await ask('POST', '/v1/topics/sports/publish', { payload: Buffer.from([0xff]) })
  await ask('POST', '/v1/topics/sports/publish', {
    payload: '{"a":[1]}',
    headers: { 'content-type': 'application/json', 'ce-type': 'goal', 'ce-source': '/x' },
  })
  await ask('POST', '/v1/topics/none/publish', { payload: 'x' })
  await ask('POST', '/v1/topics/sports/batch', {
    payload: '{"data":"a"}\n{"data_base64":"AP8="}',
    headers: ndjson,
  })
  await ask('POST', '/v1/topics/sports/batch', { payload: '{}', headers: ndjson })
  await ask('POST', '/v1/topics/sports/batch', { payload: '', headers: ndjson })
  const cloudEvent = '{"specversion":"1.0","id":"a","source":"/b","type":"c","round":1,"data":{}}'
  const structured = { 'content-type': 'application/cloudevents+json' }
  const list = { 'content-type': 'application/cloudevents-batch+json' }
  await ask('POST', '/v1/topics/sports/publish', { payload: cloudEvent, headers: structured })
  await ask('POST', '/v1/topics/sports/publish', { payload: '{}', headers: structured })
  await ask('POST', '/v1/topics/sports/publish', { payload: `[${cloudEvent}]`, headers: list })
  await ask('POST', '/v1/topics/sports/publish', { payload: '[]', headers: list })
  await ask('POST', '/v1/topics/sports/batch', { payload: `[${cloudEvent}]`, headers: list })
  await ask('POST', '/v1/topics/sports/batch', { payload: '[{}]', headers: list })
  await ask('GET', '/v1/topics/sports/events', json)
  await ask('GET', '/v1/topics/sports/events', { headers: { accept: 'application/x-ndjson' } })
  await ask('GET', '/v1/topics/sports/events', { headers: { accept: 'text/html' } })
  await ask('GET', '/v1/topics/sports/events?lastEventId=x', json)
  await ask('GET', '/v1/topics/none/events')
  await ask('GET', '/v1/events')
  await ask('GET', '/v1/events?topic=sports', json)
  await peer.slots.append(30, { kind: 'trim', topic: 'sports', incarnation: 1, before: 2, bytes: 1 })
  await ask('GET', '/v1/topics/sports/events?from=1', json)
  for (const path of [
    '/v1/cube',
    '/v1/peers',
    '/v1/peers/000',
    '/v1/peers/x',
    '/health/live',
    '/health/ready',
  ]) {
    await ask('GET', path)
  }
  const joiner = { uid: 'uid-new', url: 'http://127.0.0.1:7000' }
  await ask('POST', '/v1/peers', { payload: joiner })
  await ask('POST', '/v1/peers', { payload: joiner })
  await ask('POST', '/v1/peers', { payload: { uid: 'u', url: 'x' } })
  await ask('POST', '/v1/peers', { payload: 'x', headers: { 'content-type': 'text/xml' } })
  await ask('POST', '/v1/peers', { payload: joiner, headers: { origin: 'http://evil.example' } })
  await ask('DELETE', '/v1/peers/001')
  await ask('DELETE', '/v1/peers/nobody')
  await ask('DELETE', '/v1/peers/001?force=x')
  await ask('POST', '/v1/recover', { payload: { lost: ['000'] } })
  await ask('POST', '/v1/recover', { payload: { lost: [] } })
  await ask('GET', '/v1/peers?progress=true')
  await ask('GET', '/v1/cube?progress=true')
  for (const code of [
    'CUBE_FULL',
    'ADDRESS_UNREACHABLE',
    'NO_PRIMARY',
    'OUTCOME_UNKNOWN',
    'DISK_FULL',
  ] as const) {
    peer.membership.failure = new HypercastError(code)
    await ask('POST', '/v1/peers', { payload: { ...joiner, uid: 'other' } })
  }
  for (const code of ['PEER_SILENT', 'RECOVERY_INCOMPLETE', 'OUTCOME_UNKNOWN'] as const) {
    peer.membership.failure = new HypercastError(code)
    await ask('POST', '/v1/recover', { payload: { lost: ['000'] } })
  }
  peer.membership.failure = new HypercastError('LAST_PEER')
  await ask('DELETE', '/v1/peers/000')
  await ask('GET', '/metrics')
  await ask('GET', '/openapi.yaml')
  for (const path of Object.keys(contract.paths).filter(path => contract.paths[path]?.get)) {
    await ask('GET', `${path.replace('{topic}', 'sports').replace('{id}', '000')}?nonsense=1`)
  }
  await ask('DELETE', '/v1/topics/news')
  await ask('DELETE', '/v1/topics/news')
  await ask('GET', '/v1/topics/news/events?lastEventId=0-1')
  await ask('POST', '/v1/replicate')
  await ask('POST', '/v1/heartbeat')

  peer.failing = { code: 'NO_PRIMARY', definite: true }
  await ask('GET', '/v1/topics')
  await ask('GET', '/v1/topics/sports')
  await ask('POST', '/v1/topics/sports/publish', { payload: 'x' })
  peer.failing = { code: 'NO_PRIMARY', definite: false }
  await ask('POST', '/v1/topics/sports/publish', { payload: 'x' })
  await ask('PUT', '/v1/topics/sports')
  peer.failing = { code: 'DISK_FULL', definite: true }
  await ask('POST', '/v1/topics/sports/publish', { payload: 'x' })
  peer.isReady = false
  peer.current = null
  await ask('GET', '/health/ready')
  await ask('GET', '/v1/cube')
  await ask('POST', '/v1/heartbeat')

  const streams = new Set([
    'GET /v1/cube/events 200',
    'GET /v1/events 200',
    'POST /v1/replicate 200',
    'POST /v1/heartbeat 200',
  ])
  for (const [path, operations] of Object.entries(contract.paths)) {
    for (const [method, { responses }] of Object.entries(operations)) {
      for (const status of Object.keys(responses).filter(
        status => status.startsWith('2') && status !== '204',
      )) {
        const where = `${method.toUpperCase()} ${path} ${status}`
        if (!streams.has(where)) t.ok(checker.seen.has(where), `${where} was checked`)
      }
    }
  }
})
