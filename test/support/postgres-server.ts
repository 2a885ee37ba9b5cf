import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chownSync, closeSync, existsSync, lstatSync, mkdirSync, openSync, readFileSync, symlinkSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { clientDirectory, clientDirectoryFor, run, type Major } from './client-programs.ts'
import { fastFolder } from './fast-folder.ts'
import { freePort } from './free-port.ts'
import { type Guard, startGuard } from './guard.ts'
import { type Auth, makeData } from './postgres-data.ts'

export { clientDirectory, type Major }

/** A scratch PostgreSQL server, alone in a temporary folder, listening on loopback and on a socket. */
export interface Server {
  readonly major: Major
  readonly pid: number
  readonly host: '127.0.0.1'
  readonly port: number
  /** Also the folder that holds everything of the server: `log` is in it. */
  readonly socketDirectory: string
  readonly superuser: 'postgres'
  /** Of the superuser; random, with characters that a URL must encode. */
  readonly password: string
  /** `postgres://user:password@127.0.0.1:port/database`, parts percent-encoded. Another user comes with its own password. */
  url(database?: string, user?: string, password?: string): string
  /** Runs SQL (several statements and psql's commands too) and gives what it printed, unaligned, tuples only. */
  sql(text: string, database?: string): Promise<string>
  createDatabase(name: string): Promise<void>
  /** Ends the server and removes its folder. */
  stop(): Promise<void>
}

export interface ServerOptions {
  /** Settings of postgresql.conf, over those of a server whose data nobody will miss (fsync=off …). */
  settings?: Record<string, string>
  /** Default scram. */
  auth?: Auth
  /** In addition to that of the tests. */
  environment?: Record<string, string>
}

const root = process.getuid?.() === 0
/** The user for programs that refuse to run as root; where the tests do not, their own. */
export const nobody = root ? { uid: 65534, gid: 65534 } : undefined

export const give = (file: string): void => {
  if (nobody) chownSync(file, nobody.uid, nobody.gid)
}

export function startServer(major: Major, options: ServerOptions = {}): Promise<Server> {
  const password = `${randomBytes(9).toString('hex')}@/%:é`
  return startWith(major, password, options, (programs, folder) =>
    makeData({ major, programs, user: nobody, folder, password, auth: options.auth ?? 'scram' }))
}

/** A hot standby, which follows the server as long as that runs. */
export function startStandby(primary: Server, options: ServerOptions = {}): Promise<Server> {
  const { major, password } = primary
  return startWith(major, password, options, (_, folder) => {
    const data = path.join(folder, 'data')
    const copied = spawnSync(path.join(clientDirectoryFor(major), 'pg_basebackup'), [`--pgdata=${data}`, '--write-recovery-conf', '--checkpoint=fast', '--no-sync'], {
      env: { ...process.env, ...clientEnvironment(primary, 'replication'), PGDATABASE: undefined }, encoding: 'utf8',
    })
    if (copied.status !== 0) throw new Error(`pg_basebackup failed: ${copied.stderr}`)
    if (nobody) spawnSync('chown', ['-R', `${nobody.uid}:${nobody.gid}`, data])
  })
}

/** `make`: makes the data in the folder. */
async function startWith(major: Major, password: string, options: ServerOptions, make: (programs: string, folder: string) => void): Promise<Server> {
  // A socket's name may have 107 bytes, and TMPDIR can be long.
  const folder = fastFolder('lifeboat-pg-')
  // QUIT is PostgreSQL's immediate shutdown. It is over in milliseconds.
  const guard = startGuard(folder, 'QUIT')
  try {
    give(folder)
    const programs = programsOf(major, folder)
    make(programs, folder)
    const { pid, port } = await launch(programs, folder, options, guard)
    return serverOf({ major, pid, port, folder, password, guard })
  } catch (error) {
    await guard.end()
    throw error
  }
}

/** The folder of the npm package of a server, with `bin`, `lib` and `share`. */
export function serverDirectory(major: Major): string {
  const installed = path.join(import.meta.dirname, `../../node_modules/pg${major}/native`)
  if (!existsSync(installed)) throw new Error(`${installed} is missing: run "npm ci"`)
  linkLibraries(installed)
  return installed
}

/** The folder with initdb and postgres of the npm package, in a place where the user who will run them can read it. */
function programsOf(major: Major, folder: string): string {
  const installed = serverDirectory(major)
  const programs = path.join(installed, 'bin')
  const attempt = spawnSync(path.join(programs, 'postgres'), ['--version'], { ...nobody })
  if (attempt.status === 0) return programs
  // A checkout under /root, say, that `nobody` cannot reach: hard links where the file system allows, a copy elsewhere.
  const copy = path.join(folder, 'native')
  const copied = spawnSync('sh', ['-c', 'cp -al "$1" "$2" 2>/dev/null || cp -a "$1/." "$2"', 'sh', installed, copy], { encoding: 'utf8' })
  if (copied.status !== 0) throw new Error(`cannot copy ${installed}: ${copied.stderr}`)
  return path.join(copy, 'bin')
}

const symlinks = z.array(z.object({ source: z.string(), target: z.string() }))

/** npm keeps no symbolic links; the package makes them after its installation, unless npm was told to run no scripts. */
function linkLibraries(installed: string): void {
  const links = symlinks.parse(JSON.parse(readFileSync(path.join(installed, 'pg-symlinks.json'), 'utf8')))
  for (const { source, target } of links) {
    const link = path.join(installed, '..', target)
    if (lstatSync(link, { throwIfNoEntry: false })) continue
    mkdirSync(path.dirname(link), { recursive: true })
    try {
      symlinkSync(path.relative(path.dirname(target), source), link)
    } catch (error) {
      // Another test process was faster.
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
    }
  }
}

async function launch(programs: string, folder: string, { settings, environment }: ServerOptions, guard: Guard) {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
    const log = path.join(folder, 'log')
    const child = spawnPostgres(programs, folder, log, { ...process.env, ...environment }, {
      listen_addresses: '127.0.0.1',
      port: String(port),
      unix_socket_directories: folder,
      fsync: 'off',
      full_page_writes: 'off',
      synchronous_commit: 'off',
      shared_buffers: '32MB',
      max_wal_size: '2GB',
      ...settings,
    })
    const { pid } = child
    if (pid === undefined) throw new Error(`cannot run ${programs}/postgres`)
    guard.watch(pid)
    if (await ready(child, folder)) return { pid, port }
    const text = readFileSync(log, 'utf8')
    // Between our asking for a free port and the server's binding it, someone else took it.
    if (!text.includes('Address already in use') || attempt === 10) throw new Error(`PostgreSQL did not start:\n${text}`)
  }
}

function spawnPostgres(programs: string, folder: string, log: string, env: NodeJS.ProcessEnv, settings: Record<string, string>): ChildProcess {
  const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const output = openSync(log, 'w')
  const child = spawn(path.join(programs, 'postgres'), ['-D', path.join(folder, 'data'), ...args], {
    ...nobody,
    cwd: folder,
    env,
    // A session of its own: Ctrl-C at a terminal is for the program that uses the server, which then stops it in its turn.
    detached: true,
    stdio: ['ignore', output, output],
  })
  closeSync(output)
  child.unref()
  return child
}

/** Waits until the server accepts connections, which it writes into the eighth line of postmaster.pid; false when it ended. */
async function ready(child: ChildProcess, folder: string): Promise<boolean> {
  const file = path.join(folder, 'data/postmaster.pid')
  for (let waited = 0; waited < 60_000; waited += 20) {
    if (child.exitCode !== null || child.signalCode !== null) return false
    if (existsSync(file) && readFileSync(file, 'utf8').split('\n')[7]?.startsWith('ready')) return true
    await sleep(20)
  }
  child.kill('SIGKILL')
  throw new Error('PostgreSQL was not ready within a minute')
}

function serverOf(parts: { major: Major; pid: number; port: number; folder: string; password: string; guard: Guard }): Server {
  const { major, pid, port, folder, password, guard } = parts
  let stopped: Promise<void> | undefined
  const server: Server = {
    major,
    pid,
    host: '127.0.0.1',
    port,
    socketDirectory: folder,
    superuser: 'postgres',
    password,
    url: (database = 'postgres', user = 'postgres', secret = password) =>
      `postgres://${[user, secret].map(encodeURIComponent).join(':')}@127.0.0.1:${port}/${encodeURIComponent(database)}`,
    sql: async (text, database = 'postgres') => {
      const args = ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-f', '-']
      const output = await run(path.join(clientDirectoryFor(major), 'psql'), args, { input: text, env: clientEnvironment(server, database) })
      return output.replace(/\n$/, '')
    },
    createDatabase: async (name) => {
      await server.sql(`CREATE DATABASE "${name.replaceAll('"', '""')}"`)
    },
    stop: () => (stopped ??= guard.end()),
  }
  return server
}

/** The environment that brings libpq's programs to a database of this server, the password in no argument. */
export function clientEnvironment(server: Server, database: string): NodeJS.ProcessEnv {
  const { host, port, superuser, password } = server
  return { PGHOST: host, PGPORT: String(port), PGUSER: superuser, PGPASSWORD: password, PGDATABASE: database, PGCLIENTENCODING: 'UTF8' }
}
