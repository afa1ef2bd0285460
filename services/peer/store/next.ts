import { join } from 'node:path'
import type { Roster } from '../cube/roster.ts'
import { NEXT_FOLDER } from './aside.ts'
import { openLmdbStore } from './open.ts'

/** A store that is to take the place of another one. */
export interface NextStore {
  readonly uid: string
  /** Null until the roster lists it. */
  readonly roster: Roster | null
}

/**
 * Makes the store that is to take the place of the one in folder `path`, or reads the one that was made before.
 * @param roster to be kept in it: the version that lists it
 * @throws StoreError
 */
export async function prepareNext(path: string, roster?: Roster): Promise<NextStore> {
  const store = openLmdbStore(join(path, NEXT_FOLDER))
  try {
    if (roster) await store.writeRoster(roster)
    return { uid: store.identity.uid, roster: store.roster() }
  } finally {
    await store.close()
  }
}
