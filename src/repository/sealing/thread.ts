// What a thread that seals and opens chunks does: see threads.ts.
import { parentPort } from 'node:worker_threads'
import { messageOf } from '../../error.ts'
import { giveBack } from '../../memory.ts'
import { decryptPayload, encryptPayload } from './payload.ts'
import { compress, decompress } from './zstd.ts'

/** A chunk to be compressed and encrypted: as a difference if that has at most `most` bytes before it is encrypted, or else alone. */
export interface Sealing {
  plaintext: Uint8Array
  level: number
  difference?: { base: Uint8Array; search: boolean; most: number }
  header: Uint8Array
  fileKey: Uint8Array
}

/** A sealed chunk to be decrypted and decompressed; `base` is the plaintext of the one it is a difference from. */
export interface Opening {
  payload: Uint8Array
  fileKey: Uint8Array
  size: number
  base?: Uint8Array
}

export interface Assignment {
  number: number
  sealing?: Sealing
  opening?: Opening
}

/** The sealed chunk or the plaintext, or why there is none. */
export interface Outcome {
  number: number
  bytes?: Uint8Array
  difference?: boolean
  failure?: string
}

parentPort!.on('message', ({ number, sealing, opening }: Assignment) => {
  try {
    answer({ number, ...(sealing ? seal(sealing) : { bytes: open(opening!) }) })
  } catch (error) {
    answer({ number, failure: messageOf(error) })
  }
})

/** The bytes are handed over, unless they share a buffer of Node's with others. */
function answer(outcome: Outcome): void {
  const buffer = outcome.bytes?.buffer
  parentPort!.postMessage(outcome, buffer instanceof ArrayBuffer && buffer.byteLength === outcome.bytes?.length ? [buffer] : [])
}

function seal({ plaintext, level, difference, header, fileKey }: Sealing): { bytes: Buffer; difference: boolean } {
  const small = difference && differenceOf(plaintext, level, difference)
  const compressed = small ?? compress(plaintext, level)
  const bytes = encryptPayload(compressed, header, fileKey)
  giveBack(compressed.buffer)
  return { bytes, difference: small !== undefined }
}

function differenceOf(plaintext: Uint8Array, level: number, { base, search, most }: NonNullable<Sealing['difference']>): Buffer | undefined {
  const compressed = compress(plaintext, level, base, search)
  giveBack(base.buffer)
  if (compressed.length <= most) return compressed
  giveBack(compressed.buffer)
  return undefined
}

function open({ payload, fileKey, size, base }: Opening): Buffer {
  const compressed = decryptPayload(payload, fileKey)
  giveBack(payload.buffer)
  const plaintext = decompress(compressed, size, base)
  giveBack(compressed.buffer)
  if (base) giveBack(base.buffer)
  return plaintext
}
