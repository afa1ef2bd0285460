import { accessSync, constants, existsSync, readdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { resolve } from 'node:path'
import { makeFolder } from '../folders.ts'
import type { PeerPlan } from './plan.ts'

/** A cube cannot be started as asked. The message is one line that says what to do. */
export class CubeError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'CubeError'
  }
}

/** Throws CubeError when a folder cannot be made or written; `option` is the flag that names it. */
export function checkFolder(folder: string, option: string): void {
  try {
    makeFolder(folder)
    accessSync(folder, constants.W_OK | constants.X_OK)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new CubeError(`cannot write to ${resolve(folder)} (${code}): give a writable folder with ${option}`)
  }
}

/** Throws CubeError when `data` holds peers of another cube than the one that is about to start. */
export function checkDataFolder(data: string, plans: readonly PeerPlan[]): void {
  if (!existsSync(data)) return
  const present = readdirSync(data).filter(name => /^[01]{1,10}$/.test(name))
  const foreign = present.find(name => !plans.some(plan => plan.id === name))
  if (foreign === undefined) return
  throw new CubeError(
    `${resolve(data)} holds the cube of ${present.length} peers ${present.sort().join(', ')}: start it with --peers ${present.length}, or give another folder with --data`,
  )
}

/** Throws CubeError naming the ports that something listens on already. */
export async function checkPorts(plans: readonly PeerPlan[]): Promise<void> {
  const taken: number[] = []
  for (const { port } of plans) if (!(await isFree(port))) taken.push(port)
  if (taken.length === 0) return
  const ports = taken.length === 1 ? `port ${taken[0]} is` : `ports ${taken.join(', ')} are`
  throw new CubeError(
    `${ports} in use: stop what listens there (a cube that runs already?) or give another --base-port`,
  )
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolveFree, reject) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolveFree(false)
      else reject(new CubeError(`cannot listen on port ${port} (${error.code}): give another --base-port`))
    })
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolveFree(true)))
  })
}
