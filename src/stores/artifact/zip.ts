import { promisify } from 'node:util'
import { crc32, inflateRaw } from 'node:zlib'

/** A file in a zip archive (APPNOTE.TXT 6.3, section 4.3.12). */
export interface ZipEntry {
  name: string
  /** Bytes of the file, and as they lie in the archive. */
  size: number
  packed: number
  method: 'stored' | 'deflated'
  crc: number
  /** Where its local header begins. */
  offset: number
}

/** Gives the bytes from `start` up to, not including, `end`. */
export type ReadAt = (start: number, end: number) => Promise<Buffer>

/** An archive that is truncated, damaged or none; the message is to be read after the archive's name. */
export class BadZip extends Error {}

const END = 0x06054b50
const END_64 = 0x06064b50
const LOCATOR_64 = 0x07064b50
const CENTRAL = 0x02014b50
const LOCAL = 0x04034b50
const LOCAL_SIZE = 30
/** The fixed part of the end record and the longest comment that may follow it. */
const LONGEST_END = 22 + 0xffff
/** Some 100,000 files with names as long as those of chunks: a hundred gigabytes and more. */
export const LARGEST_DIRECTORY = 16 * 1024 * 1024

/** Where the directory lies in an archive, and of how many files it is. */
export interface Directory {
  offset: number
  length: number
  count: number
}

/** The files of an archive. Throws `BadZip`. */
export async function readDirectory(readAt: ReadAt, { offset, length, count }: Directory): Promise<ZipEntry[]> {
  const bytes = await readAt(offset, offset + length)
  const entries: ZipEntry[] = []
  const names = new Set<string>()
  for (let at = 0; at < bytes.length; ) {
    if (at + 46 > bytes.length || bytes.readUInt32LE(at) !== CENTRAL) throw new BadZip('its directory is damaged')
    const nameEnd = at + 46 + bytes.readUInt16LE(at + 28)
    const extraEnd = nameEnd + bytes.readUInt16LE(at + 30)
    const entry = readEntryRecord(bytes, at, nameEnd, extraEnd)
    if (entry.offset + LOCAL_SIZE + entry.packed > offset) {
      throw new BadZip(`its directory places ${JSON.stringify(entry.name)} outside of it`)
    }
    if (names.has(entry.name)) throw new BadZip(`its directory has ${JSON.stringify(entry.name)} twice`)
    names.add(entry.name)
    entries.push(entry)
    at = extraEnd + bytes.readUInt16LE(at + 32)
  }
  if (entries.length !== count) throw new BadZip(`its directory has ${entries.length} files instead of ${count}`)
  return entries
}

/** Finds the directory of an archive of `size` bytes. Throws `BadZip`, also for one that is too large to be read. */
export async function findDirectory(readAt: ReadAt, size: number): Promise<Directory> {
  const start = Math.max(0, size - LONGEST_END)
  const tail = await readAt(start, size)
  let end = tail.length - 22
  // A comment may hold the signature too; the real one's comment ends with the file.
  while (end >= 0 && !(tail.readUInt32LE(end) === END && end + 22 + tail.readUInt16LE(end + 20) === tail.length)) end--
  if (end < 0) throw new BadZip('it has no directory at its end: it is truncated, or no zip file')
  const found = { offset: tail.readUInt32LE(end + 16), length: tail.readUInt32LE(end + 12), count: tail.readUInt16LE(end + 10) }
  if (end >= 20 && tail.readUInt32LE(end - 20) === LOCATOR_64) {
    const at = toNumber(tail.readBigUInt64LE(end - 12))
    const record = at + 56 <= size ? await readAt(at, at + 56) : Buffer.alloc(56)
    if (record.readUInt32LE(0) !== END_64) throw new BadZip('its directory is damaged')
    Object.assign(found, {
      count: toNumber(record.readBigUInt64LE(32)),
      length: toNumber(record.readBigUInt64LE(40)),
      offset: toNumber(record.readBigUInt64LE(48)),
    })
  }
  if (found.offset + found.length > start + end) throw new BadZip('its directory lies outside of it')
  if (found.length > LARGEST_DIRECTORY) {
    throw new BadZip(`its directory has ${found.length} bytes, more than the ${LARGEST_DIRECTORY} it may have`)
  }
  return found
}

function readEntryRecord(bytes: Buffer, at: number, nameEnd: number, extraEnd: number): ZipEntry {
  if (extraEnd > bytes.length) throw new BadZip('its directory is damaged')
  const name = bytes.toString('utf8', at + 46, nameEnd)
  const method = ({ 0: 'stored', 8: 'deflated' } as const)[bytes.readUInt16LE(at + 10)]
  if (method === undefined || (bytes.readUInt16LE(at + 8) & 1) === 1) {
    throw new BadZip(`${JSON.stringify(name)} in it is packed in a way that is not known`)
  }
  const long = longFields(bytes.subarray(nameEnd, extraEnd))
  // The long fields are there only for those that are full, in this order.
  const field = (offset: number): number => {
    const value = bytes.readUInt32LE(at + offset)
    return value === 0xffffffff ? long() : value
  }
  const size = field(24)
  const packed = field(20)
  // Deflate adds 5 bytes to each block at most (RFC 1951, section 3.2.4), of 16 KiB or more.
  if (packed > size + (method === 'deflated' ? size / 1024 + 1024 : 0)) {
    throw new BadZip(`${JSON.stringify(name)} in it takes ${packed} bytes for ${size}`)
  }
  return { name, size, packed, method, crc: bytes.readUInt32LE(at + 16), offset: field(42) }
}

/** The numbers of a zip64 extra field, one after the other (APPNOTE 4.5.3). */
function longFields(extra: Buffer): () => number {
  let fields = Buffer.alloc(0)
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) === 1) fields = Buffer.from(extra.subarray(at + 4, at + 4 + extra.readUInt16LE(at + 2)))
  }
  let next = 0
  return () => {
    if (next + 8 > fields.length) throw new BadZip('its directory is damaged')
    next += 8
    return toNumber(fields.readBigUInt64LE(next - 8))
  }
}

function toNumber(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new BadZip('its directory is damaged')
  return Number(value)
}

/** The content of one file, its size and CRC-32 compared. Throws `BadZip`. */
export async function readEntry(readAt: ReadAt, entry: ZipEntry): Promise<Buffer> {
  const damaged = (what: string, cause?: unknown) => new BadZip(`${entry.name} in it ${what}`, { cause })
  // Name and extra fields of the local header are as long as we guess in all but foreign archives; then it takes a second read.
  const guess = LOCAL_SIZE + Buffer.byteLength(entry.name)
  let bytes = await readAt(entry.offset, entry.offset + guess + entry.packed)
  if (bytes.readUInt32LE(0) !== LOCAL) throw damaged('has a damaged header')
  const start = LOCAL_SIZE + bytes.readUInt16LE(26) + bytes.readUInt16LE(28)
  if (start !== guess) {
    bytes = await readAt(entry.offset + start, entry.offset + start + entry.packed)
  } else {
    bytes = bytes.subarray(start)
  }
  if (entry.method === 'deflated') {
    try {
      bytes = await promisify(inflateRaw)(bytes, { maxOutputLength: Math.max(1, entry.size) })
    } catch (cause) {
      throw damaged('does not decompress', cause)
    }
  }
  if (bytes.length !== entry.size) throw damaged(`has ${bytes.length} bytes instead of ${entry.size}`)
  if (crc32(bytes) !== entry.crc) throw damaged('is not what was put: its checksum (CRC-32) differs')
  return bytes
}
