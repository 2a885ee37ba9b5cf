import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import type { Report, Variables } from '../../../environment.ts'
import { ChildError, runChild } from '../../../process/child.ts'
import { LifeboatError, messageOf } from '../../../error.ts'
import type { Client } from '../clients.ts'
import { officialImage, officialTag } from './official-images.ts'
import { CLIENT } from './program-sets.ts'
import { smokeTest, type Surroundings, writePrograms } from './programs.ts'

/** For fetching an image of about 160 MB, in milliseconds. */
const pullLimit = 300_000
/** For looking at an image that is here, in milliseconds. */
const inspectLimit = 60_000

type ImageContext = Surroundings & { report: Report }

/** An image of this machine. */
export interface Image {
  /** As it was asked for. */
  readonly name: string
  /** By digest, or, if it came from no registry, its id: it stays the same image when its tag moves. */
  readonly exact: string
}

/**
 * Client programs that run in the official image: scripts in `folder`, which must outlive their use. `readable` is a folder of this machine
 * whose files the programs are given by name (staged archives, lists); it has the same path inside.
 */
export async function clientFromImage(major: number, folder: string, readable: string, surroundings: ImageContext): Promise<Client> {
  const { exact } = await pullOfficialImage(major, surroundings)
  await mkdir(readable, { recursive: true, mode: 0o700 })
  const engine = Object.entries(engineOf(surroundings.variables)).filter(([name]) => name.startsWith('DOCKER_') || name.startsWith('XDG_'))
  await writePrograms(path.join(folder, 'bin'), CLIENT.programs, (program) => script(program, exact, readable, engine))
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

/**
 * Fetches the official image of a major, by its digest. A machine that cannot have it does with the one that its user has put there, by the
 * tag. Throws `LifeboatError` if there is none.
 */
export async function pullOfficialImage(major: number, context: ImageContext): Promise<Image> {
  try {
    return await pullImage(officialImage(major), context)
  } catch (error) {
    context.signal.throwIfAborted()
    const here = await imageHere(officialTag(major), context)
    if (here !== undefined) return here
    const hint = `Or put an image there yourself, with docker pull ${officialTag(major)} or docker load.`
    throw new LifeboatError(messageOf(error), { hint, cause: error })
  }
}

/** Fetches an image, or does with the one that is here. Throws `LifeboatError` if there is none. */
export async function pullImage(image: string, context: ImageContext): Promise<Image> {
  const { variables, signal } = context
  const limited = AbortSignal.any([signal, AbortSignal.timeout(pullLimit)])
  try {
    await runChild('docker', ['pull', '--quiet', image], { environment: engineOf(variables), signal: limited })
  } catch (error) {
    signal.throwIfAborted()
    // An image that is already here is good enough.
    const here = await imageHere(image, context)
    if (here !== undefined) return here
    const reason = error instanceof ChildError ? error.exit.stderr.trim() || messageOf(error) : messageOf(error)
    throw new LifeboatError(`docker cannot fetch the image ${image}: ${reason}`, { cause: error })
  }
  return (await imageHere(image, context)) ?? { name: image, exact: image }
}

/** Undefined if it is not here. The log gets its exact name. */
async function imageHere(name: string, { variables, signal, report }: ImageContext): Promise<Image | undefined> {
  const line = ['image', 'inspect', '--format', '{{json .RepoDigests}} {{.Id}}', name]
  const limited = AbortSignal.any([signal, AbortSignal.timeout(inspectLimit)])
  const inspected = await runChild('docker', line, { environment: engineOf(variables), signal: limited }).catch(() => undefined)
  signal.throwIfAborted()
  if (inspected === undefined) return undefined
  const exact = exactName(name, inspected.stdout)
  report.info(exact === name ? `using the image ${name}` : `using the image ${name}, which is ${exact}`)
  return { name, exact }
}

/** `inspected`: the digests that an image has in repositories, and its id. Pure. */
export function exactName(image: string, inspected: string): string {
  if (image.includes('@sha256:')) return image
  const repository = image.replace(/:[^/:]*$/, '')
  const digests = inspected.match(/[\w./:-]+@sha256:[0-9a-f]{64}/g) ?? []
  const id = /\b(?:sha256:)?[0-9a-f]{64}\s*$/.exec(inspected)?.[0].trim()
  return digests.find((digest) => digest.startsWith(`${repository}@`)) ?? digests[0] ?? id ?? image
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
set -- ${quoted(image)} ${program} "$@"
for name in $(env | sed -n 's/^\\(PG[A-Z]*\\|LC_ALL\\|TZ\\)=.*/\\1/p'); do set -- --env "$name" "$@"; done
IFS=,
set -f
for name in $mounts; do set -- --volume "$name:$name" "$@"; done
exec docker run --pull never --rm --interactive --init --network host --log-driver none --user "$(id -u):$(id -g)" "$@"
`

const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`
