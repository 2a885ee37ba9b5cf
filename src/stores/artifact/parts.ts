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

const object = z.tuple([objectKey, z.int().min(0)])

const partsSchema = z.strictObject({
  format: z.literal(PARTS_FORMAT),
  /** Key and bytes of every object in this artifact. */
  objects: z.array(object),
  /** By artifact, the objects that this one's snapshot needs besides. */
  needs: z.array(
    z.strictObject({
      artifact: z.int().min(1),
      name: z.string().max(200),
      run: z.int().min(0).nullable(),
      expires: z.iso.datetime().nullable(),
      objects: z.array(object),
    }),
  ),
})

export type Parts = z.infer<typeof partsSchema>

/** Parses parts.json. Throws with what is wrong with it; a newer format is an error of its own, with a hint. */
export function parseParts(bytes: Buffer): Parts {
  const json: unknown = JSON.parse(bytes.toString('utf8'))
  const format = typeof json === 'object' && json !== null && 'format' in json ? json.format : undefined
  if (typeof format === 'string' && /^lifeboat-parts\/\d+$/.test(format) && format !== PARTS_FORMAT) {
    throw new NewerParts(`an artifact has the format ${format}; this version of Lifeboat reads ${PARTS_FORMAT}`, {
      hint: 'Use the version of Lifeboat that wrote it, or a newer one. Nothing was changed.',
    })
  }
  const parsed = partsSchema.safeParse(json)
  if (!parsed.success) throw new Error(z.prettifyError(parsed.error))
  return parsed.data
}

/** Artifacts that a newer version wrote: nothing may be concluded from them, least of all that something is not needed. */
export class NewerParts extends LifeboatError {}

export function encodeParts(parts: Omit<Parts, 'format'>): Buffer {
  return Buffer.from(JSON.stringify({ format: PARTS_FORMAT, ...parts }))
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
  return [...objects].filter((key) => key.startsWith('proofs/')).map((key) => `snapshots/${key.split('/').slice(1, 3).join('/')}.json.zst`)
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
