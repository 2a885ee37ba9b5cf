import { Decrypter, Encrypter } from 'age-encryption'
import { LifeboatError } from '../../error.ts'
import { decryptPayload, encryptPayload, NONCE, TAG } from './payload.ts'

/** A header of a hundred post-quantum recipients is about 170 KiB. Larger ones are neither written nor read. */
const MAXIMUM_HEADER = 256 * 1024

/** Encrypts to every recipient (https://age-encryption.org/v1). */
export async function encrypt(plaintext: Uint8Array, recipients: readonly string[]): Promise<Buffer> {
  const { header, fileKey } = await newHeader(recipients)
  return encryptPayload(plaintext, header, fileKey)
}

/** Decrypts and authenticates; throws when the bytes are not a whole, undamaged age file for this identity. */
export async function decrypt(sealed: Uint8Array, identity: string): Promise<Buffer> {
  const { payload, fileKey } = await openAgeHeader(sealed, identity)
  return decryptPayload(payload, fileKey)
}

export interface Header {
  header: Uint8Array
  /** 16 bytes, from which the payload's key is derived. */
  fileKey: Uint8Array
}

/**
 * A header that wraps a new file key to every recipient: that of an empty file, of which a recipient that adds no stanza learns the file
 * key.
 */
export async function newHeader(recipients: readonly string[]): Promise<Header> {
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
  if (header.length > MAXIMUM_HEADER)
    throw new LifeboatError(`${recipients.length} recipients are too many`, { hint: 'Name at most a hundred.', status: 2 })
  return { header, fileKey }
}

/**
 * The file key that an identity unwraps, and what follows the header; throws when the bytes do not begin with a header for this identity.
 */
export async function openAgeHeader(sealed: Uint8Array, identity: string): Promise<{ fileKey: Uint8Array; payload: Uint8Array }> {
  const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength)
  const start = bytes.subarray(0, MAXIMUM_HEADER)
  const last = start.indexOf('\n--- ')
  const end = last < 0 ? -1 : start.indexOf('\n', last + 1)
  if (end < 0) throw new Error('not an age file: no end of the header')
  return { fileKey: await decrypterOf(identity).decryptHeader(bytes.subarray(0, end + 1)), payload: bytes.subarray(end + 1) }
}

/** A new one computes its recipient, which takes as long as decrypting a header; a run has one identity, or a few. */
const decrypters = new Map<string, Decrypter>()

function decrypterOf(identity: string): Decrypter {
  const known = decrypters.get(identity)
  if (known) return known
  const decrypter = new Decrypter()
  decrypter.addIdentity(identity)
  decrypters.set(identity, decrypter)
  return decrypter
}
