import { buffer } from 'node:stream/consumers'
import { crc32 } from 'node:zlib'
import archiver, { type Options } from 'archiver'
import { findDirectory, readDirectory, readEntry } from '../../../src/stores/artifact/zip.ts'

export type Files = Record<string, Buffer>

/** A zip file, made with the library that the artifact client packs with. */
export async function zipOf(files: Files, options: Options = { store: true }): Promise<Buffer> {
  const zip = archiver.create('zip', options)
  for (const [name, content] of Object.entries(files)) zip.append(content, { name })
  const [bytes] = await Promise.all([buffer(zip), zip.finalize()])
  return bytes
}

/** The same without the library, for models that make thousands: nothing compressed. */
export function storedZip(files: readonly [name: string, content: Buffer][]): Buffer {
  const [pieces, directory]: [Buffer[], Buffer[]] = [[], []]
  let at = 0
  for (const [name, content] of files) {
    // Both headers have the same fields from the version that is needed on (APPNOTE.TXT 6.3, sections 4.3.7 and 4.3.12).
    const fields = Buffer.alloc(26)
    fields.writeUInt32LE(crc32(content), 10)
    fields.writeUInt32LE(content.length, 14)
    fields.writeUInt32LE(content.length, 18)
    fields.writeUInt16LE(Buffer.byteLength(name), 22)
    const place = Buffer.alloc(14)
    place.writeUInt32LE(at, 10)
    directory.push(Buffer.from('PK\x01\x02\0\0', 'latin1'), fields, place, Buffer.from(name))
    const local = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), fields, Buffer.from(name), content])
    pieces.push(local)
    at += local.length
  }
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06', 'latin1')
  end.writeUInt16LE(files.length, 10)
  end.writeUInt32LE(Buffer.concat(directory).length, 12)
  end.writeUInt32LE(at, 16)
  return Buffer.concat([...pieces, ...directory, end])
}

/** The files in a zip file. */
export async function filesIn(zip: Buffer): Promise<Files> {
  const readAt = async (start: number, end: number) => zip.subarray(start, end)
  const files: [string, Buffer][] = []
  for (const entry of await readDirectory(readAt, await findDirectory(readAt, zip.length))) files.push([entry.name, await readEntry(readAt, entry)])
  return Object.fromEntries(files)
}

/** A zip file of so many empty files, with names of `length` bytes (default: as long as those of chunks), made at once. */
export function manyFiles(count: number, length = 83): Buffer {
  const names = Array.from({ length: count }, (_, index) => `chunks/aa/${String(index).padStart(length - 10, '0')}`)
  const size = 46 + length
  const local = Buffer.alloc(30)
  const directory = Buffer.alloc(size * count)
  for (const [index, name] of names.entries()) {
    directory.writeUInt32LE(0x02014b50, index * size)
    directory.writeUInt16LE(name.length, index * size + 28)
    directory.write(name, index * size + 46)
  }
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(count & 0xffff, 10)
  end.writeUInt32LE(directory.length, 12)
  end.writeUInt32LE(local.length, 16)
  return Buffer.concat([local, directory, end])
}
