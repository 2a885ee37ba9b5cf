import { randomBytes, randomUUID } from 'node:crypto'
import { chmodSync, lstatSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import path from 'node:path'

/** The staging folder of a run. */
export function stagingFolder(temporaryRoot: string, id: string): string {
  return path.join(temporaryRoot, `lifeboat-${id}`)
}

/** A process among all of this machine's: the start of the system, its namespace of process ids, its id there, and when it started. */
type Owner = readonly [boot: string, namespace: string, pid: string, started: string]

const OWNED = /^lifeboat-run-([0-9a-f]{8})-(\d+)-(\d+)-(\d+)-[0-9a-f]{8}$/
/** Longer than any run takes. */
const WEEK_MS = 7 * 24 * 60 * 60 * 1000

/** An id for this run, and so for its staging folder, that tells whose it is, where the system does (Linux). */
export function newRunId(): string {
  const owner = ownerOf('self')
  return owner ? ['run', ...owner, randomBytes(4).toString('hex')].join('-') : randomUUID()
}

/**
 * Removes the staging of this user's runs that are gone, and could not do so themselves: killed, or with the power. Folders that may
 * belong to a run of another container, or from before a restart, are left alone for a week.
 */
export function removeAbandoned(temporaryRoot: string, now: Date): void {
  const self = ownerOf('self')
  if (!self) return
  for (const name of entriesOf(temporaryRoot)) {
    const [, ...owner] = OWNED.exec(name) ?? []
    if (owner.length === 0) continue
    const folder = path.join(temporaryRoot, name)
    const ours = owner[0] === self[0] && owner[1] === self[1]
    try {
      const { uid, mtimeMs } = lstatSync(folder)
      const gone = ours ? isAbandoned(name) : now.getTime() - mtimeMs > WEEK_MS
      if (uid === process.getuid?.() && gone) removeFolder(folder)
    } catch {
      // Another run is removing it, or it cannot be: this run can do without.
    }
  }
}

/** Removes a folder of this user with everything in it, also folders that were restored with permissions that forbid it. */
export function removeFolder(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true })
  } catch {
    permit(Buffer.from(folder))
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Lets this user write to a folder and to those in it. */
function permit(folder: Buffer): void {
  chmodSync(folder, 0o700)
  for (const entry of readdirSync(folder, { withFileTypes: true, encoding: 'buffer' })) {
    if (entry.isDirectory()) permit(Buffer.concat([folder, Buffer.from('/'), entry.name]))
  }
}

/** Whether a staging folder is of a run of this system that is gone. False if that cannot be told. */
export function isAbandoned(name: string): boolean {
  const self = ownerOf('self')
  const [, ...owner] = OWNED.exec(name) ?? []
  return owner[0] !== undefined && owner[0] === self?.[0] && owner[1] === self[1] && ownerOf(owner[2]!)?.[3] !== owner[3]
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return [] // It is not there yet.
  }
}

/** From proc(5); undefined if there is no such process, or no such file system. */
function ownerOf(pid: string): Owner | undefined {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').slice(0, 8)
    const namespace = /\d+/.exec(readlinkSync('/proc/self/ns/pid'))![0]
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The name of the program, in brackets, can have anything in it.
    const started = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]!
    return [boot, namespace, pid === 'self' ? String(process.pid) : pid, started]
  } catch {
    return undefined
  }
}
