import type { Report } from '../../environment.ts'
import { LifeboatError } from '../../error.ts'
import { type Child, ChildError, feed } from '../../process/child.ts'
import { Gate } from '../files/gate.ts'
import type { Site } from '../files/site.ts'
import { TAR_END } from '../files/tar-member.ts'
import type { ArchivedVolume, Choice } from '../files/choice.ts'
import { isRoot } from './output.ts'
import type { Work } from './replacement.ts'
import type { FolderSettings } from './settings.ts'

/** Where the files of a volume go, and how. */
interface Extraction extends FolderSettings {
  site: Site
  signal: AbortSignal
  report: Report
}

export interface VolumeOutcome {
  /** Entries selected. */
  entries: number
  /** Bytes of archives read. */
  size: number
  /** Errors of tar; entries it did not name are restored. */
  errors: string[]
}

/** Extracts the chosen entries with `work`. Throws if nothing could be restored, or the archive must not be. */
export async function extract(
  given: ArchivedVolume & Extraction, choice: Choice, { script, given: parameters }: Work,
): Promise<VolumeOutcome> {
  const { name, site, owners, links, signal, report } = given
  const tar = tarArguments(owners, links, await isRoot(site, signal))
  const child = site.start('sh', ['-euc', script, 'sh', ...parameters, ...tar], { signal })
  const extracting = drained(child, site)
  extracting.catch(() => undefined) // Awaited below; until then it must not count as unhandled.
  const archive = new CheckedArchive(given, choice, (size) => report.progress({ activity: `restoring ${name}`, done: size }))
  await feed(child, archive.bytes(), { spent: true })
  const errors = await extracting
  if (!archive.whole) throw new LifeboatError(`tar ended before all of ${name} was extracted: ${errors.slice(0, 5).join('; ')}`)
  return { entries: choice.entries, size: archive.size, errors }
}

function tarArguments(owners: FolderSettings['owners'], links: boolean, root: boolean): string[] {
  return [
    '--extract',
    '--ignore-zeros',
    '--preserve-permissions',
    '--xattrs',
    `--xattrs-include=${root ? '*' : 'user.*'}`,
    '--acls',
    '--sparse',
    // By default, tar reads and writes 10 KiB at a time, which takes a quarter more of its time for large files.
    '--blocking-factor=128',
    // By default, tar sets the time of a folder when it leaves it. Delaying that for all folders doubles its time, or worse with many
    // folders.
    ...(links ? ['--delay-directory-restore'] : []),
    owners === 'none' ? '--no-same-owner' : '--same-owner',
    ...(owners === 'number' ? ['--numeric-owner'] : []),
    '--warning=no-timestamp',
    '--warning=no-unknown-keyword',
    '--quoting-style=escape',
    '--file=-',
  ]
}

/** The archive that tar gets: the chosen entries alone, each checked. */
class CheckedArchive {
  readonly #volume: ArchivedVolume
  readonly #choice: Choice
  readonly #onProgress: (size: number) => void
  /** Bytes read. */
  size = 0
  /** Whether tar has asked for all of it. */
  whole = false

  constructor(volume: ArchivedVolume, choice: Choice, onProgress: (size: number) => void) {
    this.#volume = volume
    this.#choice = choice
    this.#onProgress = onProgress
  }

  async *bytes(): AsyncGenerator<Buffer, void, void> {
    const { wanted, moved, readings } = this.#choice
    const gate = new Gate(wanted, undefined, moved)
    for (const { pass, counts } of readings) {
      gate.pass = pass
      for (const [index, segment] of this.#volume.segments.entries())
        if (counts[index]! > 0) yield* this.#through(gate, segment, counts[index]!)
    }
    yield TAR_END
    this.whole = true
  }

  /** The part of a segment that passes: so many entries. */
  async *#through(gate: Gate, { bytes }: ArchivedVolume['segments'][number], entries: number): AsyncGenerator<Buffer, void, void> {
    const until = gate.passed + entries
    for await (const piece of bytes()) {
      const through = gate.push(piece)
      this.size += piece.length
      if (through.length > 0) yield through
      this.#onProgress(this.size)
    }
    gate.end()
    if (gate.passed !== until) throw new LifeboatError(`the archive of ${this.#volume.name} has other entries than its list`)
  }
}

/** The errors of tar, once it has ended. Throws if it was not even started. */
async function drained(child: Child, site: Site): Promise<string[]> {
  let started = false
  try {
    for await (const _ of child.stdout) started = true
    return []
  } catch (error) {
    if (!(error instanceof ChildError) || error.exit.status === null || error.exit.failure) throw error
    const lines = error.exit.stderr
      .split('\n')
      .filter((line) => line !== '' && line !== 'tar: Exiting with failure status due to previous errors')
    if (!started || error.exit.status >= NOT_FOUND)
      throw new LifeboatError(`nothing could be restored into ${site.where}: ${lines.at(-1) ?? error.message}`, { cause: error })
    return lines.length > 0 ? lines : [error.message]
  }
}

/** The exit status of shells, from this on, for a program that cannot be started, or that a signal ended. */
const NOT_FOUND = 126
