import type { Entry, Message, Ready } from '../../services/peer/raft/types.ts'
import { Cluster, type Host, text } from './cluster.ts'

/**
 * Plays a scenario written as text. Lines that begin with `>` are commands, `#` are comments; all other lines are what
 * the members did. Commands:
 *
 *     cluster 1 2 3              new members, empty logs
 *     elect 1                    the usual way to leadership, not shown
 *     tick 1 [times]             one member's clock
 *     deliver [1->2]             the oldest message under way (between these two)
 *     settle                     all messages, and what they cause
 *     drop [1->2]                loses what is under way (between these two)
 *     cut 1… / heal              loses whatever member 1 sends or is sent, from now on
 *     propose 1 text…            one entry each
 *     hold 1 / sync 1            writes of member 1 stay volatile / become durable
 *     gone 1 2                   member 1 learns that the process of member 2 is gone
 *     unreachable 1 2            member 1 learns that a message to 2 was not delivered
 *     transfer 1 2               member 1 hands leadership to 2
 *     read 1 context…            member 1 is asked for read points
 *     compact 1                  member 1 compacts its log up to what it has applied
 *     crash 1 / restart 1
 *     status
 */
export class Transcript {
  #cluster = new Cluster([])
  #out: string[] = []
  readonly #known = new Map<number, string>()

  play(source: string): string {
    const lines: string[] = []
    for (const line of source.split('\n')) {
      if (line.startsWith('#') || line === '') lines.push(line)
      else if (line.startsWith('> ')) lines.push(line, ...this.#command(line.slice(2).split(' ')))
    }
    return lines.join('\n')
  }

  #command([name, ...words]: string[]): string[] {
    this.#out = []
    this.#run(name!, words)
    this.#cluster.pump()
    for (const host of this.#cluster.hosts.values()) this.#showRole(host)
    if (name === 'cluster') this.#out = []
    return this.#out.map(line => `  ${line}`)
  }

  #run(name: string, words: string[]): void {
    const cluster = this.#cluster
    const [a, b] = words.map(Number) as [number, number]
    if (name === 'cluster') this.#open(words.map(Number))
    else if (name === 'elect') this.#elect(a)
    else if (name === 'tick') cluster.tick(a, b ?? 1)
    else if (name === 'deliver') this.#deliver(words[0])
    else if (name === 'settle') while (cluster.network.length > 0) this.#deliver(undefined)
    else if (name === 'drop') cluster.network = cluster.network.filter(message => !between(message, words[0]))
    else if (name === 'cut') for (const word of words) cluster.isolate(Number(word))
    else if (name === 'heal') cluster.heal()
    else if (name === 'propose') for (const word of words.slice(1)) this.#refusal(cluster.propose(a, word))
    else if (name === 'hold') cluster.host(a).holdSync = true
    else if (name === 'sync') this.#sync(cluster.host(a))
    else if (name === 'gone') cluster.node(a).leaderGone(b)
    else if (name === 'unreachable') cluster.node(a).unreachable(b)
    else if (name === 'transfer') cluster.node(a).transferLeadership(b)
    else if (name === 'read')
      for (const word of words.slice(1)) this.#refusal(cluster.node(a).readIndex(Number(word)))
    else if (name === 'compact')
      cluster.host(a).disk.compact(cluster.status(a).applied, cluster.status(a).configuration)
    else if (name === 'crash') cluster.host(a).crash()
    else if (name === 'restart') cluster.host(a).restart()
    else if (name === 'status') this.#status()
    else throw new Error(`unknown command ${name}`)
  }

  #open(numbers: number[]): void {
    // Nothing that is durable stays cached: what is read again comes from the disk, and compacted is gone.
    this.#cluster = new Cluster(numbers, { maxCachedBytes: 0 })
    this.#cluster.onReady = (host, ready) => this.#showReady(host, ready)
    this.#cluster.onSend = (message, lost) =>
      this.#out.push(`${showMessage(message)}${lost ? ' (lost)' : ''}`)
  }

  #elect(number: number): void {
    this.#cluster.elect(number)
    this.#cluster.settle()
    this.#out = []
  }

  #deliver(way: string | undefined): void {
    const at = this.#cluster.network.findIndex(message => between(message, way))
    if (at < 0) throw new Error('nothing to deliver')
    const [message] = this.#cluster.network.splice(at, 1)
    this.#out.push(`* ${message!.to} receives ${message!.type} from ${message!.from}`)
    this.#cluster.deliver(message!)
    this.#showRole(this.#cluster.host(message!.to))
  }

  #sync(host: Host): void {
    host.holdSync = false
    host.sync()
  }

  #refusal(answer: unknown): void {
    if (typeof answer === 'string') this.#out.push(`refused: ${answer}`)
  }

  #showRole(host: Host): void {
    const { role, term, leader, transferee } = host.status
    const handing = transferee === 0 ? '' : `, handing over to ${transferee}`
    const now = host.down ? 'is down' : `is ${role} in term ${term}, leader ${leader || 'unknown'}${handing}`
    if (now !== this.#known.get(host.number)) this.#out.push(`${host.number} ${now}`)
    this.#known.set(host.number, now)
  }

  #showReady(host: Host, ready: Ready): void {
    const say = (what: string): void => void this.#out.push(`${host.number} ${what}`)
    const { hardState, snapshot, truncateFrom, entries, committed, reads, readsFailed } = ready
    if (hardState !== undefined) {
      say(
        `writes term ${hardState.term}, vote ${hardState.vote || 'none'}, commit ${hardState.commit}${ready.mustSync ? '' : ' (lazily)'}`,
      )
    }
    if (snapshot !== undefined) say(`installs snapshot ${snapshot.index}@${snapshot.term}`)
    if (truncateFrom !== undefined) say(`truncates from ${truncateFrom}`)
    if (entries.length > 0) say(`writes ${entries.map(showEntry).join(', ')}`)
    if (committed.length > 0) say(`applies ${committed.map(showEntry).join(', ')}`)
    for (const read of reads) say(`serves read ${read.context} at ${read.index}`)
    for (const context of readsFailed) say(`fails read ${context}`)
  }

  #status(): void {
    for (const host of this.#cluster.hosts.values()) {
      const { role, term, commit, lastIndex, durable, progress } = host.status
      this.#out.push(
        `${host.number} ${role} term ${term} commit ${commit} last ${lastIndex} durable ${durable}`,
      )
      for (const [number, { match, state }] of progress)
        this.#out.push(`  ${number}: ${state}, match ${match}`)
    }
  }
}

function between(message: Message, way: string | undefined): boolean {
  return way === undefined || way === `${message.from}->${message.to}`
}

function showEntry(entry: Entry): string {
  return `${entry.index}@${entry.term} ${entry.type === 'data' ? JSON.stringify(text(entry.data)) : entry.type}`
}

function showMessage(message: Message): string {
  return `${message.from}->${message.to} ${message.type} term ${message.term}${showBody(message)}`
}

function showBody(message: Message): string {
  switch (message.type) {
    case 'preVote':
    case 'vote':
      return `, log ends ${message.lastIndex}@${message.lastTerm}${message.transfer ? ', transfer' : ''}`
    case 'preVoteResponse':
    case 'voteResponse':
      return message.granted ? ', granted' : ', refused'
    case 'append':
      return `, behind ${message.prevIndex}@${message.prevTerm}, commit ${message.commit}: [${message.entries.map(showEntry).join(', ')}]`
    case 'appendResponse':
      return message.rejected
        ? `, no ${message.index}, try ${message.hintIndex}@${message.hintTerm}`
        : `, holds ${message.index}`
    case 'heartbeat':
      return `, commit ${message.commit}${message.context > 0 ? `, round ${message.context}` : ''}`
    case 'heartbeatResponse':
      return message.context > 0 ? `, round ${message.context}` : ''
    case 'snapshot':
      return `, ${message.snapshot.index}@${message.snapshot.term}`
    case 'timeoutNow':
      return ''
  }
}
