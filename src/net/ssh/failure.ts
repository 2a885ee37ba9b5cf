import type { Exit } from '../../process/child.ts'
import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import { targetText } from './address.ts'
import { connectSsh, NOT_LISTENING, signInRefused, type SshAccess, type SshTarget } from './connection.ts'
import { CONNECT_SECONDS, type Login, type SshContext } from './login.ts'

/** The reason why ssh did not connect, from its own words. */
export async function connectionFailure(
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
      new LifeboatError(`the host key of ${where} is not the known one: ${said}`, { cause, hint:
        marked`Compare it with ‹ssh-known-hosts›.` })
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
function lastLine(stderr: string): string {
  const lines = stderr
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '')
  return (lines.at(-1) ?? '').replace(/^ssh: /, '')
}

/** The error for a connection that ended by itself. */
export function lostError(what: string, exit: Exit, cause?: unknown): LifeboatError {
  const said = lastLine(exit.stderr)
  return new LifeboatError(`${what} was lost${said === '' ? '' : `: ${said}`}`, {
    cause,
    hint: 'The network failed, or the server there ended the session. Look into its log, and try again.',
  })
}
