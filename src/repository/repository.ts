import { z } from 'zod'
import { LifeboatError } from '../error.ts'
import { marked } from '../marks.ts'
import { NotFound, type Store } from '../stores/store.ts'
import { parsedJson } from './json.ts'
import { LIMITS } from './limits.ts'
import { recoveryFiles } from './recovery.ts'
import { checkFormat, FORMAT } from './format.ts'

const MARKER = 'lifeboat.json'
const marker = z.strictObject({ format: z.literal(FORMAT) })

/** Checks the format of a store. Throws if it is no store, or has an unknown format. `given`: how a hint names the input of the store. */
export async function openRepository(store: Store, given = marked`‹destination›`): Promise<void> {
  if (await (store.groups ? store.groups.exist() : hasMarker(store))) return
  if (!store.groups) await requireNoSnapshots(store)
  throw new LifeboatError(`there is no Lifeboat store in ${store.name}${store.groups ? '' : ` (${MARKER} is missing)`}`, {
    hint: store.groups
      ? marked`If no backup has finished here yet, run ‹lifeboat backup›. Otherwise check ‹set› and the repository: ‹lifeboat list› ` +
        'without a set shows all sets; artifacts that expired or were deleted are lost.'
      : `Check ${given}: is it spelled right, and the disk mounted? The first backup makes the store.`,
  })
}

/**
 * The same, and makes the store if there is none: the recovery instructions first, its marker last. Groups of objects each get their own.
 * Returns whether it made a store. `create`: also where the folder above it is missing, or its own has other files.
 */
export async function openOrMakeRepository(store: Store, { create = false } = {}): Promise<boolean> {
  if (!store.groups) {
    if (await hasMarker(store)) return false
    await requireNoSnapshots(store)
    if (!create) await requirePlace(store)
  }
  for (const { key, bytes } of recoveryFiles()) await store.put(key, bytes)
  await store.put(MARKER, Buffer.from(`${JSON.stringify({ format: FORMAT })}\n`))
  return !store.groups
}

/** Throws unless a store is there, or was begun, or can be made without ‹create: true›. */
export async function requirePlace(store: Store): Promise<void> {
  await store.requirePlace?.([MARKER, ...recoveryFiles().map(({ key }) => key)])
}

async function requireNoSnapshots(store: Store): Promise<void> {
  for await (const { key } of store.list('snapshots/')) {
    throw new LifeboatError(`${store.name} holds ${key} but no ${MARKER}, which every Lifeboat store has`, {
      hint: `Put ${MARKER} back from a copy of the store: {"format":"${FORMAT}"} if this version wrote it. Nothing was changed.`,
    })
  }
}

async function hasMarker(store: Store): Promise<boolean> {
  let bytes: Buffer
  try {
    bytes = await store.get(MARKER, LIMITS.marker)
  } catch (error) {
    if (error instanceof NotFound) return false
    throw error
  }
  // People may write it by hand, without a line feed.
  const json = parsedJson(bytes.at(-1) === 0x0a ? bytes.subarray(0, -1) : bytes)
  if (json === undefined)
    throw new LifeboatError(`${MARKER} in ${store.name} is damaged: it is not JSON`, {
      hint: `It should read {"format":"${FORMAT}"}. Nothing was changed.`,
    })
  const format = z.object({ format: z.unknown() }).safeParse(json).data?.format
  if (format === undefined || format === null)
    throw new LifeboatError(`${MARKER} in ${store.name} is damaged: it names no format`, {
      hint: `It should read {"format":"${FORMAT}"}. Nothing was changed.`,
    })
  checkFormat(`${store.name}/${MARKER}`, format)
  if (marker.safeParse(json).success) return true
  throw new LifeboatError(`${MARKER} in ${store.name} holds more than its format`, {
    hint: 'A newer version of Lifeboat may have written it; use that. Nothing was changed.',
  })
}
