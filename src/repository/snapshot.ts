import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { LifeboatError, messageOf } from '../error.ts'
import { marked } from '../marks.ts'
import { FORMAT } from './format.ts'
import { giveBackLarge } from '../process/buffers.ts'
import { isMachineFailure } from '../process/machine-failure.ts'
import { isHeaderText } from './header-text.ts'
import { parsedJson } from './json.ts'
import type { Keys } from './keys.ts'
import { LIMITS } from './limits.ts'
import { decrypt, encrypt } from './sealing/age.ts'
import { compress, decompressUpTo } from './sealing/zstd.ts'
import { isOfAnotherKey, sign, signerOf, splitSigned } from './signed.ts'

/**
 * One chunk a snapshot needs: id, plaintext bytes, stored bytes, index of its base in the same list or null, and the mark of
 * the backup that put it (the last 8 digits of its snapshot id). The mark is part of the object's name, so two backups that
 * store the same chunk in two ways (whole, or as differences from two bases) never overwrite each other's object, and a
 * chunk that is stored again after a prune gave it up is another object than the one about to be deleted.
 */
export type ChunkEntry = [id: string, rawSize: number, storedSize: number, base: number | null, mark: string]

/** The key of a chunk's object: `chunks/<first two digits of id>/<id>-<mark>`. */
export function chunkKey(id: string, mark: string): string {
  return `chunks/${id.slice(0, 2)}/${id}-${mark}`
}

export const snapshotId = z.string().regex(/^\d{8}T\d{6}Z-[0-9a-f]{8}$/)
export const setName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/)
export const tag = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._:=@+-]{0,99}$/)
/** A snapshot has no more tags than these. */
export const MOST_TAGS = 100
export const fingerprint = z.string().regex(/^[0-9a-f]{16}$/)

const size = z.int().min(0)

/** Their outline is that of the header's text; a schema for each of thousands would take most of the time. One problem for all. */
const chunkEntries = z
  .custom<ChunkEntry[]>((list) => Array.isArray(list) && list.every(isInBounds), 'it is not a list of chunks')
  .refine(hasItsBases, 'a base is missing or itself a difference')

function isInBounds([, size, stored, base]: ChunkEntry): boolean {
  return isWhole(size, 1, 8 * 1024 * 1024) && isWhole(stored, 1) && (base === null || isWhole(base, 0))
}

function hasItsBases(chunks: readonly ChunkEntry[]): boolean {
  return chunks.every(([, , , base]) => base === null || chunks[base]?.[3] === null)
}

function isText(value: unknown, form: RegExp): boolean {
  return typeof value === 'string' && form.test(value)
}

function isWhole(value: unknown, least: number, most = Number.MAX_SAFE_INTEGER): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most
}

/** The extra recipients that objects with a mark are sealed to: `[mark, tag, …]`, with tags made by `recipientTags` (keys.ts). */
export type SealedTo = [mark: string, ...tags: string[]]
const sealedTo = z.custom<SealedTo>(
  (entry) =>
    Array.isArray(entry) &&
    entry.length > 1 &&
    isText(entry[0], /^[0-9a-f]{8}$/) &&
    entry.slice(1).every((one) => isText(one, /^[0-9a-f]{16}$/)),
)

/** The header of a snapshot (docs/format.md), in the order of its members: readable without a key, to be believed only after its MAC. */
export const snapshotHeader = z.strictObject({
  format: z.literal(FORMAT),
  id: snapshotId,
  set: setName,
  time: z.iso.datetime({ precision: 3 }),
  key: fingerprint,
  tags: z.array(tag).max(MOST_TAGS),
  size,
  added: size,
  /** Present if a source could not give all it has, or was told not to; the manifest has the reasons. */
  partial: z.literal(true).optional(),
  /** Of a safety backup: no policy deletes it before that time, and none keeps it afterwards. */
  until: z.iso.datetime({ precision: 3 }).optional(),
  /** For each mark in `chunks` whose objects are sealed to more than the key's own recipient. */
  recipients: z.array(sealedTo),
  chunks: chunkEntries,
  manifest: z.string(),
})

/** Kinds of sources and formats of streams (docs/format.md): `postgres`, `tar-list`. Which there are is known in src/sources. */
const name = z.string().regex(/^[a-z][a-z0-9_.-]{0,39}$/)

export const manifest = z.strictObject({
  sources: z.array(
    z.strictObject({
      name: z.string().min(1),
      kind: name,
      streams: z.array(
        z.strictObject({
          name: z.string().min(1),
          format: name,
          size,
          sum: z.string().regex(/^[0-9a-f]{64}$/),
          /** Indices into the header's `chunks`, in the order of the stream. */
          chunks: z.array(z.int().min(0)),
        }),
      ),
      /** Facts about the source; the source's kind defines their shape. */
      // It comes from authenticated JSON, or becomes JSON. Checking every value takes several times the memory of the values.
      facts: z.custom<z.infer<ReturnType<typeof z.json>>>((value) => value !== undefined),
    }),
  ),
  /** Per chunk of the header, its anchors: base64 of little-endian 32-bit words in ascending order. */
  anchors: z.array(z.base64()),
  /**
   * Per chunk of the header, the bytes of differences stored since its content was last stored whole (similarity.ts); 0 for a whole one.
   */
  spent: z.array(size),
  description: z.string(),
  run: z.strictObject({ repository: z.string(), workflow: z.string(), id: z.string(), attempt: z.string(), url: z.string() }).nullable(),
  /** The version of the program that made the snapshot. */
  lifeboat: z.string(),
  /** Of a backup that read its sources again: the marks of chunks that it put in earlier readings. */
  marks: z.array(z.string().regex(/^[0-9a-f]{8}$/)).optional(),
})

export type SnapshotHeader = z.infer<typeof snapshotHeader>
export type Manifest = z.infer<typeof manifest>
export type SourceRecord = Manifest['sources'][number]
export type StreamRecord = SourceRecord['streams'][number]

/** The header of a snapshot object. Read without a key, it is not authenticated. */
export interface Snapshot {
  key: string
  header: SnapshotHeader
}

export interface AuthenticSnapshot extends Snapshot {
  /** The keys under which its MAC verified. */
  keys: Keys
}

/** A snapshot object that is truncated, edited, moved or contradictory, and cannot be used. */
export class DamagedSnapshot extends LifeboatError {
  constructor(message: string, cause?: unknown) {
    super(message, { cause, hint: marked`It is damaged or was edited. Other snapshots are not affected; ‹lifeboat list› shows them.` })
    this.name = 'DamagedSnapshot'
  }
}

/** Bytes of the header of a snapshot whose MAC verifies, and of a manifest. */
const MAXIMUM_HEADER = 512 * 1024 * 1024
/**
 * The same for a header that is not authenticated, also relative to the size of its frame: honest ids and base64 compress by 2.3 at most.
 */
const MAXIMUM_UNAUTHENTICATED = 64 * 1024 * 1024
const MAXIMUM_RATIO = 8
const METADATA_LEVEL = 9

export function snapshotKey(set: string, id: string): string {
  return `snapshots/${set}/${id}.json.zst`
}

/**
 * `20261120T020000Z-5f3a9c1e`: sorts by time; the random part, which is also the mark of the chunks it puts, tells apart backups of the
 * same second.
 */
export function newSnapshotId(time: Date, random: Uint8Array): string {
  return `${idTime(time)}-${Buffer.from(random).toString('hex')}`
}

/** The mark of the chunks that a backup puts, by the id of its snapshot. */
export function markOf(id: string): string {
  return id.slice(-8)
}

/** The part of an id that says when: `20261120T020000Z`, whole seconds. */
export function idTime(time: Date): string {
  return `${time.toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`
}

/** An id whose first three digits are the milliseconds, so that it sorts by them: of two verdicts in a second, the newer counts. */
export function orderedId(time: Date): string {
  return `${idTime(time)}-${time.getUTCMilliseconds().toString(16).padStart(3, '0')}${randomBytes(3).toString('hex').slice(1)}`
}

/** A time in a message: `2026-11-20 02:00:00 UTC`. */
export function timeText(time: Date): string {
  return `${time.toISOString().slice(0, 19).replace('T', ' ')} UTC`
}

/** The time in an id, as ISO 8601. */
export function timeOfId(id: string): string {
  return id.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z.*$/, '$1-$2-$3T$4:$5:$6.000Z')
}

/** Bytes of everything a snapshot needs, as stored. */
export function storedBytes(chunks: readonly ChunkEntry[]): number {
  return chunks.reduce((sum, [, , storedSize]) => sum + storedSize, 0)
}

/** Raw bytes of a source's streams. */
export function sourceSize({ streams }: { streams: readonly { size: number }[] }): number {
  return streams.reduce((sum, { size }) => sum + size, 0)
}

/** The object to put: the compressed header, signed. Throws if readers would refuse it. */
export async function encodeSnapshot(header: Omit<SnapshotHeader, 'manifest'>, content: Manifest, keys: Keys): Promise<Buffer> {
  const plaintext = Buffer.from(JSON.stringify(manifest.parse(content)))
  const compressed = compress(plaintext, METADATA_LEVEL)
  giveBackLarge(plaintext)
  const sealed = await encrypt(compressed, keys.recipients)
  giveBackLarge(compressed)
  const {
    format, id, set, time, key, tags, size, added, partial, until, recipients, chunks, manifest: text,
  } = snapshotHeader.parse({ ...header, manifest: sealed.toString('base64') })
  const line = JSON.stringify({
    format, id, set, time, key, tags, size, added, ...(partial && { partial }), ...(until !== undefined && { until }), recipients, chunks,
    manifest: text,
  })
  if (!isHeaderText(line)) throw new Error(`the header of snapshot ${id} is not of the form that is read`)
  const object = sign(compress(Buffer.from(line), METADATA_LEVEL), keys, 'snapshot')
  if (object.length <= LIMITS.snapshot && line.length <= MAXIMUM_HEADER) return object
  throw tooManyChunks(chunks.length)
}

/** About how many bytes of a snapshot object a chunk takes: measured 82 with 8 anchors and 115 with 16. `anchors` in base64. */
export function listedBytes(anchors: string): number {
  return 48 + 0.8 * anchors.length
}

/** The error for a snapshot that readers would refuse. */
export function tooManyChunks(chunks: number): LifeboatError {
  const most = `no snapshot object may be larger than ${LIMITS.snapshot / 1024 ** 2} MiB`
  return new LifeboatError(`this backup needs more than ${chunks - 1} chunks, which do not fit into one snapshot: ${most}`, {
    hint: 'Back up the sources in several sets, each with a part of the databases and volumes.',
  })
}

/**
 * Reads a snapshot object. With keys, its MAC must verify before anything of it is decompressed. Throws a LifeboatError that names `key`.
 */
export async function decodeSnapshot(key: string, object: Uint8Array, keys: Keys): Promise<AuthenticSnapshot>
export async function decodeSnapshot(key: string, object: Uint8Array, keys: undefined): Promise<Snapshot>
export async function decodeSnapshot(key: string, object: Uint8Array, keys: Keys | undefined): Promise<Snapshot> {
  const { header, signer } = await openHeader(key, object, keys, { others: false })
  if (snapshotKey(header.set, header.id) !== key)
    throw new DamagedSnapshot(`${key} is not a whole snapshot: it is snapshot ${header.id} of set ${header.set}, moved here`)
  return { key, header, ...(signer && { keys: signer }) }
}

/**
 * The header in a snapshot object, whatever its key. For a snapshot of one of these keys, the MAC is verified first; `signer` is that key.
 * For one of another key (with `others`; otherwise it throws), and without keys, the header is not authenticated, and read within limits
 * that make it harmless.
 */
export async function openHeader(
  key: string, object: Uint8Array, keys: Keys | undefined, { others }: { others: boolean },
): Promise<{ header: SnapshotHeader; signer: Keys | undefined }> {
  const damaged = (what: string, cause?: unknown) => new DamagedSnapshot(`${key} is not a whole snapshot: ${what}`, cause)
  const signed = splitSigned(object)
  if (!signed) throw damaged(`it does not begin with the line of a signed object of ${FORMAT}`)
  const foreign = !keys || isOfAnotherKey(signed, keys)
  if (keys && foreign && !others) throw ofAnotherKey(key, signed.key, keys)
  const signer = foreign ? undefined : signerOf(signed, keys, 'snapshot')
  if (!foreign && !signer) throw damaged('its signature (MAC) does not verify')
  const most = signer ? MAXIMUM_HEADER : Math.min(MAXIMUM_UNAUTHENTICATED, MAXIMUM_RATIO * signed.body.length + 64 * 1024)
  let bytes: Buffer
  try {
    bytes = await decompressUpTo(signed.body, most)
  } catch (cause) {
    if (isMachineFailure(cause)) throw cause
    throw damaged(`it does not decompress: ${messageOf(cause)}`, cause)
  }
  const text = bytes.toString('latin1')
  giveBackLarge(bytes)
  if (!isHeaderText(text)) throw damaged('its header is malformed, or of a newer version')
  const parsed = snapshotHeader.safeParse(JSON.parse(text))
  if (!parsed.success) throw damaged(firstProblem(parsed.error))
  if (parsed.data.key !== signed.key) throw damaged(`its first line names the key ${signed.key}, its header another`)
  return { header: parsed.data, signer }
}

/** A snapshot that claims to be of another key, so that its MAC cannot be checked. */
export class OtherKey extends LifeboatError {
  /** Fingerprint of the key that it claims to be of. */
  readonly fingerprint: string

  constructor(message: string, { fingerprint, hint }: { fingerprint: string; hint: string }) {
    super(message, { hint })
    this.fingerprint = fingerprint
  }
}

function ofAnotherKey(key: string, other: string, keys: Keys): OtherKey {
  return new OtherKey(`${key} was written with the key ${other}; the key given is ${keys.fingerprint}`, {
    fingerprint: other,
    hint:
      marked`Give the key that this snapshot was made with as ‹encryption-key›. ` +
      'The identity of an extra recipient opens it with recover.sh in the store (RECOVERY.md).',
  })
}

/** The place and the reason of the first invalid value, without control characters. */
function firstProblem({ issues: [issue] }: z.ZodError): string {
  return `${issue?.path.join('.')}: ${issue?.message}`.replaceAll(/\p{C}/gu, '?').slice(0, 200)
}

/** The sealed part of a snapshot; needs an identity. Every index in it is checked against the header. */
export async function openManifest(snapshot: AuthenticSnapshot): Promise<Manifest> {
  const { key, header } = snapshot
  const content = await unsealManifest(snapshot, manifest)
  const streams = content.sources.flatMap((source) => source.streams)
  const consistent =
    content.anchors.length === header.chunks.length &&
    content.spent.length === header.chunks.length &&
    streams.every((stream) => stream.size === stream.chunks.reduce((sum, index) => sum + (header.chunks[index]?.[1] ?? Number.NaN), 0)) &&
    header.size === streams.reduce((sum, stream) => sum + stream.size, 0)
  if (!consistent) throw new DamagedSnapshot(`the manifest in ${key} contradicts the list of chunks beside it`)
  return content
}

/** The facts in a source's manifest entry, which restores need. Throws if their shape is not that of the source's kind (docs/format.md). */
export function factsOf<T>(source: SourceRecord, schema: z.ZodType<T>): T {
  const parsed = schema.safeParse(source.facts)
  if (parsed.success) return parsed.data
  throw new LifeboatError(
    `the facts of the source ${source.name} are not those of a ${source.kind} source: ${firstProblem(parsed.error)}`,
    {
      hint: 'Another program, or another version, wrote it. Its streams can still be read with recover.sh in the store (RECOVERY.md).',
    },
  )
}

/** The part of a manifest that a list shows. */
export const description = z.object({
  sources: z.array(
    z.object({
      name: z.string(), kind: manifest.shape.sources.element.shape.kind, streams: z.array(z.object({ size })), facts: z.unknown(),
    }),
  ),
  description: manifest.shape.description,
  run: manifest.shape.run,
})

export type Description = z.infer<typeof description>

/** Reads that part. Checking the rest, which is most of it, would take most of the time. */
export function openDescription(snapshot: AuthenticSnapshot): Promise<Description> {
  return unsealManifest(snapshot, description)
}

const streamChunks = z.object({
  sources: z.array(z.object({ streams: z.array(z.object({ chunks: z.custom<number[]>((list) => Array.isArray(list)) })) })),
})

/** The indexes of the chunks that streams consist of. All others in the header are there as bases alone. */
export async function chunksOfStreams(snapshot: AuthenticSnapshot): Promise<Set<number>> {
  const { sources } = await unsealManifest(snapshot, streamChunks)
  const used = new Set<number>()
  for (const { streams } of sources) for (const { chunks } of streams) for (const index of chunks) used.add(index)
  return used
}

async function unsealManifest<T>({ key, header, keys }: AuthenticSnapshot, schema: z.ZodType<T>): Promise<T> {
  if (!keys.identity) {
    throw new LifeboatError(`a write key cannot read ${key}: that needs the age identity or the passphrase`, {
      hint: 'Give the age identity or the passphrase; a write key only backs up and prunes.',
    })
  }
  try {
    const compressed = await decrypt(Buffer.from(header.manifest, 'base64'), keys.identity)
    const plaintext = await decompressUpTo(compressed, MAXIMUM_HEADER)
    const value = parsedJson(plaintext)
    giveBackLarge(plaintext)
    return schema.parse(value)
  } catch (cause) {
    if (isMachineFailure(cause)) throw cause
    throw new DamagedSnapshot(`the manifest in ${key} cannot be read: ${messageOf(cause)}`, cause)
  }
}
