import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import path from 'node:path'

/** A way to back up the database that libpq's variables name. */
export interface Program {
  readonly name: string
  /** Makes an empty store, before the time that counts. */
  prepare?(folder: string): void
  /** The whole command, given the folder of its store. */
  command(folder: string): readonly string[]
  environment?(folder: string): NodeJS.ProcessEnv
  /** Folder, within the given one, whose bytes are what is stored; null where nothing is. */
  readonly stored: string | null
  /** A second backup is a first one once more. */
  readonly forgets?: true
  /** The program whose backup this one restores. */
  readonly of?: Program
}

/** Uncompressed: what Lifeboat, restic and borg are given too. */
const dump = 'pg_dump --format=custom --compress=0'
const shell = (script: string, folder: string): string[] => ['bash', '-o', 'pipefail', '-c', script, 'bash', folder]

export interface Given {
  /** Where Lifeboat's cli.js is. */
  lifeboat: string
  encryptionKey: string
  restic: string
}

const resticEnvironment = (folder: string): NodeJS.ProcessEnv => ({
  RESTIC_REPOSITORY: path.join(folder, 'repository'),
  RESTIC_CACHE_DIR: path.join(folder, 'cache'),
  RESTIC_PASSWORD: 'benchmark',
})
const borgEnvironment = (folder: string): NodeJS.ProcessEnv => ({
  BORG_REPO: path.join(folder, 'repository'),
  BORG_BASE_DIR: path.join(folder, 'base'),
  BORG_PASSPHRASE: 'benchmark',
})

export function programs({ lifeboat, encryptionKey, restic }: Given): Program[] {
  return [
    { name: 'pg_dump >/dev/null', command: (folder) => shell(`${dump} >/dev/null`, folder), stored: null, forgets: true },
    { name: 'pg_dump | gzip -9', command: (folder) => shell(`${dump} | gzip -9 >"$1/dump.gz"`, folder), stored: '.', forgets: true },
    { name: 'pg_dump -Fc', command: (folder) => shell('pg_dump --format=custom --file="$1/app.dump"', folder), stored: '.', forgets: true },
    {
      name: 'restic',
      prepare: (folder) => void execFileSync(restic, ['init', '--quiet'], { env: { ...process.env, ...resticEnvironment(folder) } }),
      command: (folder) => shell(`${dump} | '${restic}' backup --quiet --stdin --stdin-filename app.dump`, folder),
      environment: resticEnvironment,
      stored: 'repository',
    },
    {
      name: 'borg',
      prepare: (folder) => void execFileSync('borg', ['init', '--encryption=repokey'], { env: { ...process.env, ...borgEnvironment(folder) }, stdio: 'ignore' }),
      command: (folder) => shell(`${dump} | borg create --stdin-name app.dump ::{now:%s.%f} -`, folder),
      environment: borgEnvironment,
      stored: 'repository',
    },
    {
      name: 'Lifeboat',
      command: (folder) => [process.execPath, lifeboat, 'backup', '--destination', `file:${path.join(folder, 'store')}`, '--json'],
      environment: () => ({ LIFEBOAT_ENCRYPTION_KEY: encryptionKey, DATABASE_URL: `app=postgres:///` }),
      stored: 'store',
    },
  ]
}

/** Ways to restore what the programs backed up into a new database named `restored`. */
export function restores(backups: readonly Program[]): Program[] {
  const named = (name: string) => backups.find((program) => program.name === name)!
  const lifeboat = named('Lifeboat')
  const [node, script] = lifeboat.command('')
  return [
    { name: 'pg_restore', command: (folder) => shell('createdb restored && pg_restore --dbname=restored "$1/app.dump"', folder), stored: null, of: named('pg_dump -Fc') },
    {
      name: 'Lifeboat',
      command: (folder) => [node!, script!, 'restore', '--mode', 'create', '--destination', `file:${path.join(folder, 'store')}`, '--json'],
      environment: (folder) => ({ ...lifeboat.environment?.(folder), DATABASE_URL: 'postgres:///restored' }),
      stored: null,
      of: lifeboat,
    },
  ]
}

/** An empty folder, and in it what a program needs before its first backup. */
export function emptyStore(program: Program, folder: string): void {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  program.prepare?.(folder)
}
