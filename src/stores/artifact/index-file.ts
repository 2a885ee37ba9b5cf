import { promisify } from 'node:util'
import { constants, zstdCompress, zstdDecompress } from 'node:zlib'
import { z } from 'zod'
import { objectKey } from './parts.ts'

/** The file in an artifact that says what is in the earlier ones, so that they need not be looked into. parts.json has its SHA-256. */
export const INDEX = 'index.json.zst'
const INDEX_FORMAT = 'lifeboat-index/1'
/** Bytes of it, and when it is decompressed: some hundred for each artifact. An index that would be larger is not written. */
export const LARGEST_INDEX = 16 * 1024 * 1024
const LARGEST_TEXT = 64 * 1024 * 1024
const LEVEL = 9

const id = z.int().min(1)
const mark = z.string().regex(/^[0-9a-f]{8}$/)
const count = z.int().min(0)
const object = z.tuple([objectKey, z.int().min(0)])

const indexedSchema = z.strictObject({
  id,
  name: z.string().max(200),
  run: z.int().min(0).nullable(),
  size: z.int().min(0),
  set: z.string().max(100),
  /** Key and bytes of every object in it but chunks. */
  objects: z.array(object),
  /** The marks with which the names of its chunks end. */
  marks: z.array(mark),
  chunks: count,
  /** The other artifacts that its snapshots need: the id, the marks and the number of the chunks, and key and bytes of other objects. */
  needs: z.array(z.strictObject({ artifact: id, marks: z.array(mark), chunks: count, objects: z.array(object) })),
  /** By the key of a snapshot, the text that describes it. */
  cards: z.record(objectKey, z.string().max(64 * 1024)),
})

const indexSchema = z.strictObject({
  format: z.literal(INDEX_FORMAT),
  /** The artifact whose index has the others; null if all are here. */
  base: id.nullable(),
  artifacts: z.array(indexedSchema),
})

/** An artifact, as the index of a later one describes it. */
export type Indexed = z.infer<typeof indexedSchema>
export type Index = Omit<z.infer<typeof indexSchema>, 'format'>

/** Undefined if it would be larger than readers accept. */
export async function encodeIndex(index: Index): Promise<Buffer | undefined> {
  const text = Buffer.from(JSON.stringify({ format: INDEX_FORMAT, ...index }))
  if (text.length > LARGEST_TEXT) return undefined
  const bytes = await promisify(zstdCompress)(text, { params: { [constants.ZSTD_c_compressionLevel]: LEVEL } })
  return bytes.length <= LARGEST_INDEX ? bytes : undefined
}

/** Parses the file, whose SHA-256 has been compared with that in a signed parts.json. Throws with the reason if it is invalid, or newer. */
export async function parseIndex(bytes: Buffer): Promise<Index> {
  const text = await promisify(zstdDecompress)(bytes, { maxOutputLength: LARGEST_TEXT })
  const parsed = indexSchema.safeParse(JSON.parse(text.toString('utf8')))
  if (!parsed.success) throw new Error(z.prettifyError(parsed.error).slice(0, 500))
  return parsed.data
}

/** The mark that the name of a chunk ends with: that of the backup that put it. Undefined for every other object. */
export function markOfKey(key: string): string | undefined {
  return /^chunks\/[^/]+\/[^/]+-([0-9a-f]{8})$/.exec(key)?.[1]
}
