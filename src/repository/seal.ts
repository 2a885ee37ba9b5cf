import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { constants, zstdCompress, zstdDecompress } from 'node:zlib'
import { Decrypter, Encrypter } from 'age-encryption'
import { LifeboatError } from '../error.ts'

/**
 * Sealing: zstd (RFC 8878), then age (https://age-encryption.org/v1). The age library makes and opens headers; the payload, ChaCha20-Poly1305
 * in 64 KiB segments (the "STREAM" part of the age specification), is done with node:crypto, which is over ten times faster.
 */
const SEGMENT = 64 * 1024
const TAG = 16
const NONCE = 16
/** A header of a hundred post-quantum recipients is about 170 KiB. What is larger is neither written nor read. */
const MAXIMUM_HEADER = 256 * 1024

/** Encrypts to every recipient. */
export async function encrypt(plaintext: Uint8Array, recipients: readonly string[]): Promise<Buffer> {
  const { header, fileKey } = await newHeader(recipients)
  const nonce = randomBytes(NONCE)
  return Buffer.concat([header, nonce, ...encryptPayload(plaintext, payloadKey(fileKey, nonce))])
}

/** Decrypts and authenticates; throws when the bytes are not a whole, undamaged age file for this identity. */
export async function decrypt(sealed: Uint8Array, identity: string): Promise<Buffer> {
  const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength)
  const header = headerOf(bytes)
  const fileKey = await decrypterOf(identity).decryptHeader(header)
  return decryptPayload(bytes.subarray(header.length), fileKey)
}

/** A new one computes its recipient, which takes as long as to decrypt a header; a run has one identity, or a few. */
const decrypters = new Map<string, Decrypter>()

function decrypterOf(identity: string): Decrypter {
  const known = decrypters.get(identity)
  if (known) return known
  const decrypter = new Decrypter()
  decrypter.addIdentity(identity)
  decrypters.set(identity, decrypter)
  return decrypter
}

/** An empty file is encrypted for its header; a recipient that adds no stanza learns the file key. */
async function newHeader(recipients: readonly string[]): Promise<{ header: Uint8Array; fileKey: Uint8Array }> {
  let fileKey = new Uint8Array(0)
  const encrypter = new Encrypter()
  for (const recipient of recipients) encrypter.addRecipient(recipient)
  encrypter.addRecipient({
    wrapFileKey(key) {
      fileKey = key.slice()
      return []
    },
  })
  const empty = await encrypter.encrypt(new Uint8Array(0))
  const header = empty.subarray(0, empty.length - NONCE - TAG)
  if (header.length > MAXIMUM_HEADER) throw new LifeboatError(`${recipients.length} recipients are too many`, { hint: 'Name at most a hundred.', status: 2 })
  return { header, fileKey }
}

function headerOf(bytes: Buffer): Buffer {
  const start = bytes.subarray(0, MAXIMUM_HEADER)
  const last = start.indexOf('\n--- ')
  const end = last < 0 ? -1 : start.indexOf('\n', last + 1)
  if (end < 0) throw new Error('not an age file: no end of the header')
  return bytes.subarray(0, end + 1)
}

function payloadKey(fileKey: Uint8Array, nonce: Uint8Array): Buffer {
  return Buffer.from(hkdfSync('sha256', fileKey, nonce, 'payload', 32))
}

function segmentNonce(index: number, last: boolean): Buffer {
  const nonce = Buffer.alloc(12)
  nonce.writeUIntBE(index, 5, 6)
  nonce[11] = last ? 1 : 0
  return nonce
}

function encryptPayload(plaintext: Uint8Array, key: Buffer): Buffer[] {
  const pieces: Buffer[] = []
  const segments = Math.max(1, Math.ceil(plaintext.length / SEGMENT))
  for (let index = 0; index < segments; index++) {
    const cipher = createCipheriv('chacha20-poly1305', key, segmentNonce(index, index === segments - 1), { authTagLength: TAG })
    pieces.push(cipher.update(plaintext.subarray(index * SEGMENT, (index + 1) * SEGMENT)), cipher.final(), cipher.getAuthTag())
  }
  return pieces
}

function decryptPayload(payload: Buffer, fileKey: Uint8Array): Buffer {
  if (payload.length < NONCE + TAG) throw new Error('age file is truncated')
  const key = payloadKey(fileKey, payload.subarray(0, NONCE))
  const body = payload.subarray(NONCE)
  const segments = Math.ceil(body.length / (SEGMENT + TAG))
  const pieces: Buffer[] = []
  for (let index = 0; index < segments; index++) {
    const segment = body.subarray(index * (SEGMENT + TAG), (index + 1) * (SEGMENT + TAG))
    const last = index === segments - 1
    // Only an empty file may have an empty segment.
    if (segment.length < TAG || (segment.length === TAG && index > 0)) throw new Error('age file is truncated')
    const decipher = createDecipheriv('chacha20-poly1305', key, segmentNonce(index, last), { authTagLength: TAG })
    decipher.setAuthTag(segment.subarray(segment.length - TAG))
    pieces.push(decipher.update(segment.subarray(0, segment.length - TAG)))
    decipher.final()
  }
  return Buffer.concat(pieces)
}

const compressAsync = promisify(zstdCompress)
const decompressAsync = promisify(zstdDecompress)

const OUTPUT_PIECE = 256 * 1024
/** Most snapshots come out in one piece: with Node's 16 KiB, a list of a thousand takes a fifth longer. */
const METADATA_PIECE = 128 * 1024

/** What a `zstd -D` would read as a structured dictionary (RFC 8878, section 5): such a chunk cannot serve as a base. */
const DICTIONARY_MAGIC = 0xec30a437

export function canBeBase(plaintext: Buffer): boolean {
  return plaintext.length > 8 && plaintext.readUInt32LE(0) !== DICTIONARY_MAGIC
}

/** One zstd frame with its content size, at zstd's `level`, 1 to 19. With `base`, a difference that stock zstd reads with `-D base`: `search` is for data that compresses well. */
export function compress(plaintext: Uint8Array, level: number, base?: Uint8Array, search = false): Promise<Buffer> {
  const params = base ? differenceParameters(base.length + plaintext.length, search) : { [constants.ZSTD_c_compressionLevel]: level }
  return compressAsync(plaintext, { params, dictionary: base, pledgedSrcSize: plaintext.length, chunkSize: OUTPUT_PIECE })
}

/**
 * For a difference, given the bytes of base and chunk together. zstd sizes its tables for the input alone, which would index too little of
 * a dictionary as large as the input, so window and tables are set; a quarter of both is enough, and above a million entries they only take memory.
 * Two ways to look for matches. The plain one takes the first it finds. The rows of a table are short and begin alike, so there the first
 * is rarely the one in the base that goes on matching: a search among 32 makes differences of such tables a third as large. But the search
 * forgets the beginning of a large base, which only data that repeats itself forgives.
 */
function differenceParameters(bytes: number, search: boolean): Record<number, number> {
  const log = Math.max(12, Math.ceil(Math.log2(bytes)))
  return {
    [constants.ZSTD_c_strategy]: search ? constants.ZSTD_greedy : constants.ZSTD_dfast,
    [constants.ZSTD_c_windowLog]: log,
    [constants.ZSTD_c_hashLog]: Math.min(log - 2, 20),
    [constants.ZSTD_c_chainLog]: Math.min(log - 3, 19),
    [constants.ZSTD_c_searchLog]: 5,
    [constants.ZSTD_c_minMatch]: 6,
  }
}

/** A frame of metadata, whose size nothing tells beforehand; throws when it is damaged or holds more than `most` bytes. */
export async function decompressUpTo(compressed: Uint8Array, most: number): Promise<Buffer> {
  return decompressAsync(compressed, { maxOutputLength: most, chunkSize: METADATA_PIECE })
}

/** The reverse of `compress`; throws when the frame is damaged or holds more than `size` bytes. */
export async function decompress(compressed: Uint8Array, size: number, base?: Uint8Array): Promise<Buffer> {
  return decompressAsync(compressed, { dictionary: base, maxOutputLength: Math.max(1, size), chunkSize: Math.max(64, size) })
}
