import { MARKER, nowUs } from '../../load/payload.ts'
import { Connection } from './connection.ts'

export interface ReadOptions {
  readonly port: number
  /** Asks for all events; latin1. */
  readonly request: string
  /** Events that are to come. */
  readonly events: number
  readonly timeoutMs: number
}

export interface ReadFigures {
  readonly seconds: number
  /** As they came over the wire. */
  readonly bytes: number
}

/** Reads until so many events have come, by the marker that each payload begins with, and parses nothing. Rejects when they do not. */
export function readAll({ port, request, events, timeoutMs }: ReadOptions): Promise<ReadFigures> {
  return new Promise((resolve, reject) => {
    let count = 0
    let bytes = 0
    let startUs = nowUs()
    const end = (why: string | undefined): void => {
      clearTimeout(timer)
      connection.close()
      if (why === undefined) resolve({ seconds: (nowUs() - startUs) / 1_000_000, bytes })
      else reject(new Error(`${why}: ${count} of ${events} events came`))
    }
    const timer = setTimeout(() => end(`reading took more than ${timeoutMs} ms`), timeoutMs)
    const connection = new Connection(
      port,
      read => {
        bytes += read.length
        for (let at = read.indexOf(MARKER); at !== -1; at = read.indexOf(MARKER, at + 1)) count += 1
        if (count >= events) end(undefined)
      },
      why => end(why),
    )
    connection.connected.then(
      () => {
        startUs = nowUs()
        connection.write(request)
      },
      () => {},
    )
  })
}
