import { realpathSync } from 'node:fs'
import path from 'node:path'
import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import type { Site } from '../files/site.ts'
import { folderOf } from '../../stores/file/destination.ts'
import type { Destination } from '../../stores/kind.ts'
import { output } from './output.ts'

/** The stores in a folder, relative to it, with patterns that leave them out: otherwise each backup would hold the ones before. */
export function storesIn(name: string, volume: string, destinations: readonly Destination[]): { folder: string; pattern: string }[] {
  const root = realPath(volume)
  return destinations.flatMap((store) => {
    const held = folderOf(store)
    if (held === undefined) return []
    const folder = path.relative(root, realPath(held))
    const hint = 'Store backups in a folder of their own.'
    if (folder === '..' || folder.startsWith('../')) {
      if (path.relative(realPath(held), root).startsWith('..')) return []
      throw new LifeboatError(`the volume ${name} lies in the store file:${held}`, { hint, status: 2 })
    }
    if (folder === '') throw new LifeboatError(`the volume ${name} is the store file:${held}`, { hint, status: 2 })
    return [{ folder, pattern: `/${literal(folder)}/` }]
  })
}

/** Prints a store that the folder $1 lies in, or, with $2 clean, one that lies in it. A store has lifeboat.json beside chunks. */
const FIND_STORE = `
inside=$(cd "$1" 2>/dev/null && pwd -P) || exit 0
at=\${inside%/}
while :; do
  if [ -f "$at/lifeboat.json" ] && [ -d "$at/chunks" ]; then printf '%s' "\${at:-/}"; exit 0; fi
  [ -n "$at" ] || break
  at=\${at%/*}
done
[ "$2" = clean ] || exit 0
find "$inside" -type f -name lifeboat.json -exec sh -c '[ -d "\${1%/*}/chunks" ]' sh {} ';' -printf %h -quit 2>/dev/null || :
`

/** Throws (status 2) for a folder whose restore would write into a store of backups, or delete one. */
export async function refuseStores(site: Site, mode: string, signal: AbortSignal): Promise<void> {
  const store = await output(site, 'sh', ['-c', FIND_STORE, 'sh', site.root, mode], signal)
  if (store === '') return
  const how = mode === 'clean' ? 'holds or lies in' : 'lies in'
  throw new LifeboatError(`${site.where} ${how} a store of backups, ${JSON.stringify(store.slice(0, 200))}`, {
    hint: mode === 'clean'
      ? marked`A restore with ‹mode: clean› would delete it. Restore into another folder, with ‹mode: overwrite›, or move the store ` +
        'away first.'
      : 'Restore into another folder.',
    status: 2,
  })
}

/** The real path of the part that exists: a store is made by its first backup. */
function realPath(given: string): string {
  const absolute = path.resolve(given)
  try {
    return realpathSync(absolute)
  } catch {
    const parent = path.dirname(absolute)
    return parent === absolute ? absolute : path.join(realPath(parent), path.basename(absolute))
  }
}

/** A path as a pattern of gitignore(5) that matches nothing else. */
function literal(folder: string): string {
  return folder.replaceAll(/[\\*?[\] !#]/g, String.raw`\$&`)
}
