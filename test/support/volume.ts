import { execFileSync } from 'node:child_process'
import { backup } from '../../src/commands/backup/backup.ts'
import type { BackupResult } from '../../src/commands/backup/result.ts'
import type { RestoreResult } from '../../src/commands/restore/result.ts'
import type { VerifyResult } from '../../src/commands/verify/result.ts'
import { restore } from '../../src/commands/restore/restore.ts'
import { verify } from '../../src/commands/verify/verify.ts'
import { parseInputs } from '../../src/commands/all.ts'
import { ReadAgain } from '../../src/sources/source.ts'
import type { SourceRecord } from '../../src/repository/snapshot.ts'
import { VolumeSource, type VolumeSourceOptions } from '../../src/sources/volumes/source.ts'
import { volumeFacts } from '../../src/sources/files/facts.ts'
import { decodeFiles } from '../../src/sources/files/file-list.ts'
import { localSite } from '../../src/sources/files/site.ts'
import { all, inPieces } from './bytes.ts'
import { identity } from './engine.ts'
import { quiet } from './quiet.ts'
import { requireSizes } from './recorded-sizes.ts'

type Raw = Record<string, string>

/** The commands, in this process, over one store in a folder, with a fixed key. */
export class Volumes {
  readonly store: string
  readonly warnings: string[] = []
  readonly hints: string[] = []
  readonly infos: string[] = []
  /** Told what the running command is about, as often as it reports progress. */
  onProgress: (activity: string) => void = () => undefined
  readonly #variables: Raw
  readonly #temporary: string

  constructor(folder: string, variables: Raw = {}) {
    this.store = `${folder}/store`
    this.#temporary = `${folder}/staging`
    this.#variables = { PATH: process.env['PATH']!, ...variables }
  }

  backup(raw: Raw, signal?: AbortSignal): Promise<BackupResult> {
    return backup(parseInputs('backup', this.#raw(raw), {}), this.#environment(signal))
  }

  restore(raw: Raw, signal?: AbortSignal): Promise<RestoreResult> {
    const confirmed: Raw = (raw['mode'] === 'clean' || raw['mode'] === 'overwrite') && raw['target'] !== undefined
      ? { confirm: raw['target'].replace(/[?].*/, '') } : {}
    return restore(parseInputs('restore', this.#raw({ ...confirmed, ...raw }), {}), this.#environment(signal))
  }

  verify(raw: Raw = {}): Promise<VerifyResult> {
    return verify(parseInputs('verify', this.#raw(raw), {}), this.#environment())
  }

  #raw(raw: Raw): Raw {
    return { destination: `file:${this.store}`, 'encryption-key': identity, ...raw }
  }

  #environment(signal: AbortSignal = new AbortController().signal) {
    const report = { ...quiet, info: (message: string) => void this.infos.push(message), warning: (message: string, hint = '') => void [this.warnings.push(message), this.hints.push(hint)], progress: ({ activity }: { activity: string }) => this.onProgress(activity) }
    return { variables: this.#variables, signal, report, temporary: this.#temporary, now: () => new Date() }
  }
}

export interface ReadVolume {
  /** The bytes of each stream that was kept; those that were not read have none. */
  streams: Map<string, Buffer>
  reused: string[]
  again: number
  record: SourceRecord
}

/** Reads a folder with the source alone, as the engine does. */
export async function readVolume(
  root: string,
  { before, prefix, ...options }: Partial<VolumeSourceOptions> & { before?: SourceRecord; prefix?: string[] } = {},
): Promise<ReadVolume> {
  const source = new VolumeSource({
    name: 'data', kind: 'directory', reach: async () => ({ site: localSite(root, process.env, prefix) }), patterns: { include: [], exclude: [] }, onUnreadable: 'fail',
    rescan: false, numericOwners: false, signal: new AbortController().signal, report: quiet, ...options,
  })
  const read: ReadVolume = { streams: new Map(), reused: [], again: 0, record: { name: 'data', kind: 'directory', streams: [], facts: {} } }
  try {
    await source.open()
    for await (const { name, format, bytes, same } of source.streams(before)) {
      if (same) {
        read.reused.push(name)
        read.record.streams.push({ ...same, name })
        continue
      }
      const pieces: Buffer[] = []
      try {
        for await (const piece of bytes) pieces.push(Buffer.from(piece))
      } catch (error) {
        if (!(error instanceof ReadAgain)) throw error
        read.again++
        continue
      }
      const whole = Buffer.concat(pieces)
      read.streams.set(name, whole)
      read.record.streams.push({ name, format, size: whole.length, sum: '', chunks: [] })
    }
    read.record.facts = source.facts()
    await requireAllSizes(read)
    return read
  } finally {
    await source.close()
  }
}

/** Requires that the recorded sizes tell where the members of the segments that were read are. */
async function requireAllSizes({ streams, record }: ReadVolume): Promise<void> {
  const { segments } = volumeFacts.parse(record.facts)
  const files = await all(decodeFiles(inPieces(streams.get('data.list')!)))
  for (const [index, { entries, sizes }] of segments.entries()) {
    const listed = files.splice(0, entries)
    const tar = streams.get(record.streams[index]!.name)
    if (tar) requireSizes(tar, listed, sizes!)
  }
}

/** All archives of a volume, one after the other. */
export function archiveOf({ streams }: ReadVolume): Buffer {
  return Buffer.concat([...streams].filter(([name]) => name.endsWith('.tar')).map(([, bytes]) => bytes))
}

/** All that tells two folders apart but the numbers of their inodes: a line for each entry. */
export function contentsOf(folder: string): string[] {
  const script = `find . ! -type s -printf '%p %y %s %T@ %m %U %G %n %l\\n' | sort; find . -type f -exec sha256sum {} + | sort; getfattr --physical -R -d -m - . || :`
  return execFileSync('sh', ['-c', script], { cwd: folder, env: { ...process.env, LC_ALL: 'C' }, encoding: 'latin1', maxBuffer: 2 ** 28, stdio: ['ignore', 'pipe', 'ignore'] })
    .replaceAll(/^(\S+ d) \d+ /gm, '$1 ')
    .split('\n')
}
