import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, chown, type FileHandle, mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { LifeboatError, messageOf } from '../../../error.ts'
import type { Variables } from '../../../environment.ts'
import { marked } from '../../../marks.ts'
import { type Child, ChildError, runChild, startChild } from '../../../process/child.ts'
import { removeFolder } from '../../../process/staging.ts'
import { connectionFromVariables, type Connection } from '../connection.ts'
import { takeRoom } from './room.ts'
import { closedFolder, type PreparedPrograms, type ServerPrograms } from './server-programs.ts'

/** A server that is used for one drill, alone in a folder of the run and reached over a socket in it. */
export interface Cluster {
  /** As its superuser; no database is named. */
  readonly connection: Connection
  /** Stops the server and removes everything of it. Safe to call more than once. */
  readonly close: () => Promise<void>
}

export interface ClusterOptions {
  programs: ServerPrograms
  /** `Environment.temporary`. */
  temporary: string
  /** Bytes that must be free for it. */
  space: number
  /** The name of the superuser that makes the cluster: the same as on the server of the backup, because privileges name it. */
  superuser: string
  /** Tables and other objects that are locked at the same time. */
  locks: number
  variables: Variables
  signal: AbortSignal
}

/** PostgreSQL does not run as root: then the server runs as `nobody`, who can do nothing else on the machine. */
const NOBODY = 65534
/** Bytes of a path of a socket: 108 on Linux, 104 on macOS, with a zero at its end (unix(7)). */
const LONGEST_SOCKET = 103
/** In milliseconds. */
const START_LIMIT = 120_000
const PORT = '5432'

/** Starts a server with an empty cluster. Throws `LifeboatError` if that is not possible here. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const { temporary, programs } = options
  await mkdir(temporary, { recursive: true, mode: 0o700 })
  const folder = await mkdtemp(path.join(temporary, 'scratch-'))
  const user = process.getuid?.() === 0 ? NOBODY : undefined
  let server: Child | undefined
  let opened: FileHandle | undefined
  let prepared: PreparedPrograms | undefined
  let release: (() => void) | undefined
  const close = async (): Promise<void> => {
    await server?.stop()
    await prepared?.release()
    await opened?.close()
    opened = undefined
    // A file for each table, and more: the asynchronous `rm` would hold all of them in memory.
    removeFolder(folder)
    release?.()
  }
  try {
    await openTo(folder, user)
    opened = await open(folder)
    const host = hostOf(folder, opened)
    release = await takeRoom(temporary, options.space, options.signal)
    const password = randomBytes(24).toString('hex')
    prepared = await programs.prepare(folder, user)
    await initialise(folder, password, user, prepared, options)
    server = await launch(folder, prepared, options)
    const { superuser, variables } = options
    const connection = connectionFromVariables({
      PGHOST: host, PGPORT: PORT, PGUSER: superuser, PGPASSWORD: password, PGAPPNAME: 'lifeboat', PATH: variables.PATH,
    })
    return { connection: { ...connection, server: 'the scratch server', where: 'the scratch server' }, close }
  } catch (error) {
    await close()
    options.signal.throwIfAborted()
    if (error instanceof LifeboatError) throw error
    const said = error instanceof ChildError ? error.exit.stderr.split('\n') : []
    const why = said.findLast((line) => line !== '' && !/^(?:Run|See) 'docker/.test(line)) ?? messageOf(error)
    throw new LifeboatError(`a scratch server of ${programs.name} does not start in ${temporary}: ${why}`, {
      hint: hintFor(why), cause: error })
  }
}

function hintFor(why: string): string {
  // As in a container that is run with the number of a user.
  const nameless = why.includes('could not look up effective user ID') ? 'Run as a user who has an entry in /etc/passwd. Or: ' : ''
  return nameless + marked`Give a scratch server in ‹scratch-url›, or the image of one in ‹scratch-image›.`
}

/** The folder of the socket, for clients: on Linux by a short name if its own is too long. */
function hostOf(folder: string, { fd }: FileHandle): string {
  if (Buffer.byteLength(path.join(folder, `.s.PGSQL.${PORT}`)) <= LONGEST_SOCKET) return folder
  if (process.platform === 'linux') return `/proc/${process.pid}/fd/${fd}`
  throw new LifeboatError(`the path of the folder for temporary files is too long for a socket: ${folder}`, { hint: ELSEWHERE })
}

const ELSEWHERE = marked`Point TMPDIR (RUNNER_TEMP) to another folder, or give a scratch server in ‹scratch-url›.`

async function openTo(folder: string, user: number | undefined): Promise<void> {
  if (user === undefined) return
  await chown(folder, user, user)
  // Others may go through the folder of the run, but see nothing in it: its folders and files are root's.
  await chmod(path.dirname(folder), 0o711)
  const closed = await closedFolder(path.dirname(folder))
  if (closed !== undefined)
    throw new LifeboatError(`a scratch server cannot run in ${folder}: it does not run as root, and only root can enter ${closed}`, {
      hint: ELSEWHERE })
}

async function initialise(
  folder: string,
  password: string,
  user: number | undefined,
  { directory, line, environment, user: starter }: PreparedPrograms,
  { superuser, signal }: ClusterOptions,
): Promise<void> {
  const file = path.join(folder, 'password')
  await writeFile(file, password, { mode: 0o600, flag: 'wx' })
  if (user !== undefined) await chown(file, user, user)
  const parameters = [
    `--pgdata=${path.join(folder, 'data')}`, `--username=${superuser}`, `--pwfile=${file}`, '--auth=scram-sha-256', '--encoding=UTF8',
    '--locale=C', '--no-sync', '--no-instructions',
  ]
  const [program, ...rest] = line([`${directory}initdb`, ...parameters])
  await runChild(program, rest, { environment, folder, ...(starter !== undefined && { user: starter }), signal })
  await rm(file)
}

// Runs postgres under its own process id, and beside it a watcher that stops it when this program is gone, however it went.
const WATCHED = 'exec 3<&0; (cat <&3 >/dev/null 2>&1; kill -s QUIT $$) >/dev/null 2>&1 & exec 3<&- </dev/null; exec "$@"'

async function launch(
  folder: string,
  { directory, line, environment, user }: PreparedPrograms,
  options: ClusterOptions,
): Promise<Child> {
  const { signal } = options
  const settings = Object.entries(settingsOf(options)).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const command = [`${directory}postgres`, '-D', path.join(folder, 'data'), ...settings]
  const [program, ...rest] = line(['/bin/sh', '-c', WATCHED, 'sh', ...command])
  const server = startChild(program, rest, {
    environment, folder, ...(user !== undefined && { user }),
    signal,
    stopSignal: 'SIGQUIT', // PostgreSQL's immediate shutdown.
  })
  const ended = server.exit.then((exit) => {
    throw new ChildError('postgres', exit)
  })
  ended.catch(() => undefined)
  void drain(server)
  const ready = path.join(folder, 'data/postmaster.pid')
  for (const until = performance.now() + START_LIMIT; performance.now() < until; ) {
    if (existsSync(ready) && (await readFile(ready, 'utf8')).split('\n')[7]?.startsWith('ready')) return server
    await Promise.race([sleep(20), ended])
  }
  await server.stop()
  const { stderr } = await server.exit
  throw new LifeboatError(`the scratch server was not ready after ${START_LIMIT / 1000} s: ${stderr.trim().slice(-500)}`)
}

async function drain({ stdout }: Child): Promise<void> {
  try {
    for await (const _ of stdout);
  } catch {
    // It was stopped, or ended by itself, which shows in the connections to it.
  }
}

/** Speed for durability, which these data do not need. */
function settingsOf({ locks }: ClusterOptions): Record<string, string> {
  const connections = 20
  return {
    // From the folder of the data.
    unix_socket_directories: '..',
    listen_addresses: '', unix_socket_permissions: '0700', port: PORT,
    fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', wal_level: 'minimal', max_wal_senders: '0', archive_mode: 'off',
    max_wal_size: '1GB', autovacuum: 'off', shared_buffers: '128MB', maintenance_work_mem: '256MB', jit: 'off',
    max_connections: `${connections}`, max_locks_per_transaction: `${Math.max(128, Math.ceil((2 * locks) / connections))}`,
    max_logical_replication_workers: '0', dynamic_library_path: '$libdir', log_min_messages: 'fatal', log_min_error_statement: 'panic',
    timezone: 'GMT', log_timezone: 'GMT', // The only one that is known without a file.
  }
}
