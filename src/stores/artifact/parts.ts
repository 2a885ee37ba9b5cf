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

/** One artifact of a store, as far as deciding needs to know it. */
export interface Holding {
  id: number
  name: string
  created: Date
  objects: ReadonlySet<string>
  needs: Parts['needs']
}

export function snapshotsOf(holding: Pick<Holding, 'objects'>): string[] {
  return [...holding.objects].filter((key) => key.startsWith('snapshots/'))
}

/** The snapshots that the proofs in an artifact are of, by key: a proof is written after its backup's artifact, so it has one of its own. */
function provedBy({ objects }: Pick<Holding, 'objects'>): string[] {
  return [...objects].filter((key) => key.startsWith('proofs/')).map((key) => key.replace(/^proofs\/([^/]+)\/([^./]+).*$/, 'snapshots/$1/$2.json.zst'))
}

/** The needs of an artifact that no artifact holds any more. `present` has every object there is. */
export function missingNeeds(holding: Pick<Holding, 'needs'>, present: ReadonlySet<string>): { need: Parts['needs'][number]; keys: string[] }[] {
  return holding.needs
    .map((need) => ({ need, keys: need.objects.map(([key]) => key).filter((key) => !present.has(key)) }))
    .filter(({ keys }) => keys.length > 0)
}

/** Which snapshots have lost a part, and the newest one that has not, by key; newest first. */
export function wholeness(holdings: readonly Holding[]): { lost: string[]; newestWhole: string | undefined } {
  const present = new Set(holdings.flatMap(({ objects }) => [...objects]))
  const lost = new Set(holdings.filter((holding) => missingNeeds(holding, present).length > 0).flatMap(snapshotsOf))
  const all = [...new Set(holdings.flatMap(snapshotsOf))].toSorted(newestFirst)
  return { lost: all.filter((key) => lost.has(key)), newestWhole: all.find((key) => !lost.has(key)) }
}

function newestFirst(a: string, b: string): number {
  const [idA, idB] = [a, b].map((key) => key.slice(key.lastIndexOf('/') + 1))
  return idA! < idB! ? 1 : -1
}

/** How many of the newest snapshots of a set a backup leans on (repository/known.ts). */
const LEANED_ON = 3

/**
 * The artifacts that may be deleted: those that hold no snapshot to keep, no proof of one, and no object that one needs. A backup that is running may lean on
 * the snapshots that were the newest when it started, no longer than `grace` milliseconds ago; what these need stays as well (DESIGN section 6).
 * `kept` has the keys of the snapshots that the policy keeps.
 */
export function unneeded(holdings: readonly Holding[], kept: ReadonlySet<string>, now: Date, grace = 24 * 3600 * 1000): Holding[] {
  const protectedKeys = new Set(kept)
  const bySet = Map.groupBy(holdings.flatMap((holding) => snapshotsOf(holding).map((key) => ({ key, created: holding.created }))), ({ key }) => key.split('/')[1])
  for (const snapshots of bySet.values()) {
    const young = snapshots.filter(({ created }) => now.getTime() - created.getTime() < grace)
    const old = snapshots.filter((snapshot) => !young.includes(snapshot)).toSorted((a, b) => newestFirst(a.key, b.key))
    for (const { key } of [...young, ...old.slice(0, LEANED_ON)]) protectedKeys.add(key)
  }
  const needed = new Set<number>()
  for (const holding of holdings) {
    if (![...snapshotsOf(holding), ...provedBy(holding)].some((key) => protectedKeys.has(key))) continue
    needed.add(holding.id)
    for (const need of holding.needs) needed.add(need.artifact)
  }
  return holdings.filter(({ id, objects, created }) => !needed.has(id) && snapshotsOf({ objects }).length + provedBy({ objects }).length > 0 && now.getTime() - created.getTime() >= grace)
}
