import { promisify } from 'node:util'
import { constants, zstdCompressSync, zstdDecompress, zstdDecompressSync } from 'node:zlib'
import { contentSizeOf } from './frame.ts'

/** The first bytes of a structured dictionary, as `zstd -D` would read it (RFC 8878, section 5): such a chunk cannot be a base. */
const DICTIONARY_MAGIC = 0xec30a437

export function canBeBase(plaintext: Buffer): boolean {
  return plaintext.length > 8 && !isDictionary(plaintext)
}

function isDictionary(bytes: Uint8Array): boolean {
  return bytes.length > 8 && Buffer.from(bytes.buffer, bytes.byteOffset).readUInt32LE(0) === DICTIONARY_MAGIC
}

/** Most metadata decompresses into one piece of this size, so that no pieces have to be joined. Unfilled pages take no memory. */
const METADATA_PIECE = 32 * 1024 * 1024

/** One zstd frame (RFC 8878) with its content size, in a larger buffer of its own; at zstd's `level`, which can be negative. */
export function compress(plaintext: Uint8Array, level: number): Buffer {
  return frameOf(plaintext, { [constants.ZSTD_c_compressionLevel]: level })
}

/** The same as a difference, which stock zstd reads with `-D base`. */
export function difference(plaintext: Uint8Array, base: Uint8Array, matches: Matches = 'first'): Buffer {
  return frameOf(plaintext, differenceParameters(base.length + plaintext.length, matches), base)
}

/** How a difference looks for matches: it takes the first, or searches, for rows that begin alike; or it takes only long ones. */
export type Matches = 'first' | 'search' | 'long'

const STRATEGIES = { first: constants.ZSTD_dfast, search: constants.ZSTD_greedy, long: constants.ZSTD_fast }

function frameOf(plaintext: Uint8Array, params: Record<number, number>, base?: Uint8Array): Buffer {
  return zstdCompressSync(plaintext, { params, dictionary: base, pledgedSrcSize: plaintext.length, chunkSize: roomFor(plaintext.length) })
}

/**
 * More than so many bytes can become (ZSTD_compressBound): zstd then compresses straight from the input, without a window of its own. Where
 * the result fills its buffer, Node makes another for what could follow; and small buffers it cuts from one that others share.
 */
function roomFor(bytes: number): number {
  return bytes + (bytes >> 8) + 64 * 1024
}

/**
 * For a difference, given the bytes of base and chunk together. zstd sizes its tables for the input alone, which would index too little
 * of a dictionary as large as the input, so window and tables are set. Three ways to look for matches. The plain one takes the first it
 * finds. The rows of a table are short and begin alike, so there the first is rarely the one in the base that goes on matching: a search
 * among 32 makes differences of such tables a third as large. But the search forgets the beginning of a large base, which only data that
 * repeats itself forgives. Taking only long matches needs half of the time. Where rows are moved, it makes differences larger, by up to
 * 80 % (tables in files: CSV); where most stays as it was, smaller: 0.3 in place of 1.2 MB for small edits of 20 large files, 8.4 in place
 * of 9.0 MB for a source tree.
 */
function differenceParameters(bytes: number, matches: Matches): Record<number, number> {
  const log = Math.max(12, Math.ceil(Math.log2(bytes)))
  return {
    [constants.ZSTD_c_strategy]: STRATEGIES[matches],
    [constants.ZSTD_c_windowLog]: log,
    // The search forgets more with smaller tables; above a million entries they only take memory. The others need half of that: a quarter
    // makes differences up to 5 % larger.
    [constants.ZSTD_c_hashLog]: matches === 'search' ? Math.min(log - 2, 20) : log - 3,
    [constants.ZSTD_c_chainLog]: log - 4,
    [constants.ZSTD_c_searchLog]: 5,
    [constants.ZSTD_c_minMatch]: matches === 'long' ? 7 : 6,
  }
}

/** The reverse of both, in a larger buffer of its own; throws unless it is exactly one whole frame of `size` bytes. */
export function decompress(compressed: Uint8Array, size: number, base?: Uint8Array): Buffer {
  const content = contentSizeOf(compressed)
  if (content !== size) throw new Error(`its content has ${content} bytes instead of ${size}`)
  if (base && isDictionary(base)) throw new Error('its base cannot be a base')
  return zstdDecompressSync(compressed, { dictionary: base, maxOutputLength: Math.max(1, size), chunkSize: roomFor(size) })
}

const decompressAsync = promisify(zstdDecompress)

/** A frame of metadata; throws, before anything is decompressed, unless it is exactly one of at most `most` bytes. */
export async function decompressUpTo(compressed: Uint8Array, most: number): Promise<Buffer> {
  const content = contentSizeOf(compressed)
  if (content > most)
    throw new Error(`its content has ${content.toLocaleString('en')} bytes, more than the ${most.toLocaleString('en')} that it may have`)
  return decompressAsync(compressed, { maxOutputLength: Math.max(1, content), chunkSize: Math.min(content, METADATA_PIECE) + 64 })
}
