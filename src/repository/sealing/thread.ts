// The work of a thread that seals and opens chunks: see threads.ts.
import { parentPort } from 'node:worker_threads'
import { messageOf } from '../../error.ts'
import { giveBack } from '../../process/buffers.ts'
import { isMachineFailure } from '../../process/machine-failure.ts'
import { chunkId, chunkSum } from '../sums.ts'
import { decryptPayload, encryptPayload } from './payload.ts'
import { type Compressed, type Compression, StreamLevel } from './stream-level.ts'
import { decompress, difference as differenceFrom, type Matches } from './zstd.ts'

/** A chunk to be compressed and encrypted: as a difference if that pays. `expected`: the bytes that it probably takes stored whole. */
export interface Sealing {
  plaintext: Uint8Array
  compression: Compression
  /** The number of the stream that it is of: each has a level of its own. */
  stream: number
  difference?: { base: Uint8Array; matches: Matches; expected: number }
  header: Uint8Array
  fileKey: Uint8Array
}

/** A sealed chunk to be decrypted and decompressed, its sum and id computed; `base` is the plaintext of the one it is a difference from. */
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

/** The result: a sealed chunk, and its level unless it is a difference; or a plaintext, its id and its sum. */
export interface Done {
  bytes: Uint8Array
  level?: number
  id?: string
  sum?: string
}

export interface SealingOutcome {
  number: number
  done?: Done
  /** Why it failed, and whether that was the machine's failure, not that of the bytes. */
  failure?: string
  byMachine?: boolean
}

/** A difference is kept if it takes at most this part of the bytes of the chunk stored whole. */
const WORTHWHILE = 0.7

parentPort!.on('message', ({ number, sealing, opening }: Assignment) => {
  try {
    answer({ number, done: sealing ? seal(sealing) : open(opening!) })
  } catch (error) {
    answer({ number, failure: messageOf(error), byMachine: isMachineFailure(error) })
  }
})

/** The bytes, which have a buffer of their own, are handed over. */
function answer(outcome: SealingOutcome): void {
  const buffer = outcome.done?.bytes.buffer
  parentPort!.postMessage(outcome, buffer instanceof ArrayBuffer ? [buffer] : [])
}

function seal({ plaintext, compression, stream, difference, header, fileKey }: Sealing): Done {
  const small = difference && differenceOf(plaintext, compression, difference)
  // Rows that moved make a chunk larger than expected: only its own size tells then whether the difference pays.
  const { bytes: compressed, level } = small && small.length <= WORTHWHILE * difference.expected
    ? { bytes: small, level: undefined }
    : smallerOf(small, levelOf(stream, compression).compress(plaintext))
  const bytes = encryptPayload(compressed, header, fileKey)
  giveBack(compressed.buffer)
  return { bytes, ...(level !== undefined && { level }) }
}

function differenceOf(
  plaintext: Uint8Array, compression: Compression, { base, matches, expected }: NonNullable<Sealing['difference']>,
): Buffer {
  let small = differenceFrom(plaintext, base, matches)
  // The search forgets the beginning of a base of more than 3 MB, and long matches miss rows that moved: the first may be smaller.
  if (matches !== 'first' && compression !== 'fast' && small.length > WORTHWHILE * expected) {
    const other = differenceFrom(plaintext, base, 'first')
    const [smaller, larger] = other.length < small.length ? [other, small] : [small, other]
    giveBack(larger.buffer)
    small = smaller
  }
  giveBack(base.buffer)
  return small
}

function smallerOf(small: Buffer | undefined, whole: Compressed): { bytes: Buffer; level: number | undefined } {
  if (!small) return whole
  const worthwhile = small.length <= WORTHWHILE * whole.bytes.length
  giveBack((worthwhile ? whole.bytes : small).buffer)
  return worthwhile ? { bytes: small, level: undefined } : whole
}

const levels = new Map<number, StreamLevel>()
/** More streams than are ever read at the same time. */
const MOST_STREAMS = 64

function levelOf(stream: number, compression: Compression): StreamLevel {
  const known = levels.get(stream)
  if (known) return known
  const made = new StreamLevel(compression)
  levels.set(stream, made)
  if (levels.size > MOST_STREAMS) levels.delete(levels.keys().next().value!)
  return made
}

function open({ payload, fileKey, idKey, size, base }: Opening): Done {
  const compressed = decryptPayload(payload, fileKey)
  giveBack(payload.buffer)
  const plaintext = decompress(compressed, size, base)
  giveBack(compressed.buffer)
  if (base) giveBack(base.buffer)
  const sum = chunkSum(plaintext)
  return { bytes: plaintext, id: chunkId(sum, { idKey }), sum }
}
