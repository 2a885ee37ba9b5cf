import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import type { Variables } from '../../../environment.ts'
import { ChildError, runChild } from '../../../process/child.ts'
import { LifeboatError, messageOf } from '../../../error.ts'
import type { Client } from '../clients.ts'
import { CLIENT } from './program-sets.ts'
import { smokeTest, type Surroundings, writePrograms } from './programs.ts'

/** For fetching an image of about 160 MB, in milliseconds. */
const pullLimit = 300_000

/**
 * Client programs that run in the official image: scripts in `folder`, which must outlive their use. `readable` is a folder of this machine
 * whose files the programs are given by name (staged archives, lists); it has the same path inside.
 */
export async function clientFromImage(major: number, folder: string, readable: string, surroundings: Surroundings): Promise<Client> {
  const image = `postgres:${major}`
  await pullImage(image, surroundings)
  await mkdir(readable, { recursive: true, mode: 0o700 })
  const engine = Object.entries(engineOf(surroundings.variables)).filter(([name]) => name.startsWith('DOCKER_') || name.startsWith('XDG_'))
  await writePrograms(path.join(folder, 'bin'), CLIENT.programs, (program) => script(program, image, readable, engine))
  return smokeTest(path.join(folder, 'bin'), CLIENT, major, surroundings)
}

/** The variables by which the docker client finds its daemon. */
export function engineOf(variables: Variables): Record<string, string> {
  const environment: Record<string, string> = {}
  for (const [name, value] of Object.entries(variables)) {
    if (value !== undefined && /^(?:PATH|HOME|DOCKER_\w+|XDG_RUNTIME_DIR)$/.test(name)) environment[name] = value
  }
  return environment
}

/** Fetches an image, or does with the one that is here. Throws `LifeboatError` if there is none. */
export async function pullImage(image: string, { variables, signal }: Surroundings): Promise<void> {
  const environment = engineOf(variables)
  const docker = (parameters: string[]) =>
    runChild('docker', parameters, { environment, signal: AbortSignal.any([signal, AbortSignal.timeout(pullLimit)]) })
  try {
    await docker(['pull', '--quiet', image])
  } catch (error) {
    signal.throwIfAborted()
    // An image that is already here is good enough.
    await docker(['image', 'inspect', image]).catch(() => {
      const reason = error instanceof ChildError ? error.exit.stderr.trim() || messageOf(error) : messageOf(error)
      throw new LifeboatError(`docker cannot fetch the image ${image}: ${reason}`, { cause: error })
    })
  }
}

/**
 * Settings and the password are passed by the names of their variables only; files and socket folders that settings name are mounted under
 * the same path.
 */
const script = (program: string, image: string, readable: string, engine: [string, string][]) => `#!/bin/sh
${engine.map(([name, value]) => `export ${name}=${quoted(value)}`).join('\n')}
mount() {
  case $1 in /*) [ ! -e "$1" ] || mounts="$mounts,$1" ;; esac
}
mounts=${quoted(readable)}
for name in "$PGHOST" "$PGSSLROOTCERT" "$PGSSLCERT" "$PGSSLKEY" "$PGSSLCRL" "$PGPASSFILE" "$PGSERVICEFILE"; do mount "$name"; done
set -- ${image} ${program} "$@"
for name in $(env | sed -n 's/^\\(PG[A-Z]*\\|LC_ALL\\|TZ\\)=.*/\\1/p'); do set -- --env "$name" "$@"; done
IFS=,
set -f
for name in $mounts; do set -- --volume "$name:$name" "$@"; done
exec docker run --pull never --rm --interactive --init --network host --log-driver none --user "$(id -u):$(id -g)" "$@"
`

const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`
