import { accessSync, constants, readdirSync } from 'node:fs'
import path from 'node:path'
import type { Variables } from '../../../environment.ts'
import { runChild } from '../../../process/child.ts'

/** The programs of a server of one major, `initdb` and `postgres`, together in one folder. */
export interface ServerPrograms {
  readonly major: number
  readonly directory: string
}

/** Bounds `postgres --version`, in milliseconds. */
const VERSION_LIMIT = 30_000

/** Every installed server, newest first: Debian's folders and PATH. */
export async function findServers(variables: Variables, debian = '/usr/lib/postgresql'): Promise<ServerPrograms[]> {
  const folders = [
    ...subfolders(debian).map((version) => path.join(debian, version, 'bin')),
    ...(variables.PATH ?? '').split(path.delimiter).filter((folder) => path.isAbsolute(folder)),
  ]
  const servers = new Map<number, ServerPrograms>()
  for (const directory of new Set(folders.filter(hasServer))) {
    const major = await majorOf(directory)
    if (major !== undefined && !servers.has(major)) servers.set(major, { major, directory })
  }
  return [...servers.values()].toSorted((a, b) => b.major - a.major)
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
