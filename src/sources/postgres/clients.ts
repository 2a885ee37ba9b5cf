import { accessSync, constants, readdirSync, realpathSync } from 'node:fs'
import path from 'node:path'
import { getExecOutput } from '@actions/exec'
import type { Variables } from '../../environment.ts'
import { LifeboatError } from '../../error.ts'

/** The client programs of one major version, together in one folder. */
export interface Client {
  readonly major: number
  readonly directory: string
}

export type ClientProgram = 'pg_dump' | 'pg_dumpall' | 'pg_restore' | 'psql'

export interface ClientChoice {
  client: Client
  /** A warning if the match is not exact. */
  warning?: string
}

const programs: ClientProgram[] = ['pg_dump', 'pg_dumpall', 'pg_restore', 'psql']

export function programOf(client: Client, program: ClientProgram): string {
  return path.join(client.directory, program)
}

/** Every installed set of client programs, one per major, newest first: Debian's folders, PATH, the runner's tool cache. */
export async function findClients(variables: Variables, debian = '/usr/lib/postgresql'): Promise<Client[]> {
  const cache = variables.RUNNER_TOOL_CACHE
  const folders = [
    ...subfolders(debian).map((version) => path.join(debian, version, 'bin')),
    ...(variables.PATH ?? '').split(path.delimiter).filter((folder) => path.isAbsolute(folder)),
    ...(cache ? binFolders(path.join(cache, 'postgresql-client'), 7) : []),
  ]
  const clients = new Map<number, Client>()
  for (const directory of new Set(folders.flatMap(clientFolder))) {
    const major = majorInPath(directory) ?? (await askMajor(path.join(directory, 'pg_dump'), variables))
    if (major !== undefined && !clients.has(major)) clients.set(major, { major, directory })
  }
  return [...clients.values()].toSorted((a, b) => b.major - a.major)
}

/** For pg_dump: the server's own major, or else the lowest newer one. Throws if all are older: pg_dump refuses a newer server. */
export function clientForDump(clients: readonly Client[], serverMajor: number): ClientChoice {
  const client = lowestFrom(clients, serverMajor)
  if (!client) {
    throw new LifeboatError(`the server is PostgreSQL ${serverMajor}, and no pg_dump here is that new: ${found(clients)}`, {
      hint: installHint(serverMajor),
    })
  }
  if (client.major === serverMajor) return { client }
  return {
    client,
    warning: `dumping a PostgreSQL ${serverMajor} server with pg_dump ${client.major}: restore such a backup with pg_restore ` +
      `${client.major} or newer`,
  }
}

/**
 * For pg_restore: the target server's own major if it can read the archive, or else the lowest that can. `serverMajor` is undefined if the
 * archive is only read.
 */
export function clientForRestore(clients: readonly Client[], dumpMajor: number, serverMajor?: number): ClientChoice {
  const exact = clients.find((client) => client.major === serverMajor)
  if (exact && exact.major >= dumpMajor) return { client: exact }
  const client = lowestFrom(clients, dumpMajor)
  if (!client) {
    throw new LifeboatError(`the archive was made by pg_dump ${dumpMajor}, and no pg_restore here is that new: ${found(clients)}`, {
      hint: installHint(dumpMajor),
    })
  }
  if (serverMajor === undefined || client.major === serverMajor) return { client }
  return { client, warning: `restoring into a PostgreSQL ${serverMajor} server with pg_restore ${client.major}` }
}

/** The newest, for work that every version can do: psql reads the facts of every server. */
export function newestClient(clients: readonly Client[]): Client {
  const [newest] = clients
  if (!newest)
    throw new LifeboatError('no PostgreSQL client programs (pg_dump, pg_dumpall, pg_restore, psql) were found', {
      hint: installHint(undefined),
    })
  return newest
}

export function installHint(major: number | undefined): string {
  return installPackageHint(`postgresql-client${major === undefined ? '' : `-${major}`}`)
}

/** For a package that the distribution may lack, and PostgreSQL's own repository has. */
export function installPackageHint(name: string): string {
  return (
    `Run sudo apt-get install -y ${name}; if there is no such package, run before it: sudo apt-get install -y ` +
    "postgresql-common && sudo /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y, which adds PostgreSQL's own repository."
  )
}

function found(clients: readonly Client[]): string {
  return clients.length === 0
    ? 'none is installed'
    : `found ${clients.map(({ major, directory }) => `${major} in ${directory}`).join(', ')}`
}

function lowestFrom(clients: readonly Client[], major: number): Client | undefined {
  return clients.filter((client) => client.major >= major).toSorted((a, b) => a.major - b.major)[0]
}

/** The real folder of a usable set, if `folder` is one. */
function clientFolder(folder: string): string[] {
  try {
    for (const program of programs) accessSync(path.join(folder, program), constants.X_OK)
    const real = realpathSync(path.join(folder, 'pg_dump'))
    // Debian's /usr/bin/pg_dump leads to a wrapper that picks a version by rules of its own.
    if (path.basename(real) === 'pg_wrapper') return []
    return [path.basename(real) === 'pg_dump' ? path.dirname(real) : folder]
  } catch {
    return [] // Missing, or not executable: then it is no client.
  }
}

function subfolders(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory() || entry.isSymbolicLink() ? [entry.name] : [],
    )
  } catch {
    return [] // A missing folder has no clients.
  }
}

/** Folders named `bin` at most `depth` levels down: `<version>/<arch>/usr/lib/postgresql/17/bin`. */
function binFolders(folder: string, depth: number): string[] {
  return subfolders(folder).flatMap((name) => {
    const inner = path.join(folder, name)
    if (name === 'bin') return [inner]
    return depth > 1 ? binFolders(inner, depth - 1) : []
  })
}

/** `…/postgresql/17/bin`, `/usr/pgsql-17/bin`, `…/postgresql@17/bin`, `…/postgresql-client/17.5/x64/bin`. */
function majorInPath(directory: string): number | undefined {
  const major =
    /\/(?:postgresql\/|pgsql-|postgresql@)(\d+)(?:\.\d+)*\/bin$/.exec(directory) ??
    /\/postgresql-client\/(\d+)(?:\.\d+)*\/(?:.*\/)?bin$/.exec(directory)
  return major ? Number(major[1]) : undefined
}

async function askMajor(program: string, variables: Variables): Promise<number | undefined> {
  const env = Object.fromEntries(
    ['PATH', 'LD_LIBRARY_PATH'].flatMap((name) => (variables[name] === undefined ? [] : [[name, variables[name]]])),
  )
  const { exitCode, stdout } = await getExecOutput(`"${program}"`, ['--version'], { silent: true, ignoreReturnCode: true, env })
  const major = /\(PostgreSQL\) (\d+)/.exec(stdout)
  return exitCode === 0 && major ? Number(major[1]) : undefined
}
