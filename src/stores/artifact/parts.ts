import { createHash } from 'node:crypto'
import { z } from 'zod'
import { LifeboatError } from '../../error.ts'

export const PARTS_FORMAT = 'lifeboat-parts/1'
/** The file in every artifact that says what the artifact holds, and where the rest of what its snapshot needs is. */
export const PARTS = 'parts.json'

export const objectKey = z
  .string()
  .max(500)
  .regex(/^[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/)
  .refine((key) => key.split('/').every((part) => part !== '.' && part !== '..'))

const size = z.int().min(0)

const partsSchema = z.strictObject({
  format: z.literal(PARTS_FORMAT),
  /** Name of the artifact and id of the workflow run it was made for: nowhere else does it count. */
  name: z.string().max(200),
  run: z.int().min(1),
  /** Of the backup. */
  set: z.string().max(100),
  /** Key, bytes and SHA-256 of every object in this artifact. */
  objects: z.array(z.tuple([objectKey, size, z.string().regex(/^[0-9a-f]{64}$/)])),
  /** By artifact, the objects that this one's snapshot needs besides. */
  needs: z.array(
    z.strictObject({
      artifact: z.int().min(1),
      name: z.string().max(200),
      run: z.int().min(0).nullable(),
      expires: z.iso.datetime().nullable(),
      objects: z.array(z.tuple([objectKey, size])),
    }),
  ),
})

export type Parts = z.infer<typeof partsSchema>

/** Bytes of parts.json with its signature: some 100,000 objects, put by this backup and by others. */
export const LARGEST_PARTS = 32 * 1024 * 1024

/** Parses the body of parts.json. Throws with what is wrong with it; a newer format is an error of its own, with a hint. */
export function parseParts(body: Buffer): Parts {
  const json: unknown = JSON.parse(body.toString('utf8'))
  const format = typeof json === 'object' && json !== null && 'format' in json ? json.format : undefined
  if (typeof format === 'string' && /^lifeboat-parts\/\d{1,9}$/.test(format) && format !== PARTS_FORMAT) {
    throw new NewerParts(`an artifact has the format ${format}; this version of Lifeboat reads ${PARTS_FORMAT}`, {
      hint: 'Use the version of Lifeboat that wrote it, or a newer one. Nothing was changed.',
    })
  }
  const parsed = partsSchema.safeParse(json)
  if (!parsed.success) throw new Error(z.prettifyError(parsed.error).slice(0, 500))
  return parsed.data
}

/** Artifacts that a newer version wrote: nothing may be concluded from them, least of all that something is not needed. */
export class NewerParts extends LifeboatError {}

/** The body of parts.json, to be signed. */
export function encodeParts(parts: Omit<Parts, 'format'>): string {
  return JSON.stringify({ format: PARTS_FORMAT, ...parts })
}

/** As parts.json has it, of an object. */
export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
