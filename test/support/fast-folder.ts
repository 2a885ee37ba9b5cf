import { mkdtempSync, readFileSync, statfsSync } from 'node:fs'

/** The servers of three test processes need less at once. */
const NEEDED = 3e9

/**
 * Makes a folder with a short path, in memory where the machine has the room (CREATE DATABASE writes a thousand files: on a disk, the
 * tests of restores took twice the CPU time), else in /tmp.
 */
export function fastFolder(prefix: string): string {
  return mkdtempSync(`${hasRoom() ? '/dev/shm' : '/tmp'}/${prefix}`)
}

function hasRoom(): boolean {
  const mount = readFileSync('/proc/mounts', 'utf8').split('\n').find((line) => line.startsWith('tmpfs /dev/shm '))
  if (!mount || mount.includes('noexec')) return false // Hard links of the programs may be in the folder, too.
  const { bavail, bsize } = statfsSync('/dev/shm')
  return bavail * bsize > NEEDED
}
