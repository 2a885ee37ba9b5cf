const MAGIC = 0xfd2fb528
const LARGEST_WINDOW = 2 ** 27
const RLE = 1
const RESERVED = 3

/**
 * The content size of one Zstandard frame (RFC 8878, section 3.1.1), from its header alone, so that nothing need be decompressed to know
 * it. Throws unless the bytes are exactly one frame with a content size: a skippable frame, a second frame, bytes after it, a dictionary id
 * or a window that `zstd -d` refuses.
 */
export function contentSizeOf(bytes: Uint8Array): number {
  const frame = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (frame.length < 6 || frame.readUInt32LE(0) !== MAGIC) throw new Error('it is not a zstd frame')
  const descriptor = frame[4]!
  const [sizeFlag, singleSegment, reserved, checksum, dictionaryId] = [
    descriptor >> 6, (descriptor & 0x20) !== 0, (descriptor & 0x08) !== 0, (descriptor & 0x04) !== 0, descriptor & 0x03,
  ]
  if (reserved || dictionaryId !== 0) throw new Error('it is a zstd frame with a reserved bit or a dictionary id')
  if (sizeFlag === 0 && !singleSegment) throw new Error('it is a zstd frame without a content size')
  const sizeAt = singleSegment ? 5 : 6
  const sizeBytes = [1, 2, 4, 8][sizeFlag]!
  const firstBlock = sizeAt + sizeBytes
  if (frame.length < firstBlock) throw new Error('it is a zstd frame that is cut short')
  if (!singleSegment && windowOf(frame[5]!) > LARGEST_WINDOW) throw new Error('it is a zstd frame with too large a window')
  if (endOfBlocks(frame, firstBlock) + (checksum ? 4 : 0) !== frame.length) throw new Error('it is not exactly one zstd frame')
  const size = sizeBytes === 8 ? Number(frame.readBigUInt64LE(sizeAt)) : frame.readUIntLE(sizeAt, sizeBytes) + (sizeBytes === 2 ? 256 : 0)
  if (singleSegment && size > LARGEST_WINDOW) throw new Error('it is a zstd frame with too large a window')
  return size
}

function windowOf(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3))
  return base + (base / 8) * (descriptor & 0x07)
}

/** Where the last block of a frame ends. */
function endOfBlocks(frame: Buffer, first: number): number {
  for (let position = first; position + 3 <= frame.length; ) {
    const header = frame.readUIntLE(position, 3)
    const [last, type, size] = [(header & 1) === 1, (header >> 1) & 3, header >> 3]
    if (type === RESERVED) break
    position += 3 + (type === RLE ? 1 : size)
    if (last) return position
  }
  throw new Error('it is a zstd frame that is cut short')
}
