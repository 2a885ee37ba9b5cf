import { readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { LifeboatError } from '../error.ts'

/** Folders that systems keep for mounting disks: Filesystem Hierarchy Standard 3.0, udisks, macOS. */
const PLACES = ['/mnt', '/media', '/run/media', '/Volumes']

/**
 * Throws where a store would be written beside the disk that it belongs on. `mounted` true: unless a file system other than that of `/` is mounted at
 * `root` or above it. Undefined: the same for a store that is to be made in a folder where disks are mounted; one that is there already is
 * where it should be. False: never.
 */
export async function refuseUnmounted(root: string, mounted: boolean | undefined, places: readonly string[] = PLACES): Promise<void> {
  if (mounted === false) return
  const place = places.find((place) => root === place || root.startsWith(`${place}/`))
  if (mounted === undefined && (place === undefined || !(await isEmpty(root)))) return
  if (await liesOnAnother(root, mounted === true ? undefined : place)) return
  throw new LifeboatError(`no disk is mounted at ${root}, nor above it`, {
    hint: `Mount the disk and run it again; nothing was written. ${mounted === true ? 'The destination says ?mounted=true.' : `If the store is meant to be on this very disk, give file:${root}?mounted=false as the destination.`}`,
  })
}

/** Whether `root`, or what there is of the path to it, is on another file system than what holds the place; than `/`, without one. */
async function liesOnAnother(root: string, place = '/'): Promise<boolean> {
  const [own, base, above] = await Promise.all([deviceOf(root), deviceOf(place), deviceOf(path.dirname(place))])
  return own !== base || base !== above
}

async function deviceOf(folder: string): Promise<number> {
  try {
    return (await stat(folder)).dev
  } catch (cause) {
    if (!isAbsent(cause) || folder === path.dirname(folder)) throw cause
    return deviceOf(path.dirname(folder))
  }
}

/** Also when it is not there, or no folder. */
async function isEmpty(folder: string): Promise<boolean> {
  try {
    return (await readdir(folder)).length === 0
  } catch (cause) {
    if (isAbsent(cause)) return true
    throw cause
  }
}

const isAbsent = (error: unknown): boolean => error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')
