import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { type Child, type Exit, startChild } from '../../process/child.ts'
import { LifeboatError } from '../../error.ts'
import { targetText } from './address.ts'
import { authentication, connectSsh, knownHostsOf, type Method, signInRefused, type SshAccess, type SshTarget, usableKey } from './connection.ts'
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

const CONNECT_SECONDS = 30
const SAID_LIMIT = 16 * 1024
const PATIENCE_MS = 3000

// ssh -N reads no input, so it would outlive a killed Lifeboat: the pipe at its side closes then as well, and ends it. First the key comes through it, into a
// file that has lost its name before, so that it is gone, however this ends, when ssh is.
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

// The server words the questions it asks, but does not know what the key is called here.
const ASKPASS = String.raw`#!/bin/sh
case $1 in
  "Enter passphrase for key '$LIFEBOAT_KEY'"*) printf '%s\n' "$LIFEBOAT_PASSPHRASE" ;;
  *) printf '%s\n' "$LIFEBOAT_PASSWORD" ;;
esac
`

/**
 * Connects and signs in, by what is given alone: no configuration of ssh applies. `parameters`: more arguments for ssh, relative to the
 * folder where they name files. Throws a LifeboatError that tells what is wrong.
 */
export async function openSsh(target: SshTarget, access: SshAccess, parameters: readonly string[], context: SshContext): Promise<SshProgram> {
  const { variables, temporary, signal } = context
  const methods = authentication(access, variables)
  const { known } = await knownHostsOf(access, variables)
  const key = await usableKey(access)
  await mkdir(temporary, { recursive: true, mode: 0o700 })
  const folder = await mkdtemp(path.join(temporary, 'ssh-'))
  try {
    const keyFile = `key-${randomBytes(8).toString('hex')}`
    const asked = access.passphrase !== undefined || methods.includes('password')
    await writeFile(path.join(folder, 'known_hosts'), knownHostsText(known, target), { mode: 0o600 })
    // Elsewhere what is opened there goes on where another has stopped reading.
    if (key !== undefined) await (process.platform === 'linux' ? symlink('/dev/stdin', path.join(folder, keyFile)) : writeFile(path.join(folder, keyFile), key, { mode: 0o600 }))
    if (asked) await writeFile(path.join(folder, 'askpass'), ASKPASS, { mode: 0o700 })
    signal.throwIfAborted()
    const environment = {
      PATH: variables['PATH'] ?? '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C',
      ...(variables['HOME'] !== undefined && { HOME: variables['HOME'] }),
    }
    const answering = asked && { SSH_ASKPASS: './askpass', SSH_ASKPASS_REQUIRE: 'force', LIFEBOAT_KEY: keyFile, LIFEBOAT_PASSPHRASE: access.passphrase ?? '', LIFEBOAT_PASSWORD: access.password ?? '' }
    let said = ''
    const keyBytes = Buffer.from(key ?? '')
    const child = startChild('sh', ['-c', HOLD, 'sh', String(keyBytes.length), 'ssh', ...optionsFor(target, methods, { keyFile, asked }), ...parameters, '--', target.host], {
      environment: { ...environment, ...(methods.includes('agent') && { SSH_AUTH_SOCK: variables['SSH_AUTH_SOCK']! }), ...answering },
      folder,
      onStderr: (text) => (said = (said + text).slice(-SAID_LIMIT)),
    })
    const close = async (): Promise<void> => {
      child.end()
      const late = setTimeout(() => void child.stop(), PATIENCE_MS)
      await child.exit
      clearTimeout(late)
      await rm(folder, { recursive: true, force: true })
    }
    try {
      // Where it reads none, it has ended, and says why.
      await child.write(keyBytes)
      await connected(child, signal)
      await Promise.all([keyFile, 'known_hosts', 'askpass'].map((name) => rm(path.join(folder, name), { force: true })))
    } catch (error) {
      await close()
      signal.throwIfAborted()
      throw error instanceof Unconnected ? await connectionFailure(target, access, methods, await child.exit, context) : error
    }
    return { folder, environment, ended: child.exit, said: () => said, close }
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

function optionsFor(target: SshTarget, methods: readonly Method[], { keyFile, asked }: { keyFile: string; asked: boolean }): string[] {
  const ways = new Set(methods.map((method) => (method === 'agent' ? 'publickey' : method)))
  const options = {
    BatchMode: asked ? 'no' : 'yes',
    StrictHostKeyChecking: 'yes',
    UserKnownHostsFile: 'known_hosts',
    GlobalKnownHostsFile: 'none',
    UpdateHostKeys: 'no',
    PreferredAuthentications: [...ways].join(','),
    IdentityFile: methods.includes('publickey') ? keyFile : 'none',
    IdentityAgent: methods.includes('agent') ? 'SSH_AUTH_SOCK' : 'none',
    IdentitiesOnly: methods.includes('publickey') ? 'yes' : 'no',
    NumberOfPasswordPrompts: '1',
    ConnectTimeout: String(CONNECT_SECONDS),
    // A peer that is gone is noticed after a minute.
    ServerAliveInterval: '15',
    ServerAliveCountMax: '4',
    ForwardAgent: 'no',
    ForwardX11: 'no',
    ExitOnForwardFailure: 'yes',
    // It runs when all is set up.
    PermitLocalCommand: 'yes',
    LocalCommand: 'echo connected',
  }
  return ['-F', 'none', ...Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]), '-N', '-T', '-p', String(target.port), '-l', target.user]
}

/** It ended before it was connected. */
class Unconnected extends Error {}

async function connected(child: Child, signal: AbortSignal): Promise<void> {
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

/** What kept ssh from connecting. */
async function connectionFailure(target: SshTarget, access: SshAccess, methods: readonly Method[], { stderr, failure }: Exit, { variables, signal }: SshContext): Promise<LifeboatError> {
  const where = `${target.host}:${target.port}`
  const said = lastLine(stderr)
  const cause = new Error(said || 'ssh said nothing')
  if (failure) return new LifeboatError(`ssh could not be started: ${failure.message}`, { cause: failure })
  if (/ssh: (?:command )?not found/.test(stderr)) return new LifeboatError('there is no ssh on this machine', { cause, hint: "Install OpenSSH's client (package openssh-client)." })
  if (/Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED/.test(stderr)) {
    return (await hostKeyProblem(target, access, { variables, signal })) ?? new LifeboatError(`the host key of ${where} is not the one that is known: ${said}`, { cause, hint: 'Compare it with ssh-known-hosts.' })
  }
  if (/Permission denied \(|Too many authentication failures/.test(stderr)) return signInRefused(target, methods, cause)
  if (/Could not resolve hostname/.test(stderr)) return new LifeboatError(`there is no host ${target.host}`, { cause, hint: 'Check its spelling; a name of a private network is not known to hosted runners.' })
  const hint = /Connection refused/.test(stderr) ? 'Is the SSH server running there, and the port right?'
    : /timed out|No route to host|Network is unreachable/.test(stderr) ? 'Check host and port, and that no firewall drops the connection.' : undefined
  return new LifeboatError(`cannot connect to ${targetText(target)}: ${said || 'ssh said nothing'}`, { cause, ...(hint && { hint }) })
}

/** ssh shows no key that it refuses, nor the line to add; the library does. */
async function hostKeyProblem(target: SshTarget, access: SshAccess, { variables, signal }: Pick<SshContext, 'variables' | 'signal'>): Promise<LifeboatError | undefined> {
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

/** What ssh said last, without its name. */
export function lastLine(stderr: string): string {
  const lines = stderr.split(/\r?\n/).map((line) => line.trim()).filter((line) => line !== '')
  return (lines.at(-1) ?? '').replace(/^ssh: /, '')
}

/** How the connection ended, when that is within `ms`. */
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
  return new LifeboatError(`${what} was lost${said === '' ? '' : `: ${said}`}`, { cause, hint: 'The network failed, or the server there ended the session: look into its log and try again.' })
}
