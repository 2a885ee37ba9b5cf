import { performance } from 'node:perf_hooks'
import type { Environment } from '../../environment.ts'
import { messageOf } from '../../error.ts'
import { marked } from '../../marks.ts'
import type { Keys } from '../../repository/keys.ts'
import type { KnownChunks } from '../../repository/known.ts'
import { proveSnapshot } from '../../repository/proofs.ts'
import { DamagedChunk } from '../../repository/reader.ts'
import { SampledCheck, sampleOf } from '../../repository/sampled-check.ts'
import { chunkKey } from '../../repository/snapshot.ts'
import { storesOf } from '../../stores/several.ts'
import type { Store } from '../../stores/store.ts'
import { VERSION } from '../../version.ts'
import { secondsSince } from '../../process/elapsed.ts'
import type { BackupResult } from './result.ts'

/**
 * The check of what a backup reuses: damage in chunks that earlier backups put would otherwise be found only by a verification of every
 * byte, while backup after backup relies on them. A part, chosen by chance, is read back in each store beside the backup. Damaged content
 * is stored again by this backup, and a proof tells later runs about it. With a write key nothing can be read.
 */
export class ReusedCheck {
  readonly #known: KnownChunks
  readonly #keys: Keys
  readonly #environment: Environment
  readonly #started = performance.now()
  readonly #checks: readonly SampledCheck[]
  readonly #found = new Map<Store, Map<string, DamagedChunk>>()
  #store: Store

  /** `share`: of the stored bytes, 0 to 1; undefined is the default. */
  constructor(known: KnownChunks, store: Store, keys: Keys, share: number | undefined, environment: Environment) {
    this.#known = known
    this.#store = store
    this.#keys = keys
    this.#environment = environment
    const chunks = (known.newest?.chunks ?? []).filter((chunk) => chunk !== undefined)
    const sample = keys.identity === undefined ? [] : sampleOf(chunks, share === undefined ? {} : { share, most: Infinity }, Math.random)
    this.#checks = sample.length === 0 ? [] : storesOf(store).map((one) => new SampledCheck(one, keys, sample, environment.signal))
    known.checkWith(this.#checks)
  }

  /** Told of an object that the backup itself found damaged. */
  found(error: unknown): void {
    if (error instanceof DamagedChunk) this.#note(storesOf(this.#store)[0]!, error)
  }

  /** Waits for the reading, reports what was found, and stores proofs of it. */
  async conclude(set: string): Promise<{ checked: NonNullable<BackupResult['checked']>; damaged: ReadonlySet<string> }> {
    const { report } = this.#environment
    const checked = { chunks: 0, bytes: 0, damaged: 0 }
    for (const check of this.#checks) {
      const { chunks, bytes } = await check.end()
      checked.chunks += chunks
      checked.bytes += bytes
      for (const error of check.damage) {
        this.#note(check.store, error)
        report.warning(
          `${error.message}; earlier backups that need it are damaged, this one stores its content again if it still needs it`,
          marked`‹lifeboat list› shows which; ‹lifeboat verify; level: read› looks for more.`,
        )
      }
      if (check.obstacles.length > 0) {
        report.warning(
          `${check.obstacles.length} of the chunks that were to be checked could not be read: ${check.obstacles[0]}`,
          'That they are there was checked; that they are undamaged was not.',
        )
      }
    }
    for (const [store, damage] of this.#found) await this.#keepProof(store, set, [...damage.values()], checked.bytes)
    const damaged = new Set([...this.#found.values()].flatMap((damage) => [...damage.keys()]))
    return { checked: { ...checked, damaged: damaged.size }, damaged }
  }

  async close(): Promise<void> {
    await Promise.all(this.#checks.map((check) => check.close()))
  }

  #note(store: Store, error: DamagedChunk): void {
    const known = this.#found.get(store) ?? new Map<string, DamagedChunk>()
    this.#found.set(store, known.set(error.key, error))
  }

  /** Of the newest snapshot that was there: if it needs any of these, it is damaged. */
  async #keepProof(store: Store, set: string, damage: readonly DamagedChunk[], bytes: number): Promise<void> {
    const { report, run, signal } = this.#environment
    const { newest } = this.#known
    if (!newest) return
    const own = new Set(newest.chunks.flatMap((chunk) => (chunk ? [chunkKey(chunk.id, chunk.mark)] : [])))
    const result = damage.some(({ key }) => own.has(key)) ? 'failed' : 'could not verify'
    const verification = {
      snapshot: newest.id,
      set,
      time: this.#environment.now(),
      level: 'read',
      result,
      seconds: secondsSince(this.#started),
      bytes,
    } as const
    try {
      await proveSnapshot(
        store,
        this.#keys,
        {
          ...verification,
          damaged: damage.map(({ key }) => key),
          problems: damage.map(messageOf),
          versions: { lifeboat: VERSION },
          run: run?.url ?? null,
        },
      )
    } catch (error) {
      signal.throwIfAborted()
      report.warning(
        `that ${damage[0]!.key} is damaged was not kept in ${store.name}: ${messageOf(error)}`,
        'Verify the newest snapshot once more, so that the next backup knows of it.',
      )
    }
  }
}
