import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, type KeyObject, randomBytes } from 'node:crypto'
import { giveBack } from '../../process/buffers.ts'

/**
 * The payload of an age file: ChaCha20-Poly1305 in segments of 64 KiB (the "STREAM" part of https://age-encryption.org/v1). With
 * node:crypto this is over ten times faster than with the age library, which makes the header.
 */
const SEGMENT = 64 * 1024
export const TAG = 16
export const NONCE = 16

/** The whole age file, in a buffer of its own: its header, whose file key this is, and the plaintext encrypted. */
export function encryptPayload(plaintext: Uint8Array, header: Uint8Array, fileKey: Uint8Array): Buffer {
  const segments = Math.max(1, Math.ceil(plaintext.length / SEGMENT))
  const file = Buffer.allocUnsafeSlow(header.length + NONCE + plaintext.length + segments * TAG)
  const nonce = randomBytes(NONCE)
  const key = payloadKey(fileKey, nonce)
  file.set(header)
  file.set(nonce, header.length)
  let position = header.length + NONCE
  const add = (bytes: Uint8Array) => {
    file.set(bytes, position)
    position += bytes.length
  }
  for (let index = 0; index < segments; index++) {
    const cipher = createCipheriv('chacha20-poly1305', key, segmentNonce(index, index === segments - 1), { authTagLength: TAG })
    const segment = cipher.update(plaintext.subarray(index * SEGMENT, (index + 1) * SEGMENT))
    cipher.final()
    add(segment)
    add(cipher.getAuthTag())
    giveBack(segment.buffer)
  }
  return file
}

/** The plaintext of an age file's payload, in its own buffer; throws unless the payload is whole and undamaged under this file key. */
export function decryptPayload(payload: Uint8Array, fileKey: Uint8Array): Buffer {
  if (payload.length < NONCE + TAG) throw new Error('age file is truncated')
  const key = payloadKey(fileKey, payload.subarray(0, NONCE))
  const body = payload.subarray(NONCE)
  const segments = Math.ceil(body.length / (SEGMENT + TAG))
  const plaintext = Buffer.allocUnsafeSlow(Math.max(0, body.length - segments * TAG))
  for (let index = 0; index < segments; index++) {
    const segment = body.subarray(index * (SEGMENT + TAG), (index + 1) * (SEGMENT + TAG))
    // Only an empty file may have an empty segment.
    if (segment.length < TAG || (segment.length === TAG && index > 0)) throw new Error('age file is truncated')
    const decipher = createDecipheriv('chacha20-poly1305', key, segmentNonce(index, index === segments - 1), { authTagLength: TAG })
    decipher.setAuthTag(segment.subarray(segment.length - TAG))
    const decrypted = decipher.update(segment.subarray(0, segment.length - TAG))
    try {
      decipher.final()
    } catch {
      // The message of Node's error means nothing to people.
      throw new Error('its content was changed')
    }
    plaintext.set(decrypted, index * SEGMENT)
    giveBack(decrypted.buffer)
  }
  return plaintext
}

/** Each segment would take a third longer with the bytes of the key. */
function payloadKey(fileKey: Uint8Array, nonce: Uint8Array): KeyObject {
  return createSecretKey(Buffer.from(hkdfSync('sha256', fileKey, nonce, 'payload', 32)))
}

function segmentNonce(index: number, last: boolean): Buffer {
  const nonce = Buffer.alloc(12)
  nonce.writeUIntBE(index, 5, 6)
  nonce[11] = last ? 1 : 0
  return nonce
}
