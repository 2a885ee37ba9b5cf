import { z } from 'zod'
import { LifeboatError, messageOf } from '../error.ts'
import { NotFound, type Store } from '../stores/store.ts'
import { TOLERATED_SKEW } from './catalog.ts'
import { FORMAT } from './format.ts'
import { parsedJson } from './json.ts'
import type { Keys } from './keys.ts'
import { LIMITS } from './limits.ts'
import { decrypt, encrypt } from './sealing/age.ts'
import { compress, decompressUpTo } from './sealing/zstd.ts'
import { isOfAnotherKey, sign, signerOf, splitSigned } from './signed.ts'
import { setName, snapshotId } from './snapshot.ts'

const seconds = z.number().min(0)

/** A newer version may add members. */
const detailsSchema = z.object({
  /** When the restore ended. */
  time: z.iso.datetime({ precision: 3 }),
  snapshot: snapshotId,
  mode: z.string().regex(/^[a-z-]{1,40}$/),
  machine: z.string().max(200),
  /** From the start of the restore, of all sources together, some of which may have been restored at the same time. */
  seconds,
  /** `bytes`: of the streams. */
  sources: z.array(z.object({ name: z.string().min(1), bytes: z.int().min(0), seconds })).min(1),
})

/** How long the last restore of whole sources of a set took. */
export type RestoreTime = z.infer<typeof detailsSchema>

/** `details`: base64(age(zstd(JSON))), because names of sources are told to nobody without the key. */
const schema = z.strictObject({
  format: z.literal(FORMAT), restored: setName, details: z.string().regex(/^[A-Za-z0-9+/]+={0,2}$/),
})

const MOST_BYTES = 1024 * 1024

function keyOf(set: string): string {
  return `restores/${set}.json`
}

/** Keeps it in place of the one before. */
export async function keepRestoreTime(store: Store, keys: Keys, set: string, time: RestoreTime): Promise<void> {
  const sealed = await encrypt(compress(Buffer.from(JSON.stringify(time)), 9), keys.recipients)
  const body = JSON.stringify(schema.parse({ format: FORMAT, restored: set, details: sealed.toString('base64') }))
  const object = sign(body, keys, 'restore')
  if (object.length > LIMITS.restore) throw new LifeboatError(`${keyOf(set)} would be larger than ${LIMITS.restore} bytes`)
  await store.put(keyOf(set), object)
}

/** Undefined if there is none, or of another key, or it cannot be used, which `onDamaged` is told: nothing else depends on it. */
export async function readRestoreTime(
  store: Store, keys: Keys, set: string, { now, onDamaged }: { now: Date; onDamaged: (error: LifeboatError) => void },
): Promise<RestoreTime | undefined> {
  try {
    return await decoded(await store.get(keyOf(set), LIMITS.restore), keys, set, now)
  } catch (error) {
    if (!(error instanceof NotFound)) onDamaged(new LifeboatError(`${keyOf(set)} is ignored: ${messageOf(error)}`, {
      cause: error, hint: 'It only tells how long the last restore took. The next one writes it again.' }))
    return undefined
  }
}

/** Throws with the reason if it is invalid. */
async function decoded(object: Buffer, keys: Keys, set: string, now: Date): Promise<RestoreTime | undefined> {
  const signed = splitSigned(object)
  if (!signed) throw new Error('it does not begin with the line of a signed object')
  if (isOfAnotherKey(signed, keys)) return undefined
  const signer = signerOf(signed, keys, 'restore')
  if (!signer) throw new Error('its signature (MAC) does not verify')
  const parsed = schema.safeParse(parsedJson(signed.body))
  if (!parsed.success) throw new Error('it is malformed, or of a newer version')
  const { restored, details } = parsed.data
  if (restored !== set) throw new Error(`it is of set ${restored}, moved here`)
  if (signer.identity === undefined) return undefined
  const opened = await decrypt(Buffer.from(details, 'base64'), signer.identity)
  const time = detailsSchema.safeParse(parsedJson(await decompressUpTo(opened, MOST_BYTES)))
  if (!time.success) throw new Error('its details are malformed, or of a newer version')
  if (Date.parse(time.data.time) > now.getTime() + TOLERATED_SKEW) throw new Error(`it is dated in the future, ${time.data.time}`)
  return time.data
}
