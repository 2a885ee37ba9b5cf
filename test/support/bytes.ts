import { createCipheriv, createHash } from 'node:crypto'

/** Bytes that an object may have where a test does not care. */
export const ANY_SIZE = 64 * 1024 ** 2

/** Bytes that no compressor makes smaller, the same for the same seed. */
export function noise(seed: string, size: number): Buffer {
  return createCipheriv('aes-128-ctr', createHash('sha256').update(seed).digest().subarray(0, 16), Buffer.alloc(16)).update(Buffer.alloc(size))
}

/** Rows as a dump has them: text that compresses about fourfold, the same for the same seed. */
export function rows(seed: string, size: number): Buffer {
  const random = noise(seed, Math.ceil(size / 32) * 8)
  const lines = Array.from({ length: Math.ceil(size / 32) }, (_, index) => `${String(index).padStart(9, '0')}\tcustomer\t${random.toString('hex', index * 8, index * 8 + 6)}\n`)
  return Buffer.from(lines.join('')).subarray(0, size)
}

/** A copy with `text` written over it every so many bytes. */
export function changed(bytes: Buffer, every: number, text: string): Buffer {
  const copy = Buffer.from(bytes)
  for (let position = Math.floor(every / 2); position < copy.length; position += every) copy.write(text, position)
  return copy
}

/** One after the other, in pieces of the given sizes, over and over. */
export async function* inPieces(bytes: Buffer, sizes: readonly number[] = [65536]): AsyncGenerator<Buffer, void, void> {
  for (let [offset, turn] = [0, 0]; offset < bytes.length; turn++) {
    const size = sizes[turn % sizes.length]!
    yield Buffer.from(bytes.subarray(offset, offset + size))
    offset += size
  }
}

/** Everything an iterable gives. */
export async function all<T>(iterable: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const one of iterable) found.push(one)
  return found
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
