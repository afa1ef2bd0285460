import { hostname, userInfo } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RecoveryBody } from '../http/recovery-schemas.ts'
import { LIMITS } from '../limits.ts'
import { ask, askPeers, CommandError } from './ask.ts'
import type { RecoverOptions } from './commands.ts'
import { progressLine } from './peers.ts'

const LOOK_MS = 1_000
/** How long the peer may take: a step for each batch of slots and for each round of questions. */
const PATIENCE = {
  timeoutMs: 10 * 60_000,
  late: 'the peer has not answered yet: it may still be going on with it. Ask again: what is done by then is left alone',
}
/** Looks in a row without an answer before the waiting ends. */
const MAX_VAIN_LOOKS = 30

export interface RecoverTools {
  readonly say: (line: string) => void
  /** Ends the waiting. */
  readonly signal: AbortSignal
  /** Pause between two looks, in milliseconds. */
  readonly lookMs?: number
}

/**
 * `hypercast recover`: says what becomes of slots that lost their majority with these peers; with `force` lets it be
 * done and waits until every slot stands where it belongs. Rejects with CommandError when it is refused, when the waiting
 * ends before, when slots stay lost, and when there is something to do and `force` is not given: nothing was changed then.
 */
export async function runRecover(options: RecoverOptions, tools: RecoverTools): Promise<void> {
  const { url, lost, force } = options
  const { say, signal } = tools
  const wish = { lost, force, by: whoAmI() }
  try {
    const body = await ask<RecoveryBody>('POST', url, '/v1/recover', signal, wish, PATIENCE)
    if (!Array.isArray(body?.slots)) throw new CommandError(`${url} is no peer: it answers no recovery`)
    for (const line of recoveryLines(body)) say(line)
    if (body.slots.length + body.lost.length + body.stuck.length === 0) return
    const stuck = body.stuck.length > 0 ? stuckLine(body.stuck) : undefined
    if (!body.done) {
      const line =
        'nothing was changed: if these peers are gone for good, say so with --force. What only they had is lost then'
      throw new CommandError(stuck ? `${line}. ${stuck}` : line)
    }
    // Those never settle.
    if (stuck) throw new CommandError(stuck)
    await untilSettled(url, tools)
  } catch (error) {
    if (!signal.aborted) throw error
    throw new CommandError('stopped: the same command says what is left to do')
  }
}

/** What was done, or would be, a line for each step. */
export function recoveryLines({ done, lost, slots, kept, stuck }: RecoveryBody): string[] {
  const lines = slots.map(({ slot, roster, action, peer, last, corrupt }) => {
    const what = roster ? 'the roster' : `slot ${slot}`
    if (action === 'continued') {
      const others = corrupt.length > 0 ? `, and peer ${corrupt.join(', ')} with a corrupt record,` : ''
      return `${what} ${done ? 'goes' : 'would go'} on at peer ${peer} up to entry ${last} of its log: what only the lost${others} had behind it is gone`
    }
    const gone = roster
      ? 'the newest version that any peer knows is taken'
      : 'its topics are gone, it begins empty'
    return `${what} ${done ? 'is' : 'would be'} founded anew at peer ${peer}, because no copy is left: ${gone}`
  })
  for (const { slot, corrupt } of stuck) {
    lines.push(
      `slot ${slot} stays lost: all that is left of it is at peer ${corrupt.join(', ')} and has a corrupt record`,
    )
  }
  for (const { id, url } of lost) {
    lines.push(
      `peer ${id} at ${url} ${done ? 'is' : 'would be'} off the list: empty its data folder before it is started again`,
    )
  }
  lines.push(
    slots.length + stuck.length === 0
      ? `no slot has lost its majority (${kept} looked at)`
      : `${kept} slots have a majority and are left alone`,
  )
  return lines
}

function stuckLine(stuck: RecoveryBody['stuck']): string {
  const numbers = stuck.map(({ slot }) => slot).join(', ')
  return `Slots that stay lost: ${numbers}. Stop a peer with a corrupt record of them and name it as lost as well: the slot is founded anew when no copy is left`
}

async function untilSettled(url: string, { say, signal, lookMs = LOOK_MS }: RecoverTools): Promise<void> {
  let said = ''
  for (let vain = 0; vain < MAX_VAIN_LOOKS; ) {
    const answer = await askPeers(url, signal).catch(error => {
      if (error instanceof CommandError) return undefined
      throw error
    })
    vain = answer ? 0 : vain + 1
    if (answer) {
      const line = progressLine(answer)
      if (line !== said) say(line)
      said = line
      if (answer.moving === 0 && answer.unknown === 0) return
    }
    await sleep(lookMs, undefined, { signal })
  }
  throw new CommandError('the peer does not answer any more: the same command says what is left to do')
}

/** For the roster's note. */
function whoAmI(): string {
  let name = 'somebody'
  try {
    name = userInfo().username
  } catch {
    // There is no such user: so it is in some containers.
  }
  return `${name}@${hostname()}`.slice(0, LIMITS.MAX_RECOVERED_BY_LENGTH)
}
