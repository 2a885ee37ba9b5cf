import { accessSync, constants, readdirSync } from 'node:fs'
import { cp, stat } from 'node:fs/promises'
import path from 'node:path'
import type { Variables } from '../../../environment.ts'
import { runChild } from '../../../process/child.ts'
import { onPath } from '../client-download/system.ts'
import type { Programs } from '../client-download/program-sets.ts'

/** The programs of a server, `initdb` and `postgres`, wherever they are. */
export interface ServerPrograms {
  /** For messages: `PostgreSQL 17`. */
  readonly name: string
  /** By digest or id, if they are in an image. */
  readonly image?: string
  /** Makes them ready for a cluster in `folder` that belongs to `user`, or, if undefined, to the user of this process. */
  prepare(folder: string, user: number | undefined): Promise<PreparedPrograms>
}

export interface PreparedPrograms {
  /** Their folder, ending with a slash, in the command lines given to `line`; empty if they are found by their names. */
  readonly directory: string
  /** The line that runs a command where the programs are. */
  line(this: void, command: readonly [string, ...string[]]): readonly [string, ...string[]]
  /** The whole environment of that line, and the user whom it is started as. */
  readonly environment: Record<string, string>
  readonly user: number | undefined
  /** Removes what the programs left outside of the folder. */
  readonly release: () => Promise<void>
}

/** Bounds `postgres --version`, in milliseconds. */
const VERSION_LIMIT = 30_000

/** Every installed server, newest first: Debian's folders and PATH. */
export async function findServers(variables: Variables, debian = '/usr/lib/postgresql'): Promise<Programs[]> {
  const folders = [
    ...subfolders(debian).map((version) => path.join(debian, version, 'bin')),
    ...(variables.PATH ?? '').split(path.delimiter).filter((folder) => path.isAbsolute(folder)),
  ]
  const servers = new Map<number, Programs>()
  for (const directory of new Set(folders.filter(hasServer))) {
    const major = await majorOf(directory)
    if (major !== undefined && !servers.has(major)) servers.set(major, { major, directory })
  }
  return [...servers.values()].toSorted((a, b) => b.major - a.major)
}

/** Programs of this machine. `movable`: the folder with everything of them, if that can be copied elsewhere. */
export function localPrograms({ major, directory }: Programs, variables: Variables, movable?: string): ServerPrograms {
  return {
    name: `PostgreSQL ${major}`,
    async prepare(folder, user): Promise<PreparedPrograms> {
      const closed = movable !== undefined && user !== undefined && (await closedFolder(directory)) !== undefined
      const copy = path.join(folder, 'programs')
      if (closed) await cp(movable, copy, { recursive: true, verbatimSymlinks: true })
      // Programs that set the user, sudo among them, have no effect in the server and what it starts.
      const confined = onPath('setpriv', variables) && process.platform === 'linux'
      return {
        directory: `${closed ? path.join(copy, path.relative(movable, directory)) : directory}/`,
        line: (command) => (confined ? ['setpriv', '--no-new-privs', ...command] : command),
        // Nothing of the environment of the job: functions of the restored database can read it.
        environment: { LC_ALL: 'C', PATH: '/usr/bin:/bin' },
        user,
        release: async () => undefined,
      }
    },
  }
}

/** The first folder on the way to this one that only its owner can go through. */
export async function closedFolder(folder: string): Promise<string | undefined> {
  for (let at = folder; at !== path.dirname(at); at = path.dirname(at)) if (((await stat(at)).mode & 0o001) === 0) return at
  return undefined
}

function hasServer(folder: string): boolean {
  try {
    for (const program of ['initdb', 'postgres']) accessSync(path.join(folder, program), constants.X_OK)
    return true
  } catch {
    return false // Missing, or not executable.
  }
}

/** Undefined if it does not run. */
async function majorOf(directory: string): Promise<number | undefined> {
  try {
    const options = { environment: { LC_ALL: 'C' }, signal: AbortSignal.timeout(VERSION_LIMIT) }
    const { stdout } = await runChild(path.join(directory, 'postgres'), ['--version'], options)
    const major = /\(PostgreSQL\) (\d+)/.exec(stdout)?.[1]
    return major === undefined ? undefined : Number(major)
  } catch {
    return undefined
  }
}

function subfolders(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return [] // A missing folder has no servers.
  }
}
