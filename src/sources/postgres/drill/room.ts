import { statfs } from 'node:fs/promises'
import { LifeboatError } from '../../../error.ts'
import { marked } from '../../../marks.ts'
import { formatBytes } from '../../../report/format.ts'

/** Bytes of a disk that drills of this process under way may fill, by folder, and the ones that wait until one of them ends. */
const taken = new Map<string, { bytes: number; drills: number; waiting: (() => void)[] }>()

/**
 * Takes room in a folder: waits while it is taken by other drills, rather than let all of them run out of it. Gives the function that
 * gives it back. Throws if there is not enough for this drill alone.
 */
export async function takeRoom(folder: string, needed: number, signal: AbortSignal): Promise<() => void> {
  const room = taken.get(folder) ?? { bytes: 0, drills: 0, waiting: [] }
  taken.set(folder, room)
  for (;;) {
    const { bavail, bsize } = await statfs(folder)
    signal.throwIfAborted()
    const free = bavail * bsize
    if (free - room.bytes >= needed) break
    if (room.drills === 0) {
      const elsewhere = marked`give a scratch server on another machine in ‹scratch-url›.`
      const hint = `Make room, point TMPDIR (RUNNER_TEMP) to a larger disk, or ${elsewhere}`
      throw new LifeboatError(`${folder} has ${formatBytes(free)} free, a drill needs about ${formatBytes(needed)}`, { hint })
    }
    await new Promise<void>((resolve) => room.waiting.push(resolve))
  }
  room.bytes += needed
  room.drills++
  let given = false
  return () => {
    if (given) return
    given = true
    room.bytes -= needed
    room.drills--
    for (const wake of room.waiting.splice(0)) wake()
  }
}
