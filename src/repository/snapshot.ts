import { z } from 'zod'

/** One chunk a snapshot needs: id, plaintext bytes, stored bytes, index of its base in the same list or null. */
export type ChunkEntry = [id: string, rawSize: number, storedSize: number, base: number | null]

export const snapshotId = z.string().regex(/^\d{8}T\d{6}Z-[0-9a-f]{8}$/)
export const setName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/)
export const tag = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._:=@+-]{0,99}$/)
export const fingerprint = z.string().regex(/^[0-9a-f]{16}$/)

const size = z.int().min(0)
const chunkEntry = z.tuple([z.string().regex(/^[0-9a-f]{64}$/), z.int().min(1).max(8 * 1024 * 1024), z.int().min(1), z.union([z.int().min(0), z.null()])])

/** Line 1 of a snapshot object (docs/format.md): readable without a key, to be believed only after its MAC. */
export const snapshotHeader = z.strictObject({
  format: z.literal('lifeboat/1'),
  id: snapshotId,
  set: setName,
  time: z.iso.datetime(),
  key: fingerprint,
  tags: z.array(tag),
  size,
  added: size,
  chunks: z.array(chunkEntry),
  manifest: z.base64(),
})

export const manifest = z.strictObject({
  sources: z.array(
    z.strictObject({
      name: z.string().min(1),
      kind: z.enum(['postgres']),
      streams: z.array(
        z.strictObject({
          name: z.string().min(1),
          format: z.enum(['pg_dump-custom', 'sql']),
          size,
          sha256: z.string().regex(/^[0-9a-f]{64}$/),
          /** Indices into the header's `chunks`, in the order of the stream. */
          chunks: z.array(z.int().min(0)),
        }),
      ),
      /** What is known of the source; its shape belongs to the source's kind. */
      facts: z.json(),
    }),
  ),
  /** Per chunk of the header, its anchors: base64 of little-endian 32-bit words in ascending order. */
  anchors: z.array(z.base64()),
  description: z.string(),
  run: z.strictObject({ repository: z.string(), workflow: z.string(), id: z.string(), attempt: z.string(), url: z.string() }).nullable(),
  /** The version of the program that made the snapshot. */
  lifeboat: z.string(),
})

export type SnapshotHeader = z.infer<typeof snapshotHeader>
export type Manifest = z.infer<typeof manifest>
export type SourceRecord = Manifest['sources'][number]
export type StreamRecord = SourceRecord['streams'][number]
