import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { type Child, type Exit, startChild } from '../../process/child.ts'
import { LifeboatError } from '../../error.ts'
import { targetText } from './address.ts'
import {
  authentication,
  connectSsh,
  knownHostsOf,
  type Method,
  NOT_LISTENING,
  signInRefused,
  type SshAccess,
  type SshTarget,
  usableKey,
} from './connection.ts'
import { knownHostsText } from './known-hosts.ts'

export interface SshContext {
  /** `PATH`, `HOME` and `SSH_AUTH_SOCK`. */
  variables: Readonly<Record<string, string | undefined>>
  /** The staging folder of the run. */
  temporary: string
  signal: AbortSignal
}

/** A connection held by the system's `ssh`, for as long as this process lives and does not close it. */
export interface SshProgram {
  /** Private to this connection. */
  readonly folder: string
  /** For further `ssh` programs that use the same connection. */
  readonly environment: Readonly<Record<string, string>>
  /** Resolves when the connection has ended, however that was. */
  readonly ended: Promise<Exit>
  /** The end of what it has written to stderr so far. */
  said(): string
  close(): Promise<void>
}

/** The socket in `folder` through which other `ssh` programs share a connection. */
export const SOCKET = 'socket'

/** Files in the folder of a connection. */
const KNOWN_HOSTS = 'known_hosts'
const ASKPASS = 'askpass'
const CONNECT_SECONDS = 30
const SAID_LIMIT = 16 * 1024
const PATIENCE_MS = 3000

// ssh -N reads no input, so it would outlive a killed Lifeboat: the pipe at its side closes then as well, and ends it. The key comes
// through that pipe first, into a file whose name is removed before, so that the key is gone when ssh is, however this ends.
const HOLD = String.raw`
trap '' INT
umask 077
exec 3<&0 4<>nameless
rm nameless
[ "$1" = 0 ] || head -c "$1" <&3 >&4 || exit
shift
"$@" 3<&- <&4 4<&- &
ssh=$!
{ cat <&3; kill "$ssh"; } >/dev/null 2>&1 4<&- &
watch=$!
exec 3<&- 4<&-
wait "$ssh"
status=$?
kill "$watch" 2>/dev/null
exit "$status"
`

// The server can word the questions it asks, but it does not know the name of the key file.
const ASKPASS_SCRIPT = String.raw`#!/bin/sh
case $1 in
  "Enter passphrase for key '$LIFEBOAT_KEY'"*) printf '%s\n' "$LIFEBOAT_PASSPHRASE" ;;
  *) printf '%s\n' "$LIFEBOAT_PASSWORD" ;;
esac
`

/**
 * Connects and signs in, by what is given alone: no configuration of ssh applies. `parameters`: more arguments for ssh, relative to the
 * folder where they name files. Throws a LifeboatError that tells what is wrong.
 */
export async function openSsh(
  target: SshTarget,
  access: SshAccess,
  parameters: readonly string[],
  context: SshContext,
): Promise<SshProgram> {
  const { temporary, signal } = context
  const login = await loginFor(target, access, context)
  await mkdir(temporary, { recursive: true, mode: 0o700 })
  const folder = await mkdtemp(path.join(temporary, 'ssh-'))
  try {
    await writeFiles(folder, login)
    signal.throwIfAborted()
    const { child, program } = startSsh(folder, login, parameters, context)
    try {
      await signIn(child, login, signal)
      await Promise.all([login.keyFile, KNOWN_HOSTS, ASKPASS].map((name) => rm(path.join(folder, name), { force: true })))
    } catch (error) {
      await program.close()
      signal.throwIfAborted()
      throw error instanceof Unconnected ? await connectionFailure(login, await child.exit, context) : error
    }
    return program
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

/** The target of a connection and the means to sign in. */
interface Login {
  target: SshTarget
  access: SshAccess
  methods: readonly Method[]
  /** The lines of a known_hosts file. */
  knownHosts: string
  /** The private key; empty if there is none. */
  key: Buffer
  /** Its name in the folder of the connection. */
  keyFile: string
  /** Whether ssh may ask for a password or a passphrase. */
  mayAsk: boolean
}

async function loginFor(target: SshTarget, access: SshAccess, { variables }: SshContext): Promise<Login> {
  const methods = authentication(access, variables)
  const { known } = await knownHostsOf(access, variables)
  const key = Buffer.from((await usableKey(access)) ?? '')
  const mayAsk = access.passphrase !== undefined || methods.includes('password')
  return {
    target,
    access,
    methods,
    knownHosts: knownHostsText(known, target),
    key,
    keyFile: `key-${randomBytes(8).toString('hex')}`,
    mayAsk,
  }
}

async function writeFiles(folder: string, { knownHosts, key, keyFile, mayAsk }: Login): Promise<void> {
  await writeFile(path.join(folder, KNOWN_HOSTS), knownHosts, { mode: 0o600 })
  if (mayAsk) await writeFile(path.join(folder, ASKPASS), ASKPASS_SCRIPT, { mode: 0o700 })
  if (key.length === 0) return
  // On other systems, a second reader of /dev/stdin goes on where the first has stopped.
  if (process.platform === 'linux') await symlink('/dev/stdin', path.join(folder, keyFile))
  else await writeFile(path.join(folder, keyFile), key, { mode: 0o600 })
}

function startSsh(
  folder: string,
  login: Login,
  parameters: readonly string[],
  { variables }: SshContext,
): { child: Child; program: SshProgram } {
  const environment = {
    PATH: variables['PATH'] ?? '/usr/local/bin:/usr/bin:/bin',
    LC_ALL: 'C',
    ...(variables['HOME'] !== undefined && { HOME: variables['HOME'] }),
  }
  let said = ''
  const child = startChild(
    'sh',
    ['-c', HOLD, 'sh', String(login.key.length), 'ssh', ...optionsFor(login), ...parameters, '--', login.target.host],
    {
      environment: { ...environment, ...answersOf(login, variables) },
      folder,
      onStderr: (text) => (said = (said + text).slice(-SAID_LIMIT)),
    },
  )
  const close = async (): Promise<void> => {
    child.end()
    const late = setTimeout(() => void child.stop(), PATIENCE_MS)
    await child.exit
    clearTimeout(late)
    await rm(folder, { recursive: true, force: true })
  }
  return { child, program: { folder, environment, ended: child.exit, said: () => said, close } }
}

/** The environment from which ssh and its askpass answer a server. */
function answersOf({ methods, access, keyFile, mayAsk }: Login, variables: SshContext['variables']): Record<string, string> {
  return {
    ...(methods.includes('agent') && { SSH_AUTH_SOCK: variables['SSH_AUTH_SOCK']! }),
    ...(mayAsk && {
      SSH_ASKPASS: `./${ASKPASS}`,
      SSH_ASKPASS_REQUIRE: 'force',
      LIFEBOAT_KEY: keyFile,
      LIFEBOAT_PASSPHRASE: access.passphrase ?? '',
      LIFEBOAT_PASSWORD: access.password ?? '',
    }),
  }
}

function optionsFor({ target, methods, keyFile, mayAsk }: Login): string[] {
  const authentications = new Set(methods.map((method) => (method === 'agent' ? 'publickey' : method)))
  const options = {
    BatchMode: mayAsk ? 'no' : 'yes',
    StrictHostKeyChecking: 'yes',
    UserKnownHostsFile: KNOWN_HOSTS,
    GlobalKnownHostsFile: 'none',
    UpdateHostKeys: 'no',
    PreferredAuthentications: [...authentications].join(','),
    IdentityFile: methods.includes('publickey') ? keyFile : 'none',
    IdentityAgent: methods.includes('agent') ? 'SSH_AUTH_SOCK' : 'none',
    IdentitiesOnly: methods.includes('publickey') ? 'yes' : 'no',
    NumberOfPasswordPrompts: '1',
    ConnectTimeout: String(CONNECT_SECONDS),
    // A server that is gone is noticed after a minute.
    ServerAliveInterval: '15',
    ServerAliveCountMax: '4',
    ForwardAgent: 'no',
    ForwardX11: 'no',
    ExitOnForwardFailure: 'yes',
    // It runs when the connection and its forwards are set up.
    PermitLocalCommand: 'yes',
    LocalCommand: 'echo connected',
  }
  const listed = Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`])
  return ['-F', 'none', ...listed, '-N', '-T', '-p', String(target.port), '-l', target.user]
}

/** ssh ended before it was connected. */
class Unconnected extends Error {}

async function signIn(child: Child, { key }: Login, signal: AbortSignal): Promise<void> {
  // If it does not read the key, it has ended, and its exit says why.
  await child.write(key)
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const abort = (): void => reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  const output = child.stdout[Symbol.asyncIterator]()
  const first = output.next().catch(() => ({ done: true }))
  try {
    if ((await Promise.race([first, aborted])).done) throw new Unconnected()
    // Its pipe has to be read for its end to be noticed.
    output.next().catch(() => undefined) // `ended` tells.
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

/** The reason why ssh did not connect, from its own words. */
async function connectionFailure(
  { target, access, methods }: Login,
  { stderr, failure }: Exit,
  { variables, signal }: SshContext,
): Promise<LifeboatError> {
  const where = `${target.host}:${target.port}`
  const said = lastLine(stderr)
  const cause = new Error(said || 'ssh said nothing')
  if (failure) return new LifeboatError(`ssh could not be started: ${failure.message}`, { cause: failure })
  if (/ssh: (?:command )?not found/.test(stderr)) {
    return new LifeboatError('there is no ssh on this machine', { cause, hint: "Install OpenSSH's client (package openssh-client)." })
  }
  if (/Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED/.test(stderr)) {
    const problem = await hostKeyProblem(target, access, { variables, signal })
    return (
      problem ??
      new LifeboatError(`the host key of ${where} is not the known one: ${said}`, { cause, hint: 'Compare it with ssh-known-hosts.' })
    )
  }
  if (/Permission denied \(|Too many authentication failures/.test(stderr)) return signInRefused(target, methods, cause)
  if (/Could not resolve hostname/.test(stderr)) {
    const hint = 'Check its spelling; a name of a private network is not known to hosted runners.'
    return new LifeboatError(`there is no host ${target.host}`, { cause, hint })
  }
  const hint = hintFor(stderr)
  return new LifeboatError(`cannot connect to ${targetText(target)}: ${said || 'ssh said nothing'}`, { cause, ...(hint && { hint }) })
}

function hintFor(stderr: string): string | undefined {
  if (/Connection refused/.test(stderr)) return NOT_LISTENING
  if (/timed out|No route to host|Network is unreachable/.test(stderr)) {
    return 'Check host and port, and that no firewall drops the connection.'
  }
  return undefined
}

/** ssh shows no key that it refuses, nor the line to add; the library does. */
async function hostKeyProblem(
  target: SshTarget,
  access: SshAccess,
  { variables, signal }: Pick<SshContext, 'variables' | 'signal'>,
): Promise<LifeboatError | undefined> {
  try {
    const client = await connectSsh(target, access, { variables, signal, limit: CONNECT_SECONDS * 1000 })
    client.end()
    return undefined
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof LifeboatError) return error
    throw error
  }
}

/** The last line that ssh wrote, without its name. */
export function lastLine(stderr: string): string {
  const lines = stderr
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '')
  return (lines.at(-1) ?? '').replace(/^ssh: /, '')
}

/** How the connection ended, if it ends within `ms`. */
export async function endWithin(ssh: SshProgram, ms: number): Promise<Exit | undefined> {
  const { promise: late, resolve } = Promise.withResolvers<undefined>()
  const timer = setTimeout(() => resolve(undefined), ms)
  try {
    return await Promise.race([ssh.ended, late])
  } finally {
    clearTimeout(timer)
  }
}

/** The error for a connection that ended by itself. */
export function lostError(what: string, exit: Exit, cause?: unknown): LifeboatError {
  const said = lastLine(exit.stderr)
  return new LifeboatError(`${what} was lost${said === '' ? '' : `: ${said}`}`, {
    cause,
    hint: 'The network failed, or the server there ended the session. Look into its log, and try again.',
  })
}
