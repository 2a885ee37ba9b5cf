import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { formatSome, oneLine } from '../../report/format.ts'
import { BadSource } from '../source.ts'
import { metaOf, pathOf } from './entry.ts'

/**
 * A member of a volume's archive in the list of files, which is a stream of its own (docs/format.md): a line for each member, in the order
 * of the archive, with fields separated by tabs.
 */
export interface ListedFile {
  /** `f` file, `d` directory, `l` symbolic link, `p` pipe, `h` hard link. */
  type: string
  /** Octal permissions. */
  mode: string
  uid: number
  gid: number
  /** Bytes of a file's content; 0 for other members. */
  size: number
  /** Seconds since 1970, with decimals. */
  mtime: string
  /** Relative to the volume; one latin1 character a byte. The volume itself is the empty text. */
  path: string
  /** Of a link: as stored, and for a hard link the path of the file. */
  target: string
}

/** An entry as the list records it, but for the properties in `archived`, which differ in the archive. */
export function listedEntry(entry: string, archived: Partial<ListedFile> = {}): ListedFile {
  const { type, mode, uid, gid, size, mtime, target } = metaOf(entry)
  return { type, mode, uid: Number(uid), gid: Number(gid), size, mtime, path: pathOf(entry), target, ...archived }
}

export function encodeFile(file: ListedFile): string {
  const { type, mode, uid, gid, size, mtime } = file
  return `${type}\t${mode}\t${uid}\t${gid}\t${size}\t${mtime}\t${escaped(file.path)}\t${escaped(file.target)}\n`
}

/** The lines of a list until all of them are known; compressed, because there may be millions. */
export class Lines {
  readonly #pieces: Buffer[] = []
  #open: string[] = []
  #size = 0

  add(line: string): void {
    this.#open.push(line)
    this.#size += line.length
    if (this.#size >= PIECE) this.#compress()
  }

  /** After all lines. */
  async *bytes(): AsyncGenerator<Buffer, void, void> {
    this.#compress()
    for (const piece of this.#pieces) yield zstdDecompressSync(piece)
  }

  #compress(): void {
    this.#pieces.push(zstdCompressSync(Buffer.from(this.#open.join(''), 'latin1')))
    this.#open = []
    this.#size = 0
  }
}

/** Characters that are compressed at once. */
const PIECE = 1024 * 1024

/** A list of files with a line that Lifeboat does not write. */
class BadFileList extends BadSource {}

/** Reads the lines of a list. Throws BadFileList at a malformed one. `source`: its name, for that. */
export async function* decodeFiles(bytes: AsyncIterable<Uint8Array>, source?: string): AsyncGenerator<ListedFile, void, void> {
  for await (const files of decodePieces(bytes, source)) yield* files
}

/** The same, many at once: a turn for each of a million takes most of the time. */
export async function* decodePieces(bytes: AsyncIterable<Uint8Array>, source?: string): AsyncGenerator<Iterable<ListedFile>, void, void> {
  let rest = ''
  for await (const piece of bytes) {
    const lines = (rest + Buffer.from(piece.buffer, piece.byteOffset, piece.length).toString('latin1')).split('\n')
    rest = lines.pop()!
    yield decodedLines(lines, source)
  }
  if (rest !== '') throw badList(source, 'ends in the middle of a line')
}

function* decodedLines(lines: readonly string[], source: string | undefined): Generator<ListedFile, void, void> {
  for (const line of lines) yield decodeFile(line, source)
}

function badList(source: string | undefined, problem: string): BadFileList {
  return new BadFileList(`the list of files${source === undefined ? '' : ` of ${source}`} ${problem}`, {
    hint: 'Another program, or another version, wrote it. Its streams can still be read with recover.sh in the store (RECOVERY.md).',
  })
}

/** Reads a line, without its end. Throws BadFileList if it is malformed. */
export function decodeFile(line: string, source?: string): ListedFile {
  const [type = '', mode = '', uid = '', gid = '', size = '', mtime = '', path = '', target, ...more] = line.split('\t')
  if (!/^[fdlph]$/.test(type) || ![uid, gid, size].every((text) => /^\d+$/.test(text)) || target === undefined || more.length > 0)
    throw badList(source, 'has a malformed line')
  return { type, mode, uid: Number(uid), gid: Number(gid), size: Number(size), mtime, path: unescaped(path), target: unescaped(target) }
}

/**
 * A name of a file for messages: in one line, and without characters that a terminal would obey or that nobody sees. They and the backslash
 * are `\xHH`, byte by byte, as in the list of files, so that two files are not shown as one.
 */
export function shownName(latin1: string): string {
  return displayName(latin1).replaceAll(/(?<= ) |(?! )[\p{C}\p{Z}\\]/gu, (character) =>
    [...Buffer.from(character)].map(hexOf).join(''))
}

function hexOf(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, '0')}`
}

/** A name of a file, which can be any bytes, as UTF-8. Callers that show it remove control characters. */
export function displayName(latin1: string): string {
  // oxlint-disable-next-line no-control-regex -- most names have nothing to decode
  return /^[\u0000-\u007f]*$/.test(latin1) ? latin1 : Buffer.from(latin1, 'latin1').toString('utf8')
}

/** The beginnings of the first five of these names, in one line. */
export function someNames(paths: readonly string[]): string {
  return formatSome(paths.map((name) => (name.length > LONGEST_SHOWN ? `${oneLine(name.slice(0, LONGEST_SHOWN))}…` : oneLine(name))), 5)
}

const LONGEST_SHOWN = 300

/** Control characters and the backslash as `\xHH`; all other bytes as they are. */
function escaped(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are escaped
  return text.replaceAll(/[\u0000-\u001f\u007f\\]/g, (character) => hexOf(character.charCodeAt(0)))
}

function unescaped(text: string): string {
  return text.includes('\\')
    ? text.replaceAll(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    : text
}
