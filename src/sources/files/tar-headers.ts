import { BadSource } from '../source.ts'
import { isStoredAs, type Records } from './sparse.ts'

/** Bytes that are no tar, a truncated one, or one of a form that no volume has. */
export class BadTar extends BadSource {}

export type EntryType = 'file' | 'directory' | 'symlink' | 'link' | 'fifo' | 'other'

/** A member of an archive. Names are latin1: one character a byte, in any encoding. */
export interface TarEntry {
  name: string
  type: EntryType
  /** Size of the extracted file; a sparse file takes less in the archive. */
  size: number
  /** The target of a symbolic or hard link. */
  target: string
}

/**
 * Called with a member, the bytes of its headers in pieces, of which its own block is the last, the records of its extended header, and the
 * bytes of its content with their padding.
 */
type OnEntry = (entry: TarEntry, head: readonly Buffer[], attributes: ReadonlyMap<string, string>, content: number) => void

const BLOCK = 512
const NOTHING = Buffer.alloc(0)
/** Bytes of one extended header. Linux allows attributes of 64 KiB; the map of a sparse file can be larger. */
export const MOST_HEADER = 16 * 1024 * 1024

/**
 * Reads the headers of a POSIX tar (IEEE 1003.1, "pax Interchange Format") or of several one after the other, while its bytes pass, and
 * keeps none of its content. `onEntry` is called with a member when all its headers have passed; `onBytes` with all other bytes. Archives
 * that GNU tar would read in another way are refused, so that no member can hide in the content of another.
 */
export class TarHeaders {
  readonly #onEntry: OnEntry
  readonly #onBytes: (bytes: Buffer) => void
  /** Headers read so far of the member that begins: the extended ones with their content. Copied only if they end in other bytes. */
  #head: Buffer[] = []
  #block: Buffer = NOTHING
  /** Bytes of content and padding still to pass; those of an extended header are collected. */
  #rest = 0
  #extended: { size: number; bytes: Buffer[] } | undefined
  #records: Records | undefined
  entries = 0
  /** Bytes so far; and the position of the first block of zeros in place of a header. */
  passed = 0
  zerosAt: number | undefined

  constructor(onEntry: OnEntry, onBytes: (bytes: Buffer) => void = () => undefined) {
    this.#onEntry = onEntry
    this.#onBytes = onBytes
  }

  /** Throws BadTar at the first invalid header. */
  push(bytes: Buffer): void {
    const start = this.passed
    let offset = 0
    this.passed += bytes.length
    while (offset < bytes.length) {
      if (this.#rest > 0) {
        const piece = bytes.subarray(offset, offset + this.#rest)
        offset += piece.length
        this.#rest -= piece.length
        if (this.#extended) this.#collect(piece)
        else this.#onBytes(piece)
      } else {
        const piece = bytes.subarray(offset, offset + BLOCK - this.#block.length)
        offset += piece.length
        this.#block = this.#block.length === 0 ? piece : Buffer.concat([this.#block, piece])
        if (this.#block.length < BLOCK) {
          this.#block = Buffer.from(this.#block)
          break
        }
        const block = this.#block
        this.#block = NOTHING
        if (isZero(block)) this.zerosAt ??= start + offset - BLOCK
        this.#header(block)
      }
    }
    if (this.#head.length > 0) this.#head = this.#head.map((piece) => Buffer.from(piece))
  }

  /** To be called after the last byte. Throws BadTar if something is missing. */
  end(): void {
    if (this.#rest > 0 || this.#block.length > 0 || this.#head.length > 0) throw new BadTar('the tar ends in the middle of an entry')
  }

  #collect(piece: Buffer): void {
    const extended = this.#extended!
    extended.bytes.push(this.#rest > 0 ? Buffer.from(piece) : piece)
    if (this.#rest > 0) return
    const content = extended.bytes.length === 1 ? piece : Buffer.concat(extended.bytes)
    this.#head.push(content)
    this.#records = recordsIn(content.toString('latin1', 0, extended.size))
    this.#extended = undefined
  }

  #header(block: Buffer): void {
    if (isZero(block)) this.#zeros(block)
    else {
      checkSum(block)
      const type = String.fromCharCode(block[156]!)
      if (type === 'x') this.#extendedHeader(block)
      else this.#member(block, type)
    }
  }

  /** A block of zeros: the end of an archive, or padding after it. */
  #zeros(block: Buffer): void {
    if (this.#head.length > 0) throw new BadTar('the tar has headers without an entry')
    this.#onBytes(block)
  }

  #extendedHeader(block: Buffer): void {
    const size = sizeIn(block)
    if (this.#records || size > MOST_HEADER) throw new BadTar('the tar has extended headers that no volume has')
    this.#head.push(block)
    this.#extended = { size, bytes: [] }
    this.#rest = padded(size)
    if (size === 0) this.#collect(NOTHING)
  }

  #member(block: Buffer, letter: string): void {
    const records = this.#records ?? []
    const attributes = new Map(records)
    const stored = wholeNumber(attributes.get('size') ?? String(sizeIn(block)))
    const type = typeOf(block, letter)
    const name = attributes.get('path') ?? nameIn(block)
    // tar would take it for a folder, which has no content.
    if (type === 'file' && name.endsWith('/')) throw new BadTar('the tar has a file with the name of a folder')
    refuseOtherSparse(records, type, block, stored)
    const head = [...this.#head, block]
    this.#head = []
    this.#records = undefined
    // Only regular files have content; the size of other members means nothing.
    this.#rest = type === 'file' ? padded(stored) : 0
    this.entries++
    const size = type === 'file' ? wholeNumber(attributes.get('GNU.sparse.size') ?? String(stored)) : 0
    this.#onEntry({ name, type, size, target: targetIn(block, type, attributes) }, head, attributes, this.#rest)
  }
}

/** Properties of a member as a list of files has them. `block`: its own header; `attributes`: of its extended one. */
export function propertiesIn(
  block: Buffer, attributes: ReadonlyMap<string, string>,
): { mode: string; uid: number; gid: number; mtime: string } {
  return {
    mode: (octalIn(block, 100, 8) & 0o7777).toString(8),
    uid: Number(attributes.get('uid') ?? octalIn(block, 108, 8)),
    gid: Number(attributes.get('gid') ?? octalIn(block, 116, 8)),
    mtime: attributes.get('mtime') ?? String(octalIn(block, 136, 12)),
  }
}

/** Throws for an unknown type with a size: tar may or may not skip content after it. */
function typeOf(block: Buffer, letter: string): EntryType {
  const type = TYPES[letter] ?? 'other'
  if (type === 'other' && sizeIn(block) > 0) throw new BadTar(`the tar has an entry of type ${JSON.stringify(letter)}, which no volume has`)
  return type
}

/** Throws for a sparse file that tar would read in another way than is done here. */
function refuseOtherSparse(records: Records, type: EntryType, block: Buffer, stored: number): void {
  if (!records.some(([keyword]) => keyword.startsWith('GNU.'))) return
  if (type === 'file' && isPosix(block) && isStoredAs(records, stored)) return
  throw new BadTar('the tar has a sparse file of a kind that no volume has')
}

function targetIn(block: Buffer, type: EntryType, attributes: ReadonlyMap<string, string>): string {
  return type === 'symlink' || type === 'link' ? (attributes.get('linkpath') ?? textIn(block, 157, 100)) : ''
}

const TYPES: Readonly<Record<string, EntryType>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  '1': 'link',
  '2': 'symlink',
  '5': 'directory',
  '6': 'fifo',
}

function isZero(block: Buffer): boolean {
  return block[0] === 0 && block.every((byte) => byte === 0)
}

function padded(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK
}

function textIn(block: Buffer, start: number, length: number): string {
  const end = block.indexOf(0, start)
  return block.toString('latin1', start, end < 0 ? start + length : Math.min(end, start + length))
}

function nameIn(block: Buffer): string {
  const prefix = textIn(block, 345, 155)
  const name = textIn(block, 0, 100)
  // Only POSIX headers have a prefix there.
  return prefix !== '' && block.toString('latin1', 257, 263) === 'ustar\0' ? `${prefix}/${name}` : name
}

/** Whether it has none of the fields of older formats, by which tar would read a sparse file in another way. */
function isPosix(block: Buffer): boolean {
  return block.toString('latin1', 257, 263) === 'ustar\0' && block.subarray(345).every((byte) => byte === 0)
}

/** Octal digits that fill the field, or are followed by zeros or spaces. */
function octalIn(block: Buffer, start: number, length: number): number {
  const text = block.toString('latin1', start, start + length)
  if (!/^[0-7]+[\0 ]*$/.test(text)) throw new BadTar('the tar has a header with an invalid number')
  return Number.parseInt(text, 8)
}

/** The same, or, with the highest bit set, a binary number. */
function sizeIn(block: Buffer): number {
  if (block[124] !== 0x80) return octalIn(block, 124, 12)
  const value = block.subarray(125, 136).reduce((sum, byte) => sum * 256 + byte, 0)
  if (!Number.isSafeInteger(value)) throw new BadTar('the tar has a number out of range')
  return value
}

function wholeNumber(text: string): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) throw new BadTar('the tar has an extended header with an invalid number')
  return value
}

function checkSum(block: Buffer): void {
  let sum = 8 * 32
  for (let index = 0; index < 148; index++) sum += block[index]!
  for (let index = 156; index < BLOCK; index++) sum += block[index]!
  if (octalIn(block, 148, 8) !== sum) throw new BadTar('the header of a tar entry is invalid')
}

/** Records of an extended header: `<length> <keyword>=<value>\n`, the length in decimal and of the whole record. */
function recordsIn(text: string): Records {
  const records: [string, string][] = []
  let offset = 0
  while (offset < text.length) {
    const space = text.indexOf(' ', offset)
    const equals = text.indexOf('=', space)
    const length = /^\d+$/.test(text.slice(offset, space)) ? Number(text.slice(offset, space)) : 0
    const keyword = text.slice(space + 1, equals)
    if (space < 0 || equals < 0 || length <= equals - offset || text[offset + length - 1] !== '\n' || !/^[A-Za-z][^\0]*$/.test(keyword)) {
      throw new BadTar('the tar has an extended header that cannot be read')
    }
    records.push([keyword, text.slice(equals + 1, offset + length - 1)])
    offset += length
  }
  return records
}
