import { createHash, createHmac, hash } from 'node:crypto'

/** `hex(SHA-256(chunk))`. The id of a chunk and the sum of its stream are made of it, so that all bytes are hashed once. */
export function chunkSum(plaintext: Uint8Array): string {
  return hash('sha256', plaintext, 'hex')
}

/** `hex(HMAC-SHA-256(id key, SHA-256(chunk)))`. */
export function chunkId(sum: string, { idKey }: { readonly idKey: Uint8Array }): string {
  return createHmac('sha256', idKey).update(sum, 'hex').digest('hex')
}

/** `hex(SHA-256(the sums of all chunks))`, in their order, each as 64 digits and a line feed. */
export class StreamSum {
  readonly #hash = createHash('sha256')

  add(sum: string): void {
    this.#hash.update(`${sum}\n`)
  }

  hex(): string {
    return this.#hash.digest('hex')
  }
}
