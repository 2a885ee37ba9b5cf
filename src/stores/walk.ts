import { inParallel } from '../process/parallel.ts'
import { checkKey, isKey, type StoredObject } from './store.ts'

/** The direct content of a folder, by names without slashes. */
export interface FolderContents {
  folders: string[]
  files: { name: string; size: number; modified: Date }[]
}

/** Where stores of folders keep objects until they are moved into place; not a part of the store. */
export const INCOMING = '.incoming'
/** Milliseconds after which what lies there was left by a run that was killed; longer than clocks of two time zones differ. */
const ABANDONED_AFTER = 24 * 3600 * 1000
/** As `randomUUID` names what is put there. */
const OURS = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** Whether a file of that folder was left by a run of ours that was killed. */
export function isAbandoned(name: string, modified: Date): boolean {
  return OURS.test(name) && Date.now() - modified.getTime() > ABANDONED_AFTER
}

/** Folders read at the same time: each is a few round trips to the server. */
const AT_ONCE = 8

/**
 * Lists the objects of a store made of folders. `read` is given the path of a folder in it, empty for its own, and undefined means there is
 * none.
 */
export async function* walk(
  prefix: string,
  read: (folder: string) => Promise<FolderContents | undefined>,
): AsyncGenerator<StoredObject, void, void> {
  const start = prefix.slice(0, prefix.lastIndexOf('/') + 1)
  const waiting = [start === '' ? '' : checkKey(start.slice(0, -1))]
  while (waiting.length > 0) {
    const batch = waiting.splice(0, AT_ONCE)
    const contents = await inParallel(batch, AT_ONCE, read)
    for (const [index, found] of contents.entries()) {
      if (!found) continue
      const path = batch[index] === '' ? '' : `${batch[index]}/`
      for (const { name, size, modified } of found.files) {
        const key = path + name
        // A name that no key can have was put there by someone else: a file manager, a NAS.
        if (isKey(name) && key.startsWith(prefix)) yield { key, size, modified }
      }
      for (const name of found.folders) {
        const folder = path + name
        if (!isKey(name) || folder === INCOMING) continue
        if (`${folder}/`.startsWith(prefix) || prefix.startsWith(`${folder}/`)) waiting.push(folder)
      }
    }
  }
}
