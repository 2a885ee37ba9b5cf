import { randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, rm } from 'node:fs/promises'
import path from 'node:path'
import { type ArchiveContext, readContents } from '../archive.ts'
import type { Entry } from '../contents.ts'

/** The beginning of an archive, with its table of contents, in a file of its own: definitions are restored from it. */
export interface Head {
  readonly entries: readonly Entry[]
  readonly file: string
  bytes(this: void): AsyncIterable<Buffer>
  remove(this: void): Promise<void>
}

/** Reads as much of an archive as its table of contents takes. Throws if it is of another format. */
export async function stageHead(
  archive: AsyncIterable<Buffer>,
  reading: ArchiveContext,
  temporary: string,
): Promise<Head> {
  await mkdir(temporary, { recursive: true, mode: 0o700 })
  const file = path.join(temporary, `head-${randomBytes(4).toString('hex')}`)
  const remove = (): Promise<void> => rm(file, { force: true })
  const handle = await open(file, 'wx', 0o600)
  try {
    const { entries, unknown } = await readContents(copied(archive, (piece) => handle.appendFile(piece)), reading, [], () => true)
    if (unknown) throw unknown
    return { entries, file, bytes: () => createReadStream(file), remove }
  } catch (error) {
    await remove()
    throw error
  } finally {
    await handle.close()
  }
}

async function* copied(bytes: AsyncIterable<Buffer>, copy: (piece: Buffer) => Promise<void>): AsyncGenerator<Buffer> {
  for await (const piece of bytes) {
    await copy(piece)
    yield piece
  }
}
