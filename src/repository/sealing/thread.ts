// The work of a thread that seals and opens chunks: see threads.ts.
import { parentPort } from 'node:worker_threads'
import { messageOf } from '../../error.ts'
import { giveBack } from '../../process/buffers.ts'
import { chunkId } from '../chunk-id.ts'
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

/** A sealed chunk to be decrypted and decompressed, and its id computed; `base` is the plaintext of the one it is a difference from. */
export interface Opening {
  payload: Uint8Array
  fileKey: Uint8Array
  idKey: Uint8Array
  size: number
  base?: Uint8Array
}

export interface Assignment {
  number: number
  sealing?: Sealing
  opening?: Opening
}

/** The result: a sealed chunk, and whether it is a difference; or a plaintext, and its id. */
export interface Done {
  bytes: Uint8Array
  difference?: boolean
  id?: string
}

export interface SealingOutcome {
  number: number
  done?: Done
  /** Why it failed. */
  failure?: string
}

parentPort!.on('message', ({ number, sealing, opening }: Assignment) => {
  try {
    answer({ number, done: sealing ? seal(sealing) : open(opening!) })
  } catch (error) {
    answer({ number, failure: messageOf(error) })
  }
})

/** The bytes, which have a buffer of their own, are handed over. */
function answer(outcome: SealingOutcome): void {
  const buffer = outcome.done?.bytes.buffer
  parentPort!.postMessage(outcome, buffer instanceof ArrayBuffer ? [buffer] : [])
}

function seal({ plaintext, level, difference, header, fileKey }: Sealing): Done {
  const small = difference && differenceOf(plaintext, level, difference)
  const compressed = small ?? compress(plaintext, level)
  const bytes = encryptPayload(compressed, header, fileKey)
  giveBack(compressed.buffer)
  return { bytes, difference: small !== undefined }
}

function differenceOf(
  plaintext: Uint8Array, level: number, { base, search, most }: NonNullable<Sealing['difference']>,
): Buffer | undefined {
  const compressed = compress(plaintext, level, base, search)
  giveBack(base.buffer)
  if (compressed.length <= most) return compressed
  giveBack(compressed.buffer)
  return undefined
}

function open({ payload, fileKey, idKey, size, base }: Opening): Done {
  const compressed = decryptPayload(payload, fileKey)
  giveBack(payload.buffer)
  const plaintext = decompress(compressed, size, base)
  giveBack(compressed.buffer)
  if (base) giveBack(base.buffer)
  return { bytes: plaintext, id: chunkId(plaintext, { idKey }) }
}
