import { type Child, ChildError, startChild } from '../../process/child.ts'
import { LifeboatError } from '../../error.ts'
import { placeText, type SshPlace, targetText } from '../../net/ssh/address.ts'
import type { SshAccess } from '../../net/ssh/connection.ts'
import { lostError } from '../../net/ssh/failure.ts'
import type { SshContext } from '../../net/ssh/login.ts'
import { endWithin, openSsh, SOCKET, type SshProgram } from '../../net/ssh/program.ts'
import { PLAIN, type Site, STDERR_LIMIT } from '../files/site.ts'
import { lookAtFolder, targetFolder } from './target.ts'

/**
 * A folder of another machine. One connection serves all programs that are started there. `target`: it is created if it is missing, or only
 * looked at.
 */
export async function reachSsh(
  given: SshPlace,
  access: SshAccess,
  { target, ...context }: SshContext & { target: boolean | 'look' },
): Promise<{ site: Site; missing?: boolean; release(): Promise<void> }> {
  const ssh = await openSsh(given, access, ['-M', '-S', SOCKET], context)
  const site: Site = {
    where: placeText(given),
    root: given.path,
    start: (program, parameters, { signal }) => {
      const plain = Object.entries(PLAIN).map(([name, value]) => `${name}=${value}`)
      const command = ['exec', 'env', ...plain, ...[program, ...parameters].map(quoted)].join(' ')
      // If the connection is lost, ssh would make another, to another port and by other rules.
      const options = ['-F', 'none', '-S', SOCKET, '-o', 'ControlMaster=no', '-o', 'ProxyCommand=false', '-o', 'LogLevel=ERROR', '-T']
      const child = startChild('ssh', [...options, '--', given.host, command], {
        environment: ssh.environment,
        folder: ssh.folder,
        signal,
        stderrLimit: STDERR_LIMIT,
      })
      return { ...child, stdout: { [Symbol.asyncIterator]: () => watched(child, program, given, ssh) } }
    },
  }
  try {
    const release = (): Promise<void> => ssh.close()
    if (target === 'look') {
      const { root, missing } = await lookAtFolder(given.path, site, context.signal)
      return { site: { ...site, root }, missing, release }
    }
    const root = target ? await targetFolder(given.path, site, context.signal) : given.path
    return { site: { ...site, root }, release }
  } catch (error) {
    await ssh.close()
    throw error
  }
}

/** ssh ends with the status of the program there, or with this one for errors of its own. */
const OWN_STATUS = 255
const END_MS = 2000

async function* watched(child: Child, program: string, given: SshPlace, ssh: SshProgram): AsyncGenerator<Buffer, void, void> {
  try {
    yield* child.stdout
  } catch (error) {
    if (!(error instanceof ChildError) || error.exit.status !== OWN_STATUS) throw error
    const end = await endWithin(ssh, END_MS)
    if (end) throw lostError(`the connection to ${targetText(given)}`, end, error)
    throw new LifeboatError(`${program} was ended on ${targetText(given)} before it was done`, {
      cause: error,
      hint: 'Something there ended it, often the system when memory runs out, or the server refuses more sessions (MaxSessions).',
    })
  }
}

/** Quotes a word for the shell there. */
function quoted(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`
}
