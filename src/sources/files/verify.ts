import { giveBackLarge } from '../../process/buffers.ts'
import { ChildError } from '../../process/child.ts'
import { LifeboatError } from '../../error.ts'
import { factsOf, type SourceRecord, type StreamRecord } from '../../repository/snapshot.ts'
import type { ReadLevel } from '../../repository/levels.ts'
import { volumeFacts } from './facts.ts'
import { decodePieces, shownName, type ListedFile } from './file-list.ts'
import { Gate } from './gate.ts'
import { nameOf, typeOf } from './listed-member.ts'
import type { Site } from './site.ts'
import { BadTar, type TarEntry, TarHeaders } from './tar-headers.ts'

export interface VolumeCheck {
  source: SourceRecord
  /** The bytes of one of its streams, each checked. */
  read: (stream: StreamRecord) => AsyncIterable<Buffer>
  /** `list`: the list of files, and the head of every segment. `read`: every byte, and through `tar --list`. */
  level: ReadLevel
  site: Site
  signal: AbortSignal
}

/** The parts of a volume's record. Throws BadTar if they contradict each other. */
export function volumeParts(source: SourceRecord): {
  facts: ReturnType<typeof volumeFacts.parse>
  list: StreamRecord
  archives: StreamRecord[]
} {
  const facts = factsOf(source, volumeFacts)
  const archives = source.streams.filter(({ format }) => format === 'tar')
  const list = source.streams.find(({ format }) => format === 'tar-list')
  const entries = facts.segments.reduce((sum, segment) => sum + segment.entries, 0)
  if (!list || archives.length !== facts.segments.length || entries !== facts.entries)
    throw new BadTar(`what is recorded of the volume ${source.name} contradicts itself`)
  return { facts, list, archives }
}

/** Compares a volume's archive with its record; gives the number of its entries. Throws BadTar, and errors of reading. */
export async function verifyVolume(check: VolumeCheck): Promise<number> {
  const { source, read, level, site, signal } = check
  const { facts, list, archives } = volumeParts(source)
  const pieces = decodePieces(read(list), source.name)
  const files = new CountedFiles(pieces)
  const tar = level === 'read' ? startListing(site, signal) : undefined
  let passed: TarEntry[] = []
  const gate = new Gate(undefined, (entry) => passed.push(entry))
  const passing = (bytes: Buffer): readonly TarEntry[] => {
    passed = []
    gate.push(bytes)
    return passed
  }
  try {
    for (const [index, archive] of archives.entries()) {
      const { entries } = facts.segments[index]!
      if (level === 'list') await checkHead(archive, read(archive), files, entries)
      else {
        const before = gate.passed
        await checkWhole(archive, read(archive), files, { passing, tar: tar! })
        gate.end()
        if (gate.passed - before !== entries)
          throw new BadTar(`${archive.name} has ${gate.passed - before} entries, recorded are ${entries}`)
      }
    }
    if ((await files.next()) || files.entries !== facts.entries || files.files !== facts.files || files.bytes !== facts.bytes) {
      throw new BadTar(
        `the list of ${source.name} has ${files.entries} entries, ${files.files} of them files, of ${files.bytes} bytes; recorded ` +
          `are ${facts.entries}, ${facts.files}, of ${facts.bytes}`,
      )
    }
    await tar?.finish(facts.entries, source.name)
  } finally {
    await tar?.stop()
    await pieces.return()
  }
  return facts.entries
}

/** The files of a list, one after the other, counted. */
class CountedFiles {
  readonly #pieces: AsyncIterator<Iterable<ListedFile>, void>
  #piece: Iterator<ListedFile, unknown> = [].values()
  entries = 0
  files = 0
  bytes = 0

  constructor(pieces: AsyncIterator<Iterable<ListedFile>, void>) {
    this.#pieces = pieces
  }

  /** Undefined after the last one. */
  async next(): Promise<ListedFile | undefined> {
    let file = this.#inPiece()
    while (!file && (await this.#more())) file = this.#inPiece()
    return file
  }

  /** Passes over so many, or all that are left. */
  async skip(count: number): Promise<void> {
    for (let left = count; left > 0;) {
      if (this.#inPiece()) left--
      else if (!(await this.#more())) return
    }
  }

  #inPiece(): ListedFile | undefined {
    const { done, value } = this.#piece.next()
    if (done) return undefined
    this.entries++
    if (value.type === 'f') this.files++
    this.bytes += value.size
    return value
  }

  async #more(): Promise<boolean> {
    const { done, value } = await this.#pieces.next()
    if (!done) this.#piece = value[Symbol.iterator]()
    return !done
  }
}

async function checkHead(
  archive: StreamRecord,
  bytes: AsyncIterable<Buffer>,
  files: CountedFiles,
  entries: number,
): Promise<void> {
  let first: TarEntry | undefined
  const headers = new TarHeaders((entry) => (first ??= entry))
  for await (const piece of bytes) {
    headers.push(piece)
    if (first) break
  }
  if (entries === 0) return
  compare(archive, first, await files.next())
  await files.skip(entries - 1)
}

/** Passes an archive through the same as a restore: the gate, and tar. */
async function checkWhole(
  archive: StreamRecord,
  bytes: AsyncIterable<Buffer>,
  files: CountedFiles,
  { passing, tar }: { passing: (bytes: Buffer) => readonly TarEntry[]; tar: Listing },
): Promise<void> {
  for await (const piece of bytes) {
    for (const entry of passing(piece)) compare(archive, entry, await files.next())
    await tar.push(piece)
    giveBackLarge(piece)
  }
}

function compare(archive: StreamRecord, entry: TarEntry | undefined, file: ListedFile | undefined): void {
  const told = entry && `${entry.type} ${entry.name} of ${entry.size} bytes`
  const listed = file && `${typeOf(file)} ${nameOf(file)} of ${file.size} bytes`
  if (told !== listed)
    throw new BadTar(`${archive.name} has ${shownName(told ?? 'nothing')} where ${shownName(listed ?? 'nothing')} is recorded`)
}

interface Listing {
  push(bytes: Buffer): Promise<void>
  finish(entries: number, name: string): Promise<void>
  stop(): Promise<void>
}

/** tar lists all archives, one after the other. */
function startListing(site: Site, signal: AbortSignal): Listing {
  const child = site.start('tar', ['--list', '--ignore-zeros', '--warning=no-unknown-keyword', '--quoting-style=escape', '--file=-'], {
    signal,
  })
  let lines = 0
  const listing = (async () => {
    try {
      for await (const bytes of child.stdout) for (const byte of bytes) if (byte === 10) lines++
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof ChildError) || error.exit.status === null) throw error
      if (error.exit.failure)
        throw new LifeboatError('there is no tar to read the volumes with', {
          cause: error,
          hint: 'Install GNU tar, or verify at level list.',
        })
      throw new BadTar(`tar cannot read the archive: ${error.exit.stderr.trim().split('\n').slice(0, 3).join('; ')}`, { cause: error })
    }
  })()
  listing.catch(() => undefined) // Thrown by finish(); until then it must not count as unhandled.
  return {
    push: async (bytes) => {
      // If tar reads no more, it has failed; its exit status says why.
      if (!(await child.write(bytes))) await listing
    },
    finish: async (entries, name) => {
      child.end()
      await listing
      if (lines !== entries) throw new BadTar(`tar lists ${lines} entries in the volume ${name}, recorded are ${entries}`)
    },
    stop: () => child.stop(),
  }
}
