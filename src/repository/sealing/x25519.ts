import {
  createCipheriv, createDecipheriv, createHmac, createPrivateKey, createPublicKey, diffieHellman, generateKeyPairSync, hkdfSync,
  type KeyObject,
} from 'node:crypto'

/**
 * Headers of age for X25519 recipients (https://age-encryption.org/v1, "File format" and "The X25519 recipient type"). With node:crypto
 * one takes a quarter of the CPU time that it takes with the age library; a backup makes one for each chunk, and a restore opens it.
 */
const LABEL = 'age-encryption.org/v1/X25519'
const TAG = 16
const NONCE = Buffer.alloc(12)
/** The letters of Bech32 (BIP 173): five bits each, and six letters of checksum in the end. */
const LETTERS = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l'
const RECIPIENT = new RegExp(`^age1[${LETTERS}]{58}$`)
const IDENTITY = new RegExp(`^age-secret-key-1[${LETTERS}]{58}$`)
/** A private key as PKCS #8 has it (RFC 8410, section 7), up to its 32 bytes. */
const PKCS8 = Buffer.from('302e020100300506032b656e04220420', 'hex')
/** 32 bytes in base64 without padding. The last letter stands for four bits and two zeros. */
const TEXT = '[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]'
const HEADER = new RegExp(`^age-encryption\\.org/v1\n(?:-> X25519 ${TEXT}\n${TEXT}\n)+--- ${TEXT}\n$`)
const STANZA = new RegExp(`-> X25519 (${TEXT})\n(${TEXT})\n`, 'g')

/** `key`: the public one of a recipient, the private one of an identity; `point`: the public one, 32 bytes. */
export interface X25519Recipient {
  key: KeyObject
  point: Buffer
}
export type X25519Identity = X25519Recipient

/** Of a text that the age library accepts as a recipient; undefined if it is one of another type. */
export function x25519Recipient(text: string): X25519Recipient | undefined {
  if (!RECIPIENT.test(text)) return undefined
  const point = bytesOf(text)
  return { key: publicKeyOf(point), point }
}

/** Of a text that the age library accepts as an identity; undefined if it is one of another type. */
export function x25519Identity(text: string): X25519Identity | undefined {
  if (!IDENTITY.test(text.toLowerCase())) return undefined
  const key = createPrivateKey({ format: 'der', type: 'pkcs8', key: Buffer.concat([PKCS8, bytesOf(text.toLowerCase())]) })
  return { key, point: pointOf(createPublicKey(key)) }
}

/** The 32 bytes in a text in Bech32. */
function bytesOf(text: string): Buffer {
  let bits = 0n
  // 52 letters are 260 bits.
  for (const letter of text.slice(-58, -6)) bits = (bits << 5n) | BigInt(LETTERS.indexOf(letter))
  return Buffer.from((bits >> 4n).toString(16).padStart(64, '0'), 'hex')
}

function publicKeyOf(point: Buffer): KeyObject {
  return createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'X25519', x: point.toString('base64url') } })
}

function pointOf(key: KeyObject): Buffer {
  return Buffer.from(key.export({ format: 'jwk' }).x!, 'base64url')
}

/** The header of a file with this new file key. Throws for a point of low order. */
export function x25519Header(recipients: readonly X25519Recipient[], fileKey: Uint8Array): Uint8Array {
  return headerOf(recipients.map(({ key, point }) => {
    const { publicKey, privateKey } = generateKeyPairSync('x25519')
    return stanza({ share: pointOf(publicKey), point, secret: diffieHellman({ privateKey, publicKey: key }) }, fileKey)
  }), fileKey)
}

/** The stanzas, and the MAC over them. */
export function headerOf(stanzas: readonly string[], fileKey: Uint8Array): Uint8Array {
  const signed = `age-encryption.org/v1\n${stanzas.map((one) => `${one}\n`).join('')}---`
  // Not Buffer.from, whose memory others share: this is sent to another thread.
  return new TextEncoder().encode(`${signed} ${macOf(signed, fileKey)}\n`)
}

/**
 * The file key in a header whose recipients are all of this type, one of them this identity's; undefined if it is another header, or
 * changed.
 */
export function x25519FileKey(header: Uint8Array, identity: X25519Identity): Buffer | undefined {
  const text = Buffer.from(header.buffer, header.byteOffset, header.length).toString('latin1')
  if (!HEADER.test(text)) return undefined
  const end = text.lastIndexOf(' ')
  for (const [, share, body] of text.matchAll(STANZA)) {
    const fileKey = fileKeyIn(Buffer.from(share!, 'base64'), Buffer.from(body!, 'base64'), identity)
    if (fileKey) return text.slice(end + 1, -1) === macOf(text.slice(0, end), fileKey) ? fileKey : undefined
  }
  return undefined
}

/** Of a header, up to `---`. */
function macOf(signed: string, fileKey: Uint8Array): string {
  return unpadded(createHmac('sha256', Buffer.from(hkdfSync('sha256', fileKey, '', 'header', 32))).update(signed).digest())
}

interface Shared {
  /** The ephemeral one, 32 bytes, and the recipient's. */
  share: Buffer
  point: Buffer
  /** The secret that both have. */
  secret: Buffer
}

/** The ephemeral share, and the file key under the secret that it has with the recipient. */
export function stanza(shared: Shared, fileKey: Uint8Array): string {
  const cipher = createCipheriv('chacha20-poly1305', wrappingKey(shared), NONCE, { authTagLength: TAG })
  const body = Buffer.concat([cipher.update(fileKey), cipher.final(), cipher.getAuthTag()])
  return `-> X25519 ${unpadded(shared.share)}\n${unpadded(body)}`
}

/** Undefined if it is another recipient's. */
function fileKeyIn(share: Buffer, body: Buffer, { key, point }: X25519Identity): Buffer | undefined {
  try {
    const secret = diffieHellman({ privateKey: key, publicKey: publicKeyOf(share) })
    const decipher = createDecipheriv('chacha20-poly1305', wrappingKey({ share, point, secret }), NONCE, { authTagLength: TAG })
    decipher.setAuthTag(body.subarray(-TAG))
    return Buffer.concat([decipher.update(body.subarray(0, -TAG)), decipher.final()])
  } catch {
    // Another tag, or a point of low order.
    return undefined
  }
}

function wrappingKey({ share, point, secret }: Shared): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, Buffer.concat([share, point]), LABEL, 32))
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replaceAll('=', '')
}
