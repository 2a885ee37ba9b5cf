import type { Variables } from '../../environment.ts'
import { LifeboatError } from '../../error.ts'
import { ChildError, feed } from '../../process/child.ts'
import { marked } from '../../marks.ts'
import type { StreamRecord } from '../../repository/snapshot.ts'
import type { StoredSource } from '../source-kind.ts'
import { displayName, type ListedFile, shownName } from './file-list.ts'
import { listedFiles } from './describe.ts'
import { localSite } from './site.ts'
import { BadTar } from './tar-headers.ts'
import { TAR_END } from './tar-member.ts'
import { volumeParts } from './verify.ts'

/** The volume as one tar; or the content of one of its files, for which only its segment is read, up to the end of the file. */
export function extractFromVolume(
  stored: StoredSource,
  path: string | undefined,
  context: { variables: Variables; signal: AbortSignal },
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
  stored: StoredSource,
  path: string,
  { variables, signal }: { variables: Variables; signal: AbortSignal },
): AsyncGenerator<Buffer, void, void> {
  const { file, segment } = await findFile(stored, path)
  // tar fills the holes of sparse files.
  const only = ['--occurrence=1', '--no-wildcards', '--warning=no-unknown-keyword', '--', `./${displayName(file.path)}`]
  const child = localSite('/', variables).start('tar', ['--extract', '--to-stdout', '--file=-', ...only], { signal })
  const feeding = feed(child, stored.read(segment))
  feeding.catch(() => undefined) // Awaited below; until then it must not count as unhandled.
  let size = 0
  try {
    for await (const piece of child.stdout) {
      size += piece.length
      yield piece
    }
  } catch (error) {
    await feeding // Throws why there were no more bytes for tar.
    throw error instanceof ChildError ? unreadable(file, error) : error
  } finally {
    await child.stop()
    await feeding.catch(() => undefined)
  }
  if (size !== file.size) throw new BadTar(`${shownName(file.path)} has ${size} bytes in the archive, ${file.size} are recorded`)
}

function unreadable({ path }: ListedFile, cause: ChildError): LifeboatError {
  if (!cause.exit.failure) return new BadTar(`tar cannot read ${shownName(path)} in the archive: ${cause.exit.stderr.trim()}`, { cause })
  return new LifeboatError('there is no tar to read the archive with', { cause, hint: 'Install GNU tar.' })
}

/** The file, and the archive that has it. The target of a hard link comes before it. */
async function findFile(stored: StoredSource, given: string): Promise<{ file: ListedFile; segment: StreamRecord }> {
  const { facts, archives } = volumeParts(stored.source)
  const path = Buffer.from(given.replace(/^(\.?\/)+/, '')).toString('latin1')
  let index = 0
  for await (const file of listedFiles(stored)) {
    if (file.path === path) {
      if (file.type === 'h') return findFile(stored, displayName(file.target))
      if (file.type !== 'f') throw noFile(stored.source.name, file)
      let end = 0
      const segment = facts.segments.findIndex(({ entries }) => index < (end += entries))
      return { file, segment: archives[segment]! }
    }
    index++
  }
  throw new LifeboatError(`${stored.source.name} has no file ${shownName(path)} in this snapshot`, {
    hint: marked`Paths are relative to the volume; ‹lifeboat show; files: true› lists them.`, status: 2,
  })
}

function noFile(volume: string, { path, type, target }: ListedFile): LifeboatError {
  const what = type === 'd' ? 'a folder' : type === 'l' ? `a symbolic link to ${shownName(target)}` : 'a pipe'
  return new LifeboatError(`${shownName(path) || '.'} in ${volume} is ${what}, not a file`, {
    hint: marked`Restore it with ‹lifeboat restore› and ‹paths›, or leave the path out: the whole volume is written as a tar.`, status: 2,
  })
}
