import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Variables } from '../../../environment.ts'
import { ChildError, runChild } from '../../../process/child.ts'
import { LifeboatError, messageOf } from '../../../error.ts'
import type { ProgramSet, Programs } from './program-sets.ts'

/** Limits of the commands here, in milliseconds. */
const unpackLimit = 120_000
const smokeLimit = 60_000

export interface Surroundings {
  variables: Variables
  signal: AbortSignal
}

/**
 * Unpacks packages into `folder` and makes `folder/bin`: small scripts that run the programs with the libpq that came with them. Only
 * libraries that the packages do not contain are used from the system.
 */
export async function unpack(
  packages: readonly string[],
  { programs }: ProgramSet,
  folder: string,
  { variables, signal }: Surroundings,
): Promise<void> {
  await mkdir(folder, { recursive: true })
  const environment = { PATH: variables.PATH ?? '', LC_ALL: 'C' }
  for (const file of packages) {
    await runChild('dpkg-deb', ['--extract', file, folder], {
      environment,
      signal: AbortSignal.any([signal, AbortSignal.timeout(unpackLimit)]),
    })
  }
  for (const name of ['doc', 'man', 'locale', 'lintian']) await rm(path.join(folder, 'usr/share', name), { recursive: true, force: true })
  const inside = (await readdir(folder, { recursive: true, withFileTypes: true })).map((entry) =>
    path.relative(folder, path.join(entry.parentPath, entry.name)),
  )
  const [first] = programs
  const found = inside.find((name) => /^usr\/lib\/postgresql\/\d+\/bin\/[^/]+$/.test(name) && path.basename(name) === first)
  if (found === undefined)
    throw new LifeboatError(`the packages hold no ${first}: ${packages.map((file) => path.basename(file)).join(', ')}`)
  const libraries = [
    ...new Set(inside.filter((name) => /^(?:usr\/)?lib\/[^/]+\/lib[^/]+\.so\.[\d.]+$/.test(name)).map((name) => path.dirname(name))),
  ]
  await writePrograms(path.join(folder, 'bin'), programs, (program) => wrapper(path.join(path.dirname(found), program), libraries))
}

/** Writes a script for each program, readable and executable for all. */
export async function writePrograms(folder: string, programs: readonly string[], script: (program: string) => string): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const program of programs) await writeFile(path.join(folder, program), script(program), { mode: 0o755 })
}

/** Runs every program of `directory` with `--version`. Throws `LifeboatError` unless all are of the wanted major, and gives them. */
export async function smokeTest(
  directory: string,
  { programs }: ProgramSet,
  major: number,
  { variables, signal }: Surroundings,
): Promise<Programs> {
  const environment = { ...(variables.HOME !== undefined && { HOME: variables.HOME }), PATH: variables.PATH ?? '', LC_ALL: 'C' }
  for (const program of programs) {
    const told = await runChild(path.join(directory, program), ['--version'], {
      environment, signal: AbortSignal.any([signal, AbortSignal.timeout(smokeLimit)]),
    }).catch((error: unknown) => {
      signal.throwIfAborted()
      const reason = error instanceof ChildError ? error.exit.stderr.trim() || messageOf(error) : messageOf(error)
      throw new LifeboatError(`the ${program} of PostgreSQL ${major} that was fetched does not run here: ${reason}`, { cause: error })
    })
    if (Number(/\(PostgreSQL\) (\d+)/.exec(told.stdout)?.[1]) !== major) {
      throw new LifeboatError(
        `the ${program} that was fetched is not of PostgreSQL ${major}: it says ${JSON.stringify(told.stdout.trim().slice(0, 100))}`,
      )
    }
  }
  return { major, directory }
}

// The service file of the machine is found relative to a program's own place, which is not the usual one.
const wrapper = (program: string, libraries: readonly string[]) => `#!/bin/sh
root=\${0%/*}/..
LD_LIBRARY_PATH="${libraries.map((folder) => `$root/${folder}:`).join('')}\${LD_LIBRARY_PATH:-}"
LD_LIBRARY_PATH=\${LD_LIBRARY_PATH%:}
: "\${PGSYSCONFDIR:=/etc/postgresql-common}"
export LD_LIBRARY_PATH PGSYSCONFDIR
exec "$root/${program}" "$@"
`
