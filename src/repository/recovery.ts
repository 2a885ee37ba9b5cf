import { createHash } from 'node:crypto'
import { LifeboatError } from '../error.ts'
import { DamagedObject, NotFound, type Store } from '../stores/store.ts'
import { LIMITS } from './limits.ts'
import { instructions, script } from './recovery/files.ts'

/** The files in every store with which it can be read without Lifeboat (docs/recovery.md). */
export function recoveryFiles(): { key: string; bytes: Buffer }[] {
  return [
    { key: 'RECOVERY.md', bytes: Buffer.from(instructions) },
    { key: 'recover.sh', bytes: Buffer.from(script) },
  ]
}

/** hex(SHA-256) of recover.sh, as docs/recovery.md names it. */
export const SCRIPT_SHA256 = createHash('sha256').update(script).digest('hex')

/**
 * Keys of the recovery files that a store lacks, or that differ from this program's: of another version, or changed by someone. Writes
 * nothing.
 */
export async function differingRecoveryFiles(store: Store): Promise<string[]> {
  const differing: string[] = []
  for (const { key, bytes } of recoveryFiles()) if (!(await holds(store, key, bytes))) differing.push(key)
  return differing
}

/** The warning about files that differ: the documentation tells people to run the script of a store with their key. */
export function differingProblem(store: Store, differing: readonly string[]): LifeboatError {
  const [are, them] = differing.length === 1 ? ['is', 'it'] : ['are', 'them']
  return new LifeboatError(`${differing.join(' and ')} in ${store.name} ${are} not as this version of Lifeboat writes ${them}`, {
    hint:
      `Another version may have written the store, or someone changed it. The next backup writes ${them} again. ` +
      `Run no recover.sh whose SHA-256 is not ${SCRIPT_SHA256}, or that of the version you use, in its docs/recovery.md.`,
  })
}

/** Writes the files again that differ; returns their keys. */
export async function renewRecoveryFiles(store: Store): Promise<string[]> {
  const differing = await differingRecoveryFiles(store)
  for (const { key, bytes } of recoveryFiles()) if (differing.includes(key)) await store.put(key, bytes)
  return differing
}

async function holds(store: Store, key: string, bytes: Buffer): Promise<boolean> {
  try {
    return bytes.equals(await store.get(key, LIMITS.recovery))
  } catch (error) {
    if (error instanceof NotFound || error instanceof DamagedObject) return false
    throw error
  }
}
