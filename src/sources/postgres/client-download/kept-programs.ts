import { randomUUID } from 'node:crypto'
import { cp, mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Variables } from '../../../environment.ts'

// The runner's tool cache, in the layout of @actions/tool-cache: <tool>/<version>/<arch>, complete once <arch>.complete is beside it. The
// functions of the toolkit are not used: `cacheDir` first removes the folder and then copies file by file, so another job on the machine
// would lose the programs that it runs; and `find` prints workflow commands on stdout, which at a terminal is for the result.

/** A folder of programs in the tool cache. */
export interface KeptPrograms {
  major: number
  folder: string
  /** When they were put there. */
  since: Date
}

/** Where programs are kept across steps and runs: the runner's tool cache, at a terminal the user's. Undefined if there is neither. */
export function keptProgramsRoot(variables: Variables): string | undefined {
  if (variables.RUNNER_TOOL_CACHE) return variables.RUNNER_TOOL_CACHE
  const caches = variables.XDG_CACHE_HOME || (variables.HOME && path.join(variables.HOME, '.cache'))
  return caches && path.isAbsolute(caches) ? path.join(caches, 'lifeboat') : undefined
}

/**
 * The newest programs kept for this system. `tool`: the folder of their kind. `system`: distribution and architecture, `debian-12-amd64`.
 */
export async function findKept(
  root: string,
  tool: string,
  major: number | 'newest',
  system: string,
): Promise<KeptPrograms | undefined> {
  const kept: KeptPrograms[] = []
  for (const version of await entries(path.join(root, tool))) {
    if (!/^\d+\.\d+\.\d+-/.test(version) || !(await entries(path.join(root, tool, version))).includes(`${system}.complete`)) continue
    const folder = path.join(root, tool, version, system)
    kept.push({ major: Number.parseInt(version, 10), folder, since: (await stat(`${folder}.complete`)).mtime })
  }
  const wanted = kept.filter((programs) => major === 'newest' || programs.major === major)
  return wanted.toSorted((a, b) => b.major - a.major || b.since.getTime() - a.since.getTime())[0]
}

/** Puts a folder of programs into the tool cache, whole or not at all, also if other jobs do the same. Gives the folder to use. */
export async function keep(root: string, tool: string, folder: string, packageVersion: string, system: string): Promise<string> {
  const place = path.join(root, tool, semanticVersion(packageVersion), system)
  const incoming = path.join(root, tool, `.${randomUUID()}`)
  await mkdir(path.dirname(place), { recursive: true })
  try {
    await cp(folder, incoming, { recursive: true, verbatimSymlinks: true })
    await rename(incoming, place)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    // Another job was faster, with the very same packages; or these were kept long ago, are still the newest, and were fetched again.
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error
  } finally {
    await rm(incoming, { recursive: true, force: true })
  }
  await writeFile(`${place}.complete`, '')
  return place
}

/** A Debian version, `17.6-1.pgdg120+1`, as one the tool cache knows: `17.6.0-d1-pgdg120-1`. */
export function semanticVersion(packageVersion: string): string {
  const [, major, minor = '0', rest = ''] = /^(?:\d+:)?(\d+)(?:\.(\d+))?(.*)$/.exec(packageVersion) ?? []
  if (major === undefined) throw new Error(`${packageVersion} is no version of a PostgreSQL package`)
  return `${major}.${minor}.0-d${rest.replaceAll(/[^0-9A-Za-z]+/g, '-').replace(/^-/, '')}`
}

async function entries(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}
