import { z } from 'zod'
import { messageOf } from '../error.ts'
import { inParallel } from '../process/parallel.ts'
import { DamagedObject, NotFound, type Store } from '../stores/store.ts'
import { parsedJson } from './json.ts'
import type { Keys } from './keys.ts'
import { LIMITS } from './limits.ts'
import { sign, signerOf, splitSigned } from './signed.ts'
import { FORMAT } from './format.ts'
import { MOST_TAGS, setName, type SnapshotHeader, snapshotId, tag } from './snapshot.ts'

/** Pin and tags that a snapshot got after it was made; its own object never changes. */
export interface Labels {
  /** No retention policy deletes it. */
  pinned: boolean
  /** The tags it has now, in place of those in its header; null leaves these. */
  tags: readonly string[] | null
}

export interface ReadLabels extends Labels {
  /**
   * Why the object is invalid. It then counts as a pin: otherwise whoever can write to the store could have a pinned snapshot pruned by
   * damaging its pin.
   */
  problem?: string
}

const UNLABELLED: Labels = { pinned: false, tags: null }

/** Small objects that are fetched at the same time. */
const AT_ONCE = 16

const schema = z.strictObject({
  format: z.literal(FORMAT),
  /** The snapshot these belong to. */
  labels: snapshotId,
  set: setName,
  pinned: z.boolean(),
  tags: z.array(tag).max(MOST_TAGS).nullable(),
})

export function labelsKey(set: string, id: string): string {
  return `labels/${set}/${id}.json`
}

/** The snapshots of a set, or of all sets, that have labels, by their keys. Nothing is read or authenticated. */
export async function labelled(store: Store, set?: string): Promise<{ set: string; id: string }[]> {
  const found: { set: string; id: string }[] = []
  for await (const { key } of store.list(set === undefined ? 'labels/' : `labels/${set}/`)) {
    const [, ofSet, id] = /^labels\/([^/]+)\/(\d{8}T\d{6}Z-[0-9a-f]{8})\.json$/.exec(key) ?? []
    if (ofSet !== undefined && id !== undefined) found.push({ set: ofSet, id })
  }
  return found
}

/** The labels of every snapshot of a set, or of all sets, that has some, by snapshot id. Without keys they are not authenticated. */
export async function readLabels(store: Store, keys: Keys | undefined, set?: string): Promise<Map<string, ReadLabels>> {
  const found = await labelled(store, set)
  const read = await inParallel(found, AT_ONCE, ({ set, id }) => readOne(store, keys, labelsKey(set, id)))
  return new Map(read.filter((entry) => entry !== undefined))
}

/** The labels of one snapshot; without any, it is not pinned and has the tags of its header. */
export async function labelsOf(store: Store, keys: Keys | undefined, set: string, id: string): Promise<ReadLabels> {
  return (await readOne(store, keys, labelsKey(set, id)))?.[1] ?? UNLABELLED
}

export function tagsOf(header: Pick<SnapshotHeader, 'tags'>, labels: Labels | undefined): string[] {
  return [...(labels?.tags ?? header.tags)]
}

/** Puts the labels of a snapshot, signed with `keys`, in place of those it has. */
export async function putLabels(store: Store, keys: Keys, set: string, id: string, labels: Labels): Promise<void> {
  await store.put(
    labelsKey(set, id),
    sign(JSON.stringify(schema.parse({ format: FORMAT, labels: id, set, pinned: labels.pinned, tags: labels.tags })), keys, 'labels'),
  )
}

async function readOne(store: Store, keys: Keys | undefined, key: string): Promise<[id: string, ReadLabels] | undefined> {
  const id = key.slice(key.lastIndexOf('/') + 1, -'.json'.length)
  const unbelieved = (error: unknown): [string, ReadLabels] => [
    id, { pinned: true, tags: null, problem: `${key} cannot be believed, so the snapshot counts as pinned: ${messageOf(error)}` },
  ]
  let bytes: Buffer
  try {
    bytes = await store.get(key, LIMITS.labels)
  } catch (error) {
    // Its snapshot was deleted meanwhile.
    if (error instanceof NotFound) return undefined
    if (error instanceof DamagedObject) return unbelieved(error)
    throw error
  }
  try {
    return [id, parseLabels(key, bytes, keys)]
  } catch (error) {
    return unbelieved(error)
  }
}

/** Throws with the reason if the object is invalid. */
function parseLabels(key: string, bytes: Buffer, keys: Keys | undefined): Labels {
  const signed = splitSigned(bytes)
  if (!signed) throw new Error('it does not begin with the line of a signed object')
  if (keys && !signerOf(signed, keys, 'labels')) throw new Error('its signature (MAC) does not verify with this key')
  const parsed = schema.safeParse(parsedJson(signed.body))
  if (!parsed.success) throw new Error('it is not of the form of labels; a newer version may have written it')
  const { labels: id, set, pinned, tags } = parsed.data
  if (labelsKey(set, id) !== key) throw new Error(`it belongs to snapshot ${id} of set ${set}`)
  return { pinned, tags }
}
