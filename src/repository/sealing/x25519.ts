import { createCipheriv, createHmac, createPublicKey, diffieHellman, generateKeyPairSync, hkdfSync, type KeyObject } from 'node:crypto'

/**
 * Headers of age for X25519 recipients (https://age-encryption.org/v1, "File format" and "The X25519 recipient type"). With node:crypto
 * one takes a quarter of the CPU time that it takes with the age library; a backup makes one for each chunk.
 */
const LABEL = 'age-encryption.org/v1/X25519'
const TAG = 16
const NONCE = Buffer.alloc(12)
/** The letters of Bech32 (BIP 173): five bits each, and six letters of checksum in the end. */
const LETTERS = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l'
const FORM = new RegExp(`^age1[${LETTERS}]{58}$`)

export interface X25519Recipient {
  key: KeyObject
  point: Buffer
}

/** Of a text that the age library accepts as a recipient; undefined if it is one of another type. */
export function x25519Recipient(text: string): X25519Recipient | undefined {
  if (!FORM.test(text)) return undefined
  let bits = 0n
  for (const letter of text.slice('age1'.length, -6)) bits = (bits << 5n) | BigInt(LETTERS.indexOf(letter))
  // 52 letters are 260 bits.
  const point = Buffer.from((bits >> 4n).toString(16).padStart(64, '0'), 'hex')
  return { key: createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'X25519', x: point.toString('base64url') } }), point }
}

/** The header of a file with this new file key. Throws for a point of low order. */
export function x25519Header(recipients: readonly X25519Recipient[], fileKey: Uint8Array): Uint8Array {
  return headerOf(recipients.map(({ key, point }) => {
    const { publicKey, privateKey } = generateKeyPairSync('x25519')
    const share = Buffer.from(publicKey.export({ format: 'jwk' }).x!, 'base64url')
    return stanza({ share, point, secret: diffieHellman({ privateKey, publicKey: key }) }, fileKey)
  }), fileKey)
}

/** The stanzas, and the MAC over them. */
export function headerOf(stanzas: readonly string[], fileKey: Uint8Array): Uint8Array {
  const signed = `age-encryption.org/v1\n${stanzas.map((one) => `${one}\n`).join('')}---`
  const macKey = Buffer.from(hkdfSync('sha256', fileKey, '', 'header', 32))
  // Not Buffer.from, whose memory others share: this is sent to another thread.
  return new TextEncoder().encode(`${signed} ${unpadded(createHmac('sha256', macKey).update(signed).digest())}\n`)
}

/** The ephemeral share, and the file key under the secret that it has with the recipient. */
export function stanza(
  { share, point, secret }: { share: Buffer; point: Buffer; secret: Buffer }, fileKey: Uint8Array,
): string {
  const wrappingKey = Buffer.from(hkdfSync('sha256', secret, Buffer.concat([share, point]), LABEL, 32))
  const cipher = createCipheriv('chacha20-poly1305', wrappingKey, NONCE, { authTagLength: TAG })
  return `-> X25519 ${unpadded(share)}\n${unpadded(Buffer.concat([cipher.update(fileKey), cipher.final(), cipher.getAuthTag()]))}`
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replaceAll('=', '')
}
