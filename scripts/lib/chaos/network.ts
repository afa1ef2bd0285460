import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePorts } from '../ports.ts'
import { Link } from './link.ts'
import type { Shape } from './pipe.ts'

/** Bytes from one machine to another; a side that is not named is any machine, also one that comes later. */
export interface Way {
  readonly from?: string
  readonly to?: string
}

interface Laid {
  readonly link: Link
  readonly port: number
}

/**
 * The ways between the machines of a cube: one link for each ordered pair, also for machines that come later or go to
 * another port. Each machine's process reads from a file of its own which link leads to which port, and where it
 * cannot connect just now; it reads it whenever it connects.
 */
export class Network {
  readonly #folder: string
  /** By machine. */
  readonly #ports = new Map<string, number>()
  /** By `from>to`. */
  readonly #links = new Map<string, Laid>()
  /** By the fault they belong to: what it does to bytes that go these ways. */
  readonly #rules = new Map<object, { readonly ways: readonly Way[]; readonly shape: Partial<Shape> }>()
  /** Nothing may listen on the ports of dead machines and links in between. */
  readonly #taken = new Set<number>()

  /** Files are written to this folder. */
  constructor(folder: string) {
    this.#folder = folder
  }

  /** The file that a machine's process reads. */
  file(name: string): string {
    return join(this.#folder, `links-${name}.json`)
  }

  /** So many ports that are free and that nobody here was given; `add` and `move` take them. */
  async freePorts(count: number): Promise<number[]> {
    for (;;) {
      const found = await freePorts(count)
      if (found.some(port => this.#taken.has(port))) continue
      for (const port of found) this.#taken.add(port)
      return found
    }
  }

  /** Lays the links between a machine that listens on `port`, now or later, and all that there are. */
  async add(name: string, port: number): Promise<void> {
    const others = [...this.#ports]
    const ports = await this.freePorts(2 * others.length)
    this.#ports.set(name, port)
    const opened: Promise<void>[] = []
    for (const [other, otherPort] of others) {
      opened.push(this.#lay(`${name}>${other}`, ports.shift()!, otherPort))
      opened.push(this.#lay(`${other}>${name}`, ports.shift()!, port))
    }
    await Promise.all(opened)
    this.#refresh()
  }

  /** The machine listens on another port from now on. */
  move(name: string, port: number): void {
    this.#taken.delete(this.#ports.get(name)!)
    this.#ports.set(name, port)
    for (const other of this.#ports.keys()) this.#links.get(`${other}>${name}`)?.link.retarget(port)
    this.#refresh()
  }

  /** The machine is gone for good, and its links with it. */
  remove(name: string): void {
    this.#taken.delete(this.#ports.get(name)!)
    this.#ports.delete(name)
    for (const [way, { link, port }] of this.#links) {
      if (!way.split('>').includes(name)) continue
      link.close()
      this.#links.delete(way)
      this.#taken.delete(port)
    }
    this.#refresh()
  }

  /**
   * How bytes that go these ways travel, on connections of both directions, as long as the fault `owner` says so;
   * `undefined` ends it. Where several faults have their say, the worst of each counts. While bytes are held one way,
   * neither machine can connect to the other: a connection begins with packets both ways.
   */
  shape(owner: object, ways: readonly Way[], shape: Partial<Shape> | undefined): void {
    if (shape) this.#rules.set(owner, { ways, shape })
    else this.#rules.delete(owner)
    this.#refresh()
  }

  /** Ends every connection of a machine with a reset. */
  reset(name: string): void {
    for (const [way, { link }] of this.#links) if (way.split('>').includes(name)) link.reset()
  }

  /** The machine's process is about to be killed: nobody is taken for it any more. */
  refuse(name: string): void {
    for (const other of this.#ports.keys()) this.#links.get(`${other}>${name}`)?.link.refuse()
  }

  close(): void {
    for (const { link } of this.#links.values()) link.close()
  }

  #lay(way: string, port: number, target: number): Promise<void> {
    const link = new Link(port, target)
    this.#links.set(way, { link, port })
    return link.open()
  }

  #shapeOf(from: string, to: string): Shape {
    const meets = (way: Way) =>
      (way.from === undefined || way.from === from) && (way.to === undefined || way.to === to)
    const all = [...this.#rules.values()]
      .filter(({ ways }) => ways.some(meets))
      .map(({ shape }): Partial<Shape> => shape)
    return {
      held: all.some(({ held }) => held),
      delayMs: Math.max(0, ...all.map(({ delayMs = 0 }) => delayMs)),
      bytesPerS: Math.min(...all.map(({ bytesPerS }) => bytesPerS ?? Number.POSITIVE_INFINITY)),
    }
  }

  /** Files first: who reads them connects to links that let nothing pass yet, or not any more. */
  #refresh(): void {
    for (const name of this.#ports.keys()) this.#write(name)
    for (const [way, { link }] of this.#links) {
      const [from, to] = way.split('>') as [string, string]
      link.shape('forward', this.#shapeOf(from, to))
      link.shape('backward', this.#shapeOf(to, from))
    }
  }

  /** A process reads the file at any time: it is exchanged as a whole. */
  #write(name: string): void {
    const others = [...this.#ports].filter(([other]) => other !== name)
    const isHeld = ([other]: [string, number]) =>
      this.#shapeOf(name, other).held || this.#shapeOf(other, name).held
    const links = others.map(([other, port]) => [port, this.#links.get(`${name}>${other}`)!.port])
    const blocked = others.filter(isHeld).map(([, port]) => port)
    const file = this.file(name)
    writeFileSync(`${file}.new`, JSON.stringify({ links: Object.fromEntries(links), blocked }))
    renameSync(`${file}.new`, file)
  }
}
