import type { Environment, Report } from '../../environment.ts'
import { LifeboatError, messageOf } from '../../error.ts'
import { ChildError, feed } from '../../process/child.ts'
import { marked } from '../../marks.ts'
import { type Extent, touches } from '../../repository/extent.ts'
import { DamagedChunk } from '../../repository/reader.ts'
import type { StreamRecord } from '../../repository/snapshot.ts'
import type { ReadAround, StoredSource } from '../source-kind.ts'
import { type ListedFile, shownName } from './file-list.ts'
import { listedFiles } from './describe.ts'
import { membersByHeaders } from './damaged-list.ts'
import type { Member } from './member-sizes.ts'
import { leavesOut } from './left-out.ts'
import { localSite } from './site.ts'
import { BadTar, TarHeaders } from './tar-headers.ts'
import { TAR_END } from './tar-member.ts'
import { volumeParts } from './verify.ts'
import { nameOf } from './listed-member.ts'

/**
 * The volume as one tar; or the content of one of its files, for which only its segment is read, up to the end of the file. Damage in the
 * content of other files does not matter.
 */
export function extractFromVolume(
  stored: ReadAround,
  path: string | undefined,
  context: Pick<Environment, 'variables' | 'signal' | 'report'>,
): AsyncIterable<Buffer> {
  return path === undefined ? wholeTar(stored) : fileContent(stored, path, context)
}

/** The segments one after the other, with one end of archive. */
async function* wholeTar({ source, read }: StoredSource): AsyncGenerator<Buffer, void, void> {
  for (const archive of volumeParts(source).archives) {
    let left = archive.size - TAR_END.length
    for await (const piece of read(archive)) {
      if (left > 0) yield piece.subarray(0, left)
      left -= piece.length
    }
  }
  yield TAR_END
}

async function* fileContent(
  stored: ReadAround,
  path: string,
  { variables, signal, report }: Pick<Environment, 'variables' | 'signal' | 'report'>,
): AsyncGenerator<Buffer, void, void> {
  const found = await findFile(stored, Buffer.from(path.replace(/^(\.?\/)+/, '')).toString('latin1'))
  const { file } = found
  // tar fills the holes of sparse files. It gets this member alone and no name, in which it would replace what looks like an escape.
  const child = localSite('/', variables).start('tar', ['--extract', '--to-stdout', '--file=-', '--warning=no-unknown-keyword'], { signal })
  const feeding = feed(child, memberOf(stored, found, report))
  feeding.catch(() => undefined) // Awaited below; until then it must not count as unhandled.
  let size = 0
  try {
    for await (const piece of child.stdout) {
      size += piece.length
      yield piece
    }
    await feeding
  } catch (error) {
    await feeding // Throws why there were no more bytes for tar.
    throw error instanceof ChildError ? unreadable(file, error) : error
  } finally {
    await child.stop()
    await feeding.catch(() => undefined)
  }
  if (size !== file.size) throw new BadTar(`${shownName(file.path)} has ${size} bytes in the archive, ${file.size} are recorded`)
}

/** An archive with one member of a segment. */
async function* memberOf(stored: ReadAround, found: Found, report: Report): AsyncGenerator<Buffer, void, void> {
  let begun = false
  try {
    for await (const bytes of fromBeginning(stored, found)) {
      begun = true
      yield bytes
    }
  } catch (error) {
    const member = !begun && error instanceof DamagedChunk ? await behindDamage(stored, found) : undefined
    if (!member) throw error
    report.warning(`${messageOf(error)}; ${shownName(found.file.path)} is not in it, and is read from behind it`)
    yield* stored.readParts(found.segment, [member])
    yield TAR_END
  }
}

/** The segment is read up to the end of that member. */
async function* fromBeginning({ read }: StoredSource, { file, segment, place }: Found): AsyncGenerator<Buffer, void, void> {
  let pieces: Buffer[] = []
  /** Bytes of the member that are still to come, once its headers have passed. */
  let left: number | undefined
  const headers = new TarHeaders(
    ({ name, type }, head, _, content) => {
      if (headers.entries - 1 !== place) return
      if (name !== nameOf(file) || type !== 'file')
        throw new BadTar(`the archive has ${shownName(name)} in the place of ${shownName(file.path)}`)
      pieces.push(...head)
      left = content
    },
    (bytes) => {
      if (left === undefined) return
      pieces.push(bytes.subarray(0, left))
      left -= Math.min(left, bytes.length)
    },
  )
  for await (const bytes of read(segment)) {
    headers.push(bytes)
    yield* pieces
    pieces = []
    if (left === 0) return yield TAR_END
  }
  throw new BadTar(`the archive ends before ${shownName(file.path)}`)
}

/**
 * The member in a damaged segment, if all headers before it are whole: each tells where the next begins. Undefined otherwise, and if it is
 * damaged itself. Behind lost headers, content of another file can look like the member.
 */
async function behindDamage({ readAround }: ReadAround, { file, segment, place }: Found): Promise<Member | undefined> {
  const holes: Extent[] = []
  const found = (await membersByHeaders(readAround(segment, holes), holes))[place]
  const isIt = found?.file.path === file.path && found.file.type === 'f' && found.file.size === file.size
  return isIt && !touches(found.member, holes) ? found.member : undefined
}

function unreadable({ path }: ListedFile, cause: ChildError): LifeboatError {
  if (!cause.exit.failure) return new BadTar(`tar cannot read ${shownName(path)} in the archive: ${cause.exit.stderr.trim()}`, { cause })
  return new LifeboatError('there is no tar to read the archive with', { cause, hint: 'Install GNU tar.' })
}

/** A file, and the archive that has it. `place`: the number of members before the file there. */
interface Found {
  file: ListedFile
  segment: StreamRecord
  place: number
}

/** The target of a hard link comes before it. */
async function findFile(stored: StoredSource, path: string): Promise<Found> {
  const { facts, archives } = volumeParts(stored.source)
  let end = 0
  const ends = facts.segments.map(({ entries }) => (end += entries))
  let index = 0
  for await (const file of listedFiles(stored)) {
    if (file.path === path) {
      if (file.type === 'h') return findFile(stored, file.target)
      if (file.type !== 'f') throw noFile(stored.source.name, file)
      const at = ends.findIndex((end) => index < end)
      return { file, segment: archives[at]!, place: index - (ends[at - 1] ?? 0) }
    }
    index++
  }
  const by = leavesOut(facts, path)
  const why = by === undefined ? '' : `The patterns of ${by} leave out a file of this name. `
  throw new LifeboatError(`${stored.source.name} has no file ${shownName(path)} in this snapshot`, {
    hint: why + marked`Paths are relative to the volume; ‹lifeboat show; files: true› with the id of this snapshot lists them.`, status: 2,
  })
}

function noFile(volume: string, { path, type, target }: ListedFile): LifeboatError {
  const what = type === 'd' ? 'a folder' : type === 'l' ? `a symbolic link to ${shownName(target)}` : 'a pipe'
  return new LifeboatError(`${shownName(path) || '.'} in ${volume} is ${what}, not a file`, {
    hint: marked`Restore it with ‹lifeboat restore› and ‹paths›, or leave the path out: the whole volume is written as a tar.`, status: 2,
  })
}
