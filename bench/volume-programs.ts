import { execFileSync } from 'node:child_process'
import path from 'node:path'
import type { Given } from './programs.ts'

/** A way to back up a folder, or to restore into one. */
export interface VolumeProgram {
  readonly name: string
  /** Makes an empty store, before the time that counts. */
  prepare?(store: string): void
  /** `folder`: what is backed up, or restored into. */
  command(store: string, folder: string): readonly string[]
  environment?(store: string): NodeJS.ProcessEnv
  /** Folder in that of the store whose bytes are what is stored; null where nothing is. */
  readonly stored: string | null
  /** A second backup is a first one once more. */
  readonly forgets?: true
  /** The program whose backup this one restores. */
  readonly of?: VolumeProgram
}

const shell = (script: string, ...given: string[]): string[] => ['bash', '-o', 'pipefail', '-c', script, 'bash', ...given]
const resticEnvironment = (store: string): NodeJS.ProcessEnv => ({ RESTIC_REPOSITORY: path.join(store, 'repository'), RESTIC_CACHE_DIR: path.join(store, 'cache'), RESTIC_PASSWORD: 'benchmark' })
const borgEnvironment = (store: string): NodeJS.ProcessEnv => ({ BORG_REPO: path.join(store, 'repository'), BORG_BASE_DIR: path.join(store, 'base'), BORG_PASSPHRASE: 'benchmark', BORG_RELOCATED_REPO_ACCESS_IS_OK: 'yes' })

export function volumePrograms({ lifeboat, encryptionKey, restic }: Given): VolumeProgram[] {
  return [
    { name: 'tar', command: (store, folder) => shell('tar -cf "$1/all.tar" -C "$2" .', store, folder), stored: '.', forgets: true },
    { name: 'tar | gzip', command: (store, folder) => shell('tar -c -C "$2" . | gzip >"$1/all.tar.gz"', store, folder), stored: '.', forgets: true },
    { name: 'tar | zstd', command: (store, folder) => shell('tar -c -C "$2" . | zstd -q >"$1/all.tar.zst"', store, folder), stored: '.', forgets: true },
    {
      name: 'restic',
      prepare: (store) => void execFileSync(restic, ['init', '--quiet'], { env: { ...process.env, ...resticEnvironment(store) } }),
      command: (_, folder) => [restic, 'backup', '--quiet', folder],
      environment: resticEnvironment,
      stored: 'repository',
    },
    {
      name: 'borg',
      prepare: (store) => void execFileSync('borg', ['init', '--encryption=repokey'], { env: { ...process.env, ...borgEnvironment(store) }, stdio: 'ignore' }),
      command: (_, folder) => ['borg', 'create', '::{now:%s.%f}', folder],
      environment: borgEnvironment,
      stored: 'repository',
    },
    {
      name: 'Lifeboat',
      command: (store, folder) => [process.execPath, lifeboat, 'backup', '--volumes', `data=${folder}`, '--destination', `file:${path.join(store, 'store')}`],
      environment: () => ({ LIFEBOAT_ENCRYPTION_KEY: encryptionKey }),
      stored: 'store',
    },
  ]
}

export function volumeRestores(programs: readonly VolumeProgram[]): VolumeProgram[] {
  const named = (name: string) => programs.find((program) => program.name === name)!
  const [lifeboat, restic] = [named('Lifeboat'), named('restic')]
  const [node, script] = lifeboat.command('', '')
  const [resticProgram] = restic.command('', '')
  return [
    { name: 'restic', command: (_, folder) => [resticProgram!, 'restore', 'latest', '--quiet', '--target', folder], environment: resticEnvironment, stored: null, of: restic },
    { name: 'borg', command: (_, folder) => shell('cd "$1" && borg extract "::$(borg list --last 1 --short)"', folder), environment: borgEnvironment, stored: null, of: named('borg') },
    { name: 'tar -x', command: (store, folder) => shell('tar -xpf "$1/all.tar" -C "$2"', store, folder), stored: null, of: named('tar') },
    {
      name: 'Lifeboat',
      command: (store, folder) => [node!, script!, 'restore', '--volume', 'data', '--target', folder, '--destination', `file:${path.join(store, 'store')}`],
      environment: () => lifeboat.environment!(''),
      stored: null,
      of: lifeboat,
    },
  ]
}
