import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import path from 'node:path'
import { type Child, type Exit, startChild } from '../../process/child.ts'
import type { SshAccess, SshTarget } from './connection.ts'
import { connectionFailure } from './failure.ts'
import { answersOf, type Login, loginFor, optionsFor, removeFiles, type SshContext, writeFiles } from './login.ts'

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
      await removeFiles(folder, login)
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
