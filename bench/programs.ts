// The programs that are compared, and how one is run.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { cost } from './harness.ts'
import { bytesIn, measure } from './measure.ts'
import type { Figure } from './results.ts'
import { DUMP, FAST, PATCH } from './tables.ts'

/** A way to back up, or to restore: the database that libpq's variables name, or a folder. */
export interface Program {
  readonly name: string
  /** Makes an empty store, before the time that counts. */
  prepare?(store: string): void
  /** `folder`: what is backed up, or restored into; empty for databases. */
  command(store: string, folder: string): readonly string[]
  environment?(store: string): NodeJS.ProcessEnv
  /** Folder, within that of the store, whose bytes are what is stored; null if nothing is stored. */
  readonly stored: string | null
  /** A second backup is a first one once more. */
  readonly forgets?: true
  /** Only its second backup is compared with the others. */
  readonly yardstick?: true
  /** The program whose backup this one restores. */
  readonly of?: Program
}

/** The one that scripts/setup.sh fetched if the system's is old. */
export const restic = ((fetched) => (existsSync(fetched) ? fetched : 'restic'))(path.join(import.meta.dirname, '../.cache/restic/usr/bin/restic'))

/** Uncompressed, as Lifeboat, restic and borg get it. */
const dump = 'pg_dump --format=custom --compress=0'
const shell = (script: string, ...given: string[]): string[] => ['bash', '-o', 'pipefail', '-c', script, 'bash', ...given]

export const resticEnvironment = (store: string): NodeJS.ProcessEnv => ({
  RESTIC_REPOSITORY: path.join(store, 'repository'), RESTIC_CACHE_DIR: path.join(store, 'cache'), RESTIC_PASSWORD: 'benchmark',
})
const borgEnvironment = (store: string): NodeJS.ProcessEnv => ({
  BORG_REPO: path.join(store, 'repository'), BORG_BASE_DIR: path.join(store, 'base'), BORG_PASSPHRASE: 'benchmark', BORG_RELOCATED_REPO_ACCESS_IS_OK: 'yes',
})
const resticStore = {
  prepare: (store: string) => void execFileSync(restic, ['init', '--quiet'], { env: { ...process.env, ...resticEnvironment(store) } }),
  environment: resticEnvironment, stored: 'repository',
}
const borgStore = {
  prepare: (store: string) => void execFileSync('borg', ['init', '--encryption=repokey'], { env: { ...process.env, ...borgEnvironment(store) }, stdio: 'ignore' }),
  environment: borgEnvironment, stored: 'repository',
}
const lifeboatWith = (lifeboat: string, command: string, store: string, ...more: string[]): string[] =>
  [process.execPath, lifeboat, command, '--destination', `file:${path.join(store, 'store')}`, '--json', ...more]

export function databasePrograms(lifeboat: string): Program[] {
  const ours = { environment: () => ({ DATABASE_URL: 'app=postgres:///' }), stored: 'store' }
  return [
    { name: DUMP, command: (store) => shell(`${dump} >/dev/null`, store), stored: null },
    { name: 'pg_dump -Fc', command: (store) => shell('pg_dump --format=custom --file="$1/app.dump"', store), stored: '.', forgets: true },
    { name: 'restic', command: (store) => shell(`${dump} | '${restic}' backup --quiet --stdin --stdin-filename app.dump`, store), ...resticStore },
    { name: 'borg', command: (store) => shell(`${dump} | borg create --stdin-name app.dump ::{now:%s.%f} -`, store), ...borgStore },
    {
      name: PATCH, stored: '.', yardstick: true,
      command: (store) => shell(`cd "$1"; if [ -e old ]; then ${dump} --file=new; zstd -q -3 --long=31 --patch-from=old new -o patch; rm new; else ${dump} --file=old; fi`, store),
    },
    { name: 'Lifeboat', command: (store) => lifeboatWith(lifeboat, 'backup', store), ...ours },
    { name: FAST, command: (store) => lifeboatWith(lifeboat, 'backup', store, '--compression-level', 'fast'), ...ours, forgets: true },
  ]
}

/** Ways to restore into a new database named `restored`. */
export function databaseRestores(backups: readonly Program[], lifeboat: string): Program[] {
  return [
    { name: 'pg_restore', command: (store) => shell('createdb restored && pg_restore --dbname=restored "$1/app.dump"', store), stored: null, of: named(backups, 'pg_dump -Fc') },
    {
      name: 'Lifeboat', command: (store) => lifeboatWith(lifeboat, 'restore', store, '--mode', 'create'),
      environment: () => ({ DATABASE_URL: 'postgres:///restored' }), stored: null, of: named(backups, 'Lifeboat'),
    },
  ]
}

export function volumePrograms(lifeboat: string): Program[] {
  return [
    { name: 'tar', command: (store, folder) => shell('tar -cf "$1/all.tar" -C "$2" .', store, folder), stored: '.', forgets: true },
    { name: 'tar | zstd', command: (store, folder) => shell('tar -c -C "$2" . | zstd -q >"$1/all.tar.zst"', store, folder), stored: '.', forgets: true },
    { name: 'restic', command: (_, folder) => [restic, 'backup', '--quiet', folder], ...resticStore },
    { name: 'borg', command: (_, folder) => ['borg', 'create', '::{now:%s.%f}', folder], ...borgStore },
    { name: 'Lifeboat', command: (store, folder) => lifeboatWith(lifeboat, 'backup', store, '--volumes', `data=${folder}`), stored: 'store' },
  ]
}

export function volumeRestores(backups: readonly Program[], lifeboat: string): Program[] {
  return [
    { name: 'restic', command: (_, folder) => [restic, 'restore', 'latest', '--quiet', '--target', folder], environment: resticEnvironment, stored: null, of: named(backups, 'restic') },
    { name: 'borg', command: (_, folder) => shell('cd "$1" && borg extract "::$(borg list --last 1 --short)"', folder), environment: borgEnvironment, stored: null, of: named(backups, 'borg') },
    { name: 'tar -x', command: (store, folder) => shell('tar -xpf "$1/all.tar" -C "$2"', store, folder), stored: null, of: named(backups, 'tar') },
    { name: 'Lifeboat', command: (store, folder) => lifeboatWith(lifeboat, 'restore', store, '--volume', 'data', '--target', folder), stored: null, of: named(backups, 'Lifeboat') },
  ]
}

function named(programs: readonly Program[], name: string): Program {
  return programs.find((program) => program.name === name)!
}

/** An empty folder, and in it what a program needs before its first backup. */
export function emptyStore(program: Program, store: string): void {
  rmSync(store, { recursive: true, force: true })
  mkdirSync(store, { recursive: true })
  program.prepare?.(store)
}

/** Runs a program on its store. Nothing waits to be written to the disk when it starts. */
export async function runOn(
  program: Program, { store, folder = '', environment, work }: { store: string; folder?: string; environment: NodeJS.ProcessEnv; work: string },
): Promise<Partial<Record<Figure, number>>> {
  execFileSync('sync')
  const counted = program.stored === null ? undefined : path.join(store, program.stored)
  const size = (): number => (counted !== undefined && existsSync(counted) ? bytesIn(counted) : 0)
  const before = size()
  const figures = cost(await measure(program.command(store, folder), { ...environment, ...program.environment?.(store) }, work))
  if (counted === undefined) return figures
  const stored = size()
  return { ...figures, stored, added: stored - before }
}
