import { BadSource } from '../source.ts'
import { isStoredAs, type Records } from './sparse.ts'

/** Bytes that are no tar, a truncated one, or one of a form that no volume has. */
export class BadTar extends BadSource {}

export type EntryType = 'file' | 'directory' | 'symlink' | 'link' | 'fifo' | 'other'

/** One member of an archive. Names are latin1: one character a byte, whatever their encoding. */
export interface TarEntry {
  name: string
  type: EntryType
  /** Of the file as it is when extracted; a sparse one takes less in the archive. */
  size: number
  /** What a symbolic or a hard link points at. */
  target: string
}

/** Told of a member with the bytes it began with, and the records of its extended header. */
type OnEntry = (entry: TarEntry, head: Buffer, attributes: ReadonlyMap<string, string>) => void

const BLOCK = 512
/** Attributes of one file; Linux allows 64 KiB for a value, a sparse file's map can take more. */
const MOST_HEADER = 16 * 1024 * 1024

/**
 * Reads the headers of a POSIX tar (IEEE 1003.1, "pax Interchange Format") or of several one after the other, as its bytes go by, and keeps
 * none of its content. `onEntry` is told of a member when all its headers have passed, with the bytes it began with; `onBytes` of
 * everything else. What GNU tar would read in another way is refused, so that no member is hidden in what is taken for content here.
 */
export class TarHeaders {
  readonly #onEntry: OnEntry
  readonly #onBytes: (bytes: Buffer) => void
  /** Headers of the member that begins: the extended ones with their content, as read so far. */
  #head: Buffer[] = []
  #block: Buffer = Buffer.alloc(0)
  /** Bytes of content, with its padding, still to pass; of an extended header they are collected. */
  #rest = 0
  #extended: { size: number; bytes: Buffer[] } | undefined
  #records: Records | undefined
  entries = 0
  /** Bytes so far; and how many of them came before the first block of zeros in place of a header. */
  passed = 0
  zerosAt: number | undefined

  constructor(onEntry: OnEntry, onBytes: (bytes: Buffer) => void = () => undefined) {
    this.#onEntry = onEntry
    this.#onBytes = onBytes
  }

  /** Throws BadTar at the first header that is none. */
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
          return
        }
        const block = this.#block
        this.#block = Buffer.alloc(0)
        if (isZero(block)) this.zerosAt ??= start + offset - BLOCK
        this.#header(block)
      }
    }
  }

  /** To be called after the last byte. Throws BadTar when something is missing. */
  end(): void {
    if (this.#rest > 0 || this.#block.length > 0 || this.#head.length > 0) throw new BadTar('the tar ends in the middle of an entry')
  }

  #collect(piece: Buffer): void {
    const extended = this.#extended!
    extended.bytes.push(Buffer.from(piece))
    if (this.#rest > 0) return
    const content = Buffer.concat(extended.bytes)
    this.#head.push(content)
    this.#records = recordsIn(content.toString('latin1', 0, extended.size))
    this.#extended = undefined
  }

  #header(block: Buffer): void {
    if (isZero(block)) {
      if (this.#head.length > 0) throw new BadTar('the tar has headers without an entry')
      this.#onBytes(block)
      return
    }
    checkSum(block)
    const type = String.fromCharCode(block[156]!)
    const size = sizeIn(block)
    if (type === 'x') {
      if (this.#records || size > MOST_HEADER) throw new BadTar('the tar has extended headers that no volume has')
      this.#head.push(Buffer.from(block))
      this.#extended = { size, bytes: [] }
      this.#rest = padded(size)
      if (size === 0) this.#collect(Buffer.alloc(0))
      return
    }
    const records = this.#records ?? []
    const attributes = new Map(records)
    const stored = wholeNumber(attributes.get('size') ?? String(size))
    const known = TYPES[type] ?? 'other'
    const head = this.#head.length === 0 ? block : Buffer.concat([...this.#head, block])
    this.#head = []
    this.#records = undefined
    // Content belongs to regular files alone; other members have a size that means nothing.
    this.#rest = known === 'file' ? padded(stored) : 0
    if (known === 'other' && size > 0) throw new BadTar(`the tar has an entry of type ${JSON.stringify(type)}, which no volume has`)
    const name = attributes.get('path') ?? nameIn(block)
    // To tar it would be a folder, without content.
    if (known === 'file' && name.endsWith('/')) throw new BadTar('the tar has a file with the name of a folder')
    const sparse = records.some(([keyword]) => keyword.startsWith('GNU.'))
    if (sparse && (known !== 'file' || !isPosix(block) || !isStoredAs(records, stored)))
      throw new BadTar('the tar has a sparse file of a kind that no volume has')
    this.entries++
    this.#onEntry(
      {
        name,
        type: known,
        size: known === 'file' ? wholeNumber(attributes.get('GNU.sparse.size') ?? String(stored)) : 0,
        target: known === 'symlink' || known === 'link' ? (attributes.get('linkpath') ?? textIn(block, 157, 100)) : '',
      },
      head,
      attributes,
    )
  }
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

/** Without any of the fields of older formats, by which tar would read a sparse file otherwise. */
function isPosix(block: Buffer): boolean {
  return block.toString('latin1', 257, 263) === 'ustar\0' && block.subarray(345).every((byte) => byte === 0)
}

/** Octal digits that fill the field, but for zeros or spaces after them. */
function octalIn(block: Buffer, start: number, length: number): number {
  const text = block.toString('latin1', start, start + length)
  if (!/^[0-7]+[\0 ]*$/.test(text)) throw new BadTar('the tar has a header with a number that is none')
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
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) throw new BadTar('the tar has an extended header with a number that is none')
  return value
}

function checkSum(block: Buffer): void {
  let sum = 0
  for (let index = 0; index < BLOCK; index++) sum += index >= 148 && index < 156 ? 32 : block[index]!
  if (octalIn(block, 148, 8) !== sum) throw new BadTar('what should be the header of a tar entry is none')
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
