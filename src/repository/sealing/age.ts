import { randomBytes } from 'node:crypto'
import { Decrypter, Encrypter } from 'age-encryption'
import { LifeboatError } from '../../error.ts'
import { decryptPayload, encryptPayload, NONCE, TAG } from './payload.ts'
import { type X25519Identity, type X25519Recipient, x25519FileKey, x25519Header, x25519Identity, x25519Recipient } from './x25519.ts'

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

const FILE_KEY = 16

/** A header that wraps a new file key to every recipient. */
export async function newHeader(recipients: readonly string[]): Promise<Header> {
  const ours = recipients.flatMap((recipient) => ourRecipient(recipient) ?? [])
  const made = ours.length === recipients.length ? headerFor(ours) : await headerByLibrary(recipients)
  if (made.header.length > MAXIMUM_HEADER)
    throw new LifeboatError(`${recipients.length} recipients are too many`, { hint: 'Name at most a hundred.', status: 2 })
  return made
}

function headerFor(recipients: readonly X25519Recipient[]): Header {
  const fileKey = randomBytes(FILE_KEY)
  return { header: x25519Header(recipients, fileKey), fileKey }
}

const known = new Map<string, X25519Recipient | undefined>()

/** Throws unless it is a recipient. */
function ourRecipient(recipient: string): X25519Recipient | undefined {
  if (!known.has(recipient)) {
    new Encrypter().addRecipient(recipient)
    known.set(recipient, x25519Recipient(recipient))
  }
  return known.get(recipient)
}

/** That of an empty file, of which a recipient that adds no stanza learns the file key. */
async function headerByLibrary(recipients: readonly string[]): Promise<Header> {
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
  return { header: empty.subarray(0, empty.length - NONCE - TAG), fileKey }
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
  const [header, payload] = [bytes.subarray(0, end + 1), bytes.subarray(end + 1)]
  const { ours, decrypter } = openerOf(identity)
  return { fileKey: (ours && x25519FileKey(header, ours)) ?? (await decrypter.decryptHeader(header)), payload }
}

/** The library opens, or refuses, each header that is not opened here. */
interface Opener {
  ours: X25519Identity | undefined
  decrypter: Decrypter
}

/** A new one computes its recipient, which takes as long as decrypting a header; a run has one identity, or a few. */
const openers = new Map<string, Opener>()

function openerOf(identity: string): Opener {
  const before = openers.get(identity)
  if (before) return before
  const decrypter = new Decrypter()
  decrypter.addIdentity(identity)
  const opener = { ours: x25519Identity(identity), decrypter }
  openers.set(identity, opener)
  return opener
}
