import { LifeboatError } from '../error.ts'
import { storesOf } from '../stores/several.ts'
import type { Store } from '../stores/store.ts'
import { isAhead } from './catalog.ts'
import { FORMAT } from './format.ts'
import type { Keys } from './keys.ts'
import { isTagged, sign, tagOf } from './signed.ts'
import { orderedId } from './snapshot.ts'

/** How the last runs of a command for a set ended: only changes are kept, and only where a target of `notify` asks for `recovered`. */
export type Standing = 'failed' | 'good'

interface Kept {
  key: string
  standing: Standing
  /** `YYYYMMDDTHHMMSSZ-` and random digits. */
  id: string
}

const KEY = /^states\/(([^/]+)\/([a-z-]+)\.(\d{8}T\d{6}Z-[0-9a-f]{8})\.(failed|good))\.([0-9a-f]{32})\.json$/

/** All that is told about a command and a set, newest first. The tag in the key authenticates it: nothing has to be read. */
async function keptStates(store: Store, keys: Keys, { set, command, now }: { set: string; command: string; now: Date }): Promise<Kept[]> {
  const found: Kept[] = []
  for await (const { key } of store.list(`states/${set}/`)) {
    const [, name = '', ofSet, ofCommand, id = '', standing, tag = ''] = KEY.exec(key) ?? []
    if (ofSet !== set || ofCommand !== command || isAhead(id, now) || !isTagged(name, tag, keys, 'state')) continue
    found.push({ key, id, standing: standing === 'failed' ? 'failed' : 'good' })
  }
  return found.toSorted((a, b) => (a.id < b.id ? 1 : -1))
}

/**
 * The standing of a command and a set: `failed` if one of the stores says so, undefined if none says anything. It only decides whether a
 * success is told as a recovery; a failure is told whatever is kept.
 */
export async function readStanding(
  store: Store, keys: Keys, about: { set: string; command: string; now: Date },
): Promise<Standing | undefined> {
  const newest = await Promise.all(storesOf(store).map(async (one) => (await keptStates(one, keys, about))[0]?.standing))
  return newest.find((standing) => standing === 'failed') ?? newest.find((standing) => standing !== undefined)
}

/** Keeps a standing. The older ones are deleted where objects can be deleted by themselves. */
export async function keepStanding(
  store: Store, keys: Keys, about: { set: string; command: string; now: Date }, standing: Standing,
): Promise<void> {
  const { set, command, now } = about
  const older = store.groups ? [] : await keptStates(store, keys, about)
  const name = `${set}/${command}.${orderedId(now)}.${standing}`
  const body = JSON.stringify({ format: FORMAT, state: name })
  await store.put(`states/${name}.${tagOf(name, keys, 'state')}.json`, sign(body, keys, 'state'))
  for (const { key } of older) {
    try {
      await store.delete(key)
    } catch (error) {
      // A store in which nothing may be deleted: the newest counts.
      if (!(error instanceof LifeboatError)) throw error
      return
    }
  }
}
