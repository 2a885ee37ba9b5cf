import { realpathSync } from 'node:fs'
import path from 'node:path'
import { LifeboatError } from '../../error.ts'
import { folderOf } from '../../stores/file/destination.ts'
import type { Destination } from '../../stores/kind.ts'

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
