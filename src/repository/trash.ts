import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { LifeboatError } from '../error.ts'
import { inParallel } from '../process/parallel.ts'
import { storesOf } from '../stores/several.ts'
import { DamagedObject, NotFound, type Store, type StoredObject } from '../stores/store.ts'
import { parsedJson } from './json.ts'
import { LIMITS } from './limits.ts'
import { FORMAT } from './format.ts'
import type { Keys } from './keys.ts'
import { isOfAnotherKey, sign, signerOf, splitSigned } from './signed.ts'
import { idTime } from './snapshot.ts'

/** Default of how long unreferenced chunks are kept, in milliseconds: longer than any backup takes. */
export const GRACE = 24 * 3600 * 1000

/** The end of a chunk object's key: `<id>-<mark>`. Trash cannot name anything else. */
const CHUNK = /^[0-9a-f]{64}-[0-9a-f]{8}$/
const schema = z.strictObject({
  format: z.literal(FORMAT),
  /** The name of the object, which says its age: so nobody can give it another name. */
  trash: z.string(),
  chunks: z.custom<string[]>((list) => Array.isArray(list) && list.every((chunk) => typeof chunk === 'string' && CHUNK.test(chunk))),
})
const KEY = /^trash\/(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-[0-9a-f]{8}\.json$/

/** Keeps each object below 800 KB. */
const NAMES_AN_OBJECT = 10_000
const AT_ONCE = 8

/** Chunks that a prune found unreferenced. Only a hint: references are looked up again before anything is deleted. */
export interface Trash {
  key: string
  /** `<id>-<mark>`. */
  chunks: string[]
  /** Of another key, so that its MAC cannot be checked: a reason to be careful, and never one to delete a chunk. */
  foreign: boolean
  /** When it was made: by the clock of the machine that made it, which is in its name, and by the store's. */
  times: [Date, Date]
}

/**
 * The trash of a store, or of each of the stores it stands for, its MACs verified. Forged or damaged objects are passed to `onDamaged` and
 * left alone. Of the trash of other keys, which anyone can forge, only the chunks that matter to the caller are kept.
 */
export async function readTrash(
  store: Store, keys: Keys, matters: (chunk: string) => boolean, onDamaged: (error: LifeboatError) => void,
): Promise<Trash[]> {
  const read = storesOf(store).map(async (one) => {
    const objects: StoredObject[] = []
    for await (const object of one.list('trash/')) if (KEY.test(object.key)) objects.push(object)
    return inParallel(objects, AT_ONCE, (object) => readOne(one, keys, object, matters, onDamaged))
  })
  return (await Promise.all(read)).flat().filter((trash) => trash !== undefined)
}

async function readOne(
  store: Store, keys: Keys, { key, modified }: StoredObject, matters: (chunk: string) => boolean, onDamaged: (error: LifeboatError) => void,
): Promise<Trash | undefined> {
  let bytes: Buffer
  try {
    bytes = await store.get(key, LIMITS.trash)
  } catch (error) {
    // Another prune is done with it.
    if (error instanceof NotFound) return undefined
    if (!(error instanceof DamagedObject)) throw error
    onDamaged(error)
    return undefined
  }
  const read = decodeTrash(key, bytes, keys)
  if (typeof read !== 'string') {
    const { foreign } = read
    const chunks = foreign ? read.chunks.filter(matters) : read.chunks
    return { key, chunks, foreign, times: [new Date(key.replace(KEY, '$1-$2-$3T$4:$5:$6Z')), modified] }
  }
  onDamaged(
    new LifeboatError(`${key} in ${store.name} is ignored: ${read}`, {
      hint: 'Delete it, unless a newer version wrote it: the next prune finds again the chunks that it names.',
    }),
  )
  return undefined
}

/** The chunks that it names; of another key's that is malformed, none. A text with the reason if it is invalid. */
function decodeTrash(key: string, object: Buffer, keys: Keys): { chunks: string[]; foreign: boolean } | string {
  const signed = splitSigned(object)
  if (!signed) return 'it does not begin with the line of a signed object'
  const foreign = isOfAnotherKey(signed, keys)
  if (!foreign && !signerOf(signed, keys, 'trash')) return 'its signature (MAC) does not verify'
  const parsed = schema.safeParse(parsedJson(signed.body))
  if (foreign) return { chunks: parsed.data?.chunks ?? [], foreign }
  if (!parsed.success) return 'it is not a list of chunks'
  return `trash/${parsed.data.trash}.json` === key ? { chunks: parsed.data.chunks, foreign } : 'it was moved here from another name'
}

/** Bytes of a name: those of the id, and of the mark. */
const NAME_BYTES = 36

/** Collects chunks that no snapshot lists, and puts them as trash. A million names take 36 MB. */
export class TrashWriter {
  readonly #store: Store
  readonly #keys: Keys
  readonly #now: () => Date
  readonly #blocks: Buffer[] = []
  #names = 0

  constructor(store: Store, keys: Keys, now: () => Date) {
    this.#store = store
    this.#keys = keys
    this.#now = now
  }

  /** `<id>-<mark>`. */
  add(chunk: string): void {
    const place = this.#names++ % NAMES_AN_OBJECT
    if (place === 0) this.#blocks.push(Buffer.allocUnsafe(NAMES_AN_OBJECT * NAME_BYTES))
    this.#blocks.at(-1)!.write(chunk.replace('-', ''), place * NAME_BYTES, 'hex')
  }

  /** Puts all that was added, in objects small enough that the first of them fit on a disk with hardly any room. */
  async put(): Promise<void> {
    for (const [index, block] of this.#blocks.entries()) {
      const names = Math.min(NAMES_AN_OBJECT, this.#names - index * NAMES_AN_OBJECT)
      const chunks = Array.from({ length: names }, (_, place) => {
        const hex = block.toString('hex', place * NAME_BYTES, (place + 1) * NAME_BYTES)
        return `${hex.slice(0, 64)}-${hex.slice(64)}`
      })
      await putTrash(this.#store, this.#keys, `${idTime(this.#now())}-${randomBytes(4).toString('hex')}`, chunks)
    }
  }
}

/** `id`: when it is put, and random digits, as a snapshot's id is made. */
export async function putTrash(store: Store, keys: Keys, id: string, chunks: readonly string[]): Promise<void> {
  await store.put(`trash/${id}.json`, sign(JSON.stringify({ format: FORMAT, trash: id, chunks }), keys, 'trash'))
}

/** Keys of the chunks in the trash, as `readTrash` gives them. No backup builds on them: a prune may be deleting them. */
export async function inTrash(
  store: Store, keys: Keys, matters: (chunk: string) => boolean, onDamaged: (error: LifeboatError) => void,
): Promise<Set<string>> {
  return new Set((await readTrash(store, keys, matters, onDamaged)).flatMap(({ chunks }) => chunks.map(chunkKeyOf)))
}

/** The key of a chunk by the name it has in the trash. */
export function chunkKeyOf(chunk: string): string {
  return `chunks/${chunk.slice(0, 2)}/${chunk}`
}
