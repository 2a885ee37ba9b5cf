import { z } from 'zod'
import { inParallel } from '../process/parallel.ts'
import type { Store } from '../stores/store.ts'
import type { Keys } from './keys.ts'
import { decrypt, encrypt } from './sealing/age.ts'
import { compress, decompressUpTo } from './sealing/zstd.ts'
import {
  type AuthenticSnapshot, decodeSnapshot, description, type Description, openDescription, snapshotHeader, type SnapshotHeader, snapshotKey,
  sourceSize, storedBytes,
} from './snapshot.ts'

/** Everything that a list or a prune needs of a snapshot, in some hundred bytes: its header without the chunks, and their sums. */
export interface Card {
  header: Omit<SnapshotHeader, 'format' | 'recipients' | 'chunks' | 'manifest'>
  /** Of the chunk objects it needs: bytes as stored, and how many. */
  stored: number
  chunks: number
  /** Undefined with a write key. The facts of the sources are those that remarks are made from. */
  description: Description | undefined
}

const count = z.int().min(0)
const cardSchema = z.strictObject({
  header: snapshotHeader.omit({ format: true, recipients: true, chunks: true, manifest: true }),
  stored: count,
  chunks: count,
  /** base64(age(zstd(JSON))) of the description; not there if a write key made the card of a snapshot that it did not make itself. */
  sealed: z.string().optional(),
})

const LEVEL = 9
/** Characters of a card: a snapshot with more to say has none, and is read itself. */
const LARGEST = 16 * 1024
const MOST_BYTES = 256 * 1024
const PARALLEL = 8
/** The facts that `remarks` and `confirm` of source kinds read. */
const REMARKED = ['database', 'globals', 'omitted', 'warnings', 'unreadable']

/** The text of a snapshot's card; undefined if it would be too long. */
export async function encodeCard(
  header: Omit<SnapshotHeader, 'manifest'>, full: Description | undefined, keys: Keys,
): Promise<string | undefined> {
  const { id, set, time, key, tags, size, added, partial, until, chunks } = header
  const sealed = full && (await encrypt(compress(Buffer.from(JSON.stringify(shortened(full))), LEVEL), keys.recipients)).toString('base64')
  const text = JSON.stringify({
    header: { id, set, time, key, tags, size, added, ...(partial && { partial }), ...(until !== undefined && { until }) },
    stored: storedBytes(chunks), chunks: chunks.length, ...(sealed !== undefined && { sealed }),
  })
  return text.length <= LARGEST ? text : undefined
}

function remarked(facts: unknown): unknown {
  const { data = {} } = z.record(z.string(), z.unknown()).safeParse(facts)
  return Object.fromEntries(Object.entries(data).filter(([name]) => REMARKED.includes(name)))
}

function shortened({ sources, description, run }: Description): Description {
  return {
    sources: sources.map((source) => ({
      name: source.name, kind: source.kind, streams: [{ size: sourceSize(source) }], facts: remarked(source.facts),
    })),
    description, run,
  }
}

/** The card of a snapshot that is there already; undefined if it is not authentic, or too long. */
export async function cardOf(key: string, object: Buffer, keys: Keys): Promise<string | undefined> {
  let snapshot: AuthenticSnapshot
  try {
    snapshot = await decodeSnapshot(key, object, keys)
    const described = snapshot.keys.identity === undefined ? undefined : await openDescription(snapshot)
    return await encodeCard(snapshot.header, described, snapshot.keys)
  } catch {
    // Commands that read the snapshot itself report the reason.
    return undefined
  }
}

/** The cards that a store keeps of snapshots of these keys, by their keys. One that says less than the keys can read is left out. */
export async function readCards(store: Store, keys: Keys | undefined): Promise<ReadonlyMap<string, Card>> {
  const texts = keys && store.groups ? [...(await store.groups.cards())] : []
  const read = await inParallel(texts, PARALLEL, async ([key, text]): Promise<[string, Card][]> => {
    const card = await decodeCard(key, text, keys!)
    return card ? [[key, card]] : []
  })
  return new Map(read.flat())
}

async function decodeCard(key: string, text: string, keys: Keys): Promise<Card | undefined> {
  try {
    const { sealed, ...card } = cardSchema.parse(JSON.parse(text))
    const own = [keys, ...keys.others].find(({ fingerprint }) => fingerprint === card.header.key)
    if (!own || snapshotKey(card.header.set, card.header.id) !== key) return undefined
    if (own.identity === undefined) return { ...card, description: undefined }
    if (sealed === undefined) return undefined
    const opened = await decompressUpTo(await decrypt(Buffer.from(sealed, 'base64'), own.identity), MOST_BYTES)
    return { ...card, description: description.parse(JSON.parse(opened.toString())) }
  } catch {
    // The snapshot itself is read instead.
    return undefined
  }
}
