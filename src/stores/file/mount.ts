import { createHash } from 'node:crypto'
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Variables } from '../../environment.ts'
import { LifeboatError } from '../../error.ts'

/** Folders that systems keep for mounting disks: Filesystem Hierarchy Standard 3.0, udisks, macOS. */
const PLACES = ['/mnt', '/media', '/run/media', '/Volumes']

export interface Mounting {
  /** True: a disk must be mounted. False: none need be. Undefined: as described at `refuseUnmounted`. */
  mounted: boolean | undefined
  /** Where this machine keeps in mind which stores were on disks of their own; undefined keeps nothing in mind. */
  remembered?: string | undefined
  places?: readonly string[]
}

/**
 * Throws if the disk of a store is not mounted, so that the store would be written beside it. `mounted` true: a file system other than that
 * of `/` has to be mounted at `root` or above it. Undefined: the same, but only for a new store, in a place where disks are usually mounted
 * or where this machine has seen a store on a separate disk before. False: no check.
 */
export async function refuseUnmounted(root: string, { mounted, remembered, places = PLACES }: Mounting): Promise<void> {
  if (mounted === false) return
  const note = remembered === undefined ? undefined : path.join(remembered, createHash('sha256').update(root).digest('hex').slice(0, 32))
  const known = note !== undefined && (await isThere(note))
  const place = places.find((place) => root === place || root.startsWith(`${place}/`))
  if (await liesOnAnother(root, mounted === true || known ? undefined : place)) {
    if (note !== undefined && !known) await keepInMind(note, root)
    return
  }
  if (mounted === undefined && ((place === undefined && !known) || !(await isEmpty(root)))) return
  const why =
    mounted === true
      ? 'The destination says ?mounted=true.'
      : `If the store is meant to be on this very disk, give file:${root}?mounted=false as the destination.`
  throw new LifeboatError(
    known
      ? `the store that was at ${root} has vanished with the disk it was on: none is mounted there, nor above it`
      : `no disk is mounted at ${root}, nor above it`,
    {
      hint: `Mount the disk and run it again; nothing was written. ${why}`,
    },
  )
}

/** `~/.local/state/lifeboat/disks` (XDG Base Directory Specification); undefined without a home. */
export function disksInMind({ XDG_STATE_HOME, HOME }: Variables): string | undefined {
  const state = XDG_STATE_HOME || (HOME ? path.join(HOME, '.local/state') : undefined)
  return state === undefined ? undefined : path.join(state, 'lifeboat/disks')
}

async function keepInMind(note: string, root: string): Promise<void> {
  try {
    await mkdir(path.dirname(note), { recursive: true, mode: 0o700 })
    await writeFile(note, `${root}\n`, { mode: 0o600 })
  } catch (cause) {
    // A home that cannot be written is no reason to go without a backup; the disk is there.
    if (!(cause instanceof Error && 'code' in cause)) throw cause
  }
}

/** Whether `root`, or the part of its path that exists, is on another file system than `place`. */
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

/** Whether a note was kept; not in a home that cannot be looked into either, as another user's. */
async function isThere(note: string): Promise<boolean> {
  try {
    await stat(note)
    return true
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause) return false
    throw cause
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

const isAbsent = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')
