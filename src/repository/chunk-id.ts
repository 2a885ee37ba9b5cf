import { createHmac } from 'node:crypto'

/** `hex(HMAC-SHA-256(id key, plaintext))`. */
export function chunkId(plaintext: Uint8Array, { idKey }: { readonly idKey: Uint8Array }): string {
  return createHmac('sha256', idKey).update(plaintext).digest('hex')
}
