import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** Command lines of what runs in this folder, as each ssh does that Lifeboat starts. */
export function runningIn(folder: string): string[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
    try {
      return readlinkSync(`/proc/${pid}/cwd`).startsWith(folder) ? [readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')] : []
    } catch {
      return [] // It has ended meanwhile.
    }
  })
}
