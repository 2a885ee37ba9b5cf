import { randomBytes } from 'node:crypto'
import type { Variables } from '../../environment.ts'
import { type Child, ChildError, runChild, startChild } from '../../process/child.ts'
import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import { PLAIN, type Site, STDERR_LIMIT } from '../files/site.ts'

/**
 * The smallest image of Debian has GNU tar, find and coreutils. The digest is that of all its platforms; .github/images/Dockerfile has it
 * too, for Dependabot.
 */
export const HELPER_IMAGE =
  'debian:bookworm-20250407-slim@sha256:b1211f6d19afd012477bd34fdcabb6b663d680e0f4b0537da6e6b0fd057a3ec3'

/** The programs that are run in the helper container: for every use, and, in addition, to restore. */
const PROGRAMS = ['cat', 'find', 'id', 'tar']
const RESTORING = ['chmod', 'cp', 'date', 'df', 'mkdir', 'mv', 'realpath', 'rm', 'rmdir', 'sleep', 'stat', 'sync', 'touch']

const OTHER_IMAGE = marked`Give ‹docker-image› with sh, GNU tar, GNU find and the GNU coreutils, or leave it out.`

/** Prints what the container lacks, or becomes the program that holds it. */
const HOLD = String.raw`
for one; do command -v "$one" >/dev/null || lacks="$lacks, $one"; done
case $(tar --version 2>&1 </dev/null) in *'GNU tar'*) ;; *) lacks="$lacks, GNU tar" ;; esac
case $(find --version 2>&1 </dev/null) in *'GNU findutils'*) ;; *) lacks="$lacks, GNU find" ;; esac
[ -z "$lacks" ] || { printf '%s\n' "$lacks"; exit; }
exec cat
`

/** Variables that the docker client needs: DOCKER_HOST, contexts and their ssh keys, proxies. */
export function dockerEnvironment(variables: Variables): Record<string, string> {
  const wanted = /^(PATH|HOME|USER|SSH_AUTH_SOCK|XDG_RUNTIME_DIR|DOCKER_\w+|BUILDKIT_\w+|https?_proxy|no_proxy)$/i
  return Object.fromEntries(
    Object.entries(variables).flatMap(([name, value]) => (value !== undefined && wanted.test(name) ? [[name, value]] : [])),
  )
}

/** Runs the docker client to its end. Throws a LifeboatError with its messages. */
export async function runDocker(
  parameters: readonly string[],
  { variables, signal }: { variables: Variables; signal?: AbortSignal },
): Promise<string> {
  try {
    const { stdout } = await runChild('docker', parameters, { environment: dockerEnvironment(variables), ...(signal && { signal }) })
    return stdout
  } catch (error) {
    signal?.throwIfAborted()
    throw dockerError(error, `docker ${parameters[0]}`)
  }
}

function dockerError(error: unknown, what: string): unknown {
  if (!(error instanceof ChildError)) return error
  if (error.exit.failure)
    return new LifeboatError(`${what}: ${error.message}`, {
      cause: error,
      hint: 'Docker volumes are reached through the docker client: install it (package docker-cli or docker.io).',
    })
  const said = error.exit.stderr
    .trim()
    .split('\n')
    .filter((line) => !line.startsWith('See '))
    .slice(-3)
    .join('; ')
  const hint = /Cannot connect|permission denied|connection refused/i.test(said)
    ? 'Does `docker ps` work for this user? DOCKER_HOST and docker contexts are used as given.'
    : /pull|manifest|No such image|Unable to find image|executable file not found/i.test(said)
      ? `The helper image is not available, or has no sh. ${OTHER_IMAGE}`
      : undefined
  return new LifeboatError(`${what} failed: ${said || error.message}`, { cause: error, ...(hint !== undefined && { hint }) })
}

export interface DockerVolume {
  volume: string
  image: string
  /** For a restore: writable, and created if it is missing; or only looked at, in place of which a missing one is the container itself. */
  target: boolean | 'look'
  variables: Variables
  signal: AbortSignal
}

/** Labels the containers, for people who look at them. */
const LABEL = 'io.github.lifeboat=volume'
const PATIENCE_MS = 3000

/**
 * A Docker volume, through a helper container that has it at /v and can write nothing else. The container runs `cat` and ends with its
 * standard input, so that it also ends if this process is killed, with everything that runs in it.
 */
export async function reachDocker({
  volume,
  image,
  target,
  variables,
  signal,
}: DockerVolume): Promise<{ site: Site; missing: boolean; release(): Promise<void> }> {
  const known = (await runDocker(['volume', 'ls', '--quiet', '--filter', `name=^${volume}$`], { variables, signal }))
    .split('\n')
    .includes(volume)
  if (!known && !target)
    throw new LifeboatError(`there is no Docker volume ${volume}`, {
      hint: '`docker volume ls` shows them; Docker Compose puts the name of its project before those of its volumes.',
    })
  const missing = !known && target === 'look'
  if (!known && !missing) await runDocker(['volume', 'create', volume], { variables, signal })
  const name = `lifeboat-${randomBytes(6).toString('hex')}`
  const environment = dockerEnvironment(variables)
  // Not stopped by the signal: it ends at once with its input, and would ignore a SIGTERM.
  const holder = startChild(
    'docker',
    [
      'run',
      '--rm',
      '--interactive',
      '--log-driver=none',
      '--network=none',
      '--read-only',
      '--quiet',
      '--name',
      name,
      '--label',
      LABEL,
      '--user',
      '0:0',
      ...(missing ? [] : ['--volume', `${volume}:/v${target === true ? '' : ':ro'}`]),
      '--entrypoint',
      'sh',
      image,
      '-c',
      HOLD,
      'sh',
      ...PROGRAMS,
      ...(target ? RESTORING : []),
    ],
    { environment },
  )
  const release = async (): Promise<void> => {
    holder.end()
    const late = setTimeout(() => void holder.stop(), PATIENCE_MS)
    await holder.exit
    clearTimeout(late)
  }
  try {
    await answers(holder, image, signal)
  } catch (error) {
    await release()
    signal.throwIfAborted()
    throw dockerError(error, `a container of ${image}`)
  }
  const plain = Object.entries(PLAIN).flatMap(([name, value]) => ['--env', `${name}=${value}`])
  return {
    site: {
      where: `docker:${volume}`,
      root: missing ? '/' : '/v',
      isolated: true,
      start: (program, parameters, { signal }) =>
        startChild('docker', ['exec', '--interactive', ...plain, name, program, ...parameters], {
          environment,
          signal,
          stderrLimit: STDERR_LIMIT,
        }),
    },
    missing,
    release,
  }
}

/** Waits until cat returns its input. It prints nothing after that. Throws if the image lacks a program. */
async function answers(holder: Child, image: string, signal: AbortSignal): Promise<void> {
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const abort = (): void => reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  try {
    const output = holder.stdout[Symbol.asyncIterator]()
    await holder.write(Buffer.from('\n'))
    const { done, value } = await Promise.race([output.next(), aborted])
    if (done) throw new LifeboatError('the helper container ended before it was used')
    const lacks = value.toString().trim().replace(/^, /, '')
    if (lacks !== '') {
      throw new LifeboatError(`the helper image ${image} lacks ${lacks}; nothing was begun`, {
        hint: OTHER_IMAGE,
      })
    }
    // The end is noticed only if the pipe is read.
    output.next().catch(() => undefined) // Programs that run in the container report its end.
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
