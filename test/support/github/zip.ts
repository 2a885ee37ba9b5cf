import archiver, { type Options } from 'archiver'
import { findDirectory, readDirectory, readEntry } from '../../../src/stores/artifact/zip.ts'

export type Files = Record<string, Buffer>

/** A zip file, made with the library that the artifact client packs with. */
export async function zipOf(files: Files, options: Options = { store: true }): Promise<Buffer> {
  const zip = archiver.create('zip', options)
  for (const [name, content] of Object.entries(files)) zip.append(content, { name })
  const pieces: Buffer[] = []
  zip.on('data', (piece: Buffer) => pieces.push(piece))
  await zip.finalize()
  return Buffer.concat(pieces)
}

/** The files in a zip file. */
export async function filesIn(zip: Buffer): Promise<Files> {
  const readAt = async (start: number, end: number) => zip.subarray(start, end)
  const files: [string, Buffer][] = []
  for (const entry of await readDirectory(readAt, await findDirectory(readAt, zip.length))) files.push([entry.name, await readEntry(readAt, entry)])
  return Object.fromEntries(files)
}
