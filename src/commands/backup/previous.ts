import type { Environment } from '../../environment.ts'
import { LifeboatError } from '../../error.ts'
import { inParallel } from '../../process/parallel.ts'
import { warningOf } from '../../report/warnings.ts'
import { atOnce, idOf, newestFirst, snapshotIfAuthentic, snapshotKeys } from '../../repository/catalog.ts'
import { type Card, readCards } from '../../repository/card.ts'
import type { Keys } from '../../repository/keys.ts'
import { type KnownChunks, loadKnown, SNAPSHOTS_BUILT_ON } from '../../repository/known.ts'
import { LIMITS } from '../../repository/limits.ts'
import { snapshotKey, type SourceRecord, storedBytes } from '../../repository/snapshot.ts'
import { Totals } from '../../repository/statistics.ts'
import { type Shrunk, shrunken } from '../../sources/shrink.ts'
import type { Store } from '../../stores/store.ts'
import { ReusedCheck } from './check-reused.ts'
import type { BackupInputs } from './inputs.ts'
import type { BackupResult } from './result.ts'
import { shrunkenAsAWhole } from './shrink.ts'
import { warnOfLargeSnapshot } from './warnings.ts'

/** The number of snapshots that a chart shows well. */
const RECENT = 20

/** The part of the largest size of a snapshot at which a warning is due. */
const NEARLY_FULL = 0.8

type Recent = Pick<BackupResult, 'recent' | 'recentTotal'>

/** The earlier backups of a set: a new backup reuses their chunks, and is compared with them. */
export class PreviousBackups {
  readonly known: KnownChunks
  /** Reads back a part of the chunks that are reused. */
  readonly reused: ReusedCheck
  readonly #store: Store
  readonly #keys: Keys
  readonly #set: string
  /** Keys of the snapshots of the set, and the bytes of the largest of them. */
  readonly #listed: { snapshots: readonly string[]; largest: number }
  readonly #report: Environment['report']

  private constructor(
    store: Store,
    keys: Keys,
    { set, checkReused }: Pick<BackupInputs, 'set' | 'checkReused'>,
    listed: { snapshots: readonly string[]; largest: number },
    known: KnownChunks,
    environment: Environment,
  ) {
    this.#store = store
    this.#keys = keys
    this.#set = set
    this.#listed = listed
    this.#report = environment.report
    this.known = known
    this.reused = new ReusedCheck(known, store, keys, checkReused, environment)
  }

  /** `limit`: bytes that a snapshot object may have. */
  static async load(
    store: Store,
    keys: Keys,
    inputs: Pick<BackupInputs, 'set' | 'checkReused'>,
    environment: Environment,
    limit: number = LIMITS.snapshot,
  ): Promise<PreviousBackups> {
    const sizes = new Map<string, number>()
    let largest = 0
    const snapshots = await snapshotKeys(store, inputs.set, ({ key, size }) => {
      sizes.set(idOf(key), size)
      largest = Math.max(largest, size)
    })
    const known = await loadKnown(store, keys, inputs.set, warningOf(environment.report), snapshots)
    // Anyone who can write to the store can plant an object that is larger than all that are authentic.
    const newest = sizes.get(known.latest ?? '') ?? 0
    if (newest >= NEARLY_FULL * limit) warnOfLargeSnapshot(inputs.set, newest, limit, environment)
    return new PreviousBackups(store, keys, inputs, { snapshots, largest }, known, environment)
  }

  get ids(): Set<string> {
    return new Set(this.#listed.snapshots.map(idOf))
  }

  /** Told of an object that turned out damaged when a difference was made from it. */
  foundDamaged(error: LifeboatError): void {
    warningOf(this.#report)(error)
    this.reused.found(error)
  }

  /**
   * Everything that lost more than half since the newest snapshot. With a write key its sources are unknown, and only the size of the
   * whole is compared.
   */
  async shrunk(records: readonly SourceRecord[], size: number): Promise<Shrunk[]> {
    const { newest } = this.known
    if (newest) return shrunken(newest.sources, records)
    const { recent } = await this.#recentOf(this.#listed.snapshots.slice(0, 1))
    return shrunkenAsAWhole(recent[0], size, this.#set)
  }

  /** The sizes of the new snapshot and of those before it. */
  recentWith(id: string): Promise<Recent> {
    return this.#recentOf([snapshotKey(this.#set, id), ...this.#listed.snapshots])
  }

  /** The backup is stored already: if snapshots cannot be read, that is a warning. */
  async #recentOf(snapshots: readonly string[]): Promise<Recent> {
    const totals = new Totals()
    const sizesOf = async (key: string, card: Card | undefined): Promise<BackupResult['recent'][number] | undefined> => {
      if (card) {
        const { id, time, size, added } = card.header
        return { snapshot: id, time, size, added, stored: card.stored }
      }
      const snapshot = await snapshotIfAuthentic(this.#store, key, this.#keys)
      if (!snapshot) return undefined
      totals.add(snapshot.header)
      const { id, time, size, added, chunks } = snapshot.header
      return { snapshot: id, time, size, added, stored: storedBytes(chunks) }
    }
    try {
      // The backup has read the newest ones; of older ones in artifacts the cards tell enough, without a request for each.
      const cards = await readCards(this.#store, this.#keys)
      const newest = [...newestFirst(snapshots).slice(0, RECENT).entries()]
      const recent = await inParallel(newest, atOnce(4, this.#listed.largest), ([index, key]) =>
        sizesOf(key, index > SNAPSHOTS_BUILT_ON ? cards.get(key) : undefined),
      )
      return { recent: recent.filter((one) => one !== undefined), recentTotal: totals.sum }
    } catch (error) {
      if (!(error instanceof LifeboatError)) throw error
      this.#report.warning(
        `the sizes of earlier backups are not known: ${error.message}`,
        'The backup itself is stored. Sizes are only compared and shown.',
      )
      return { recent: [], recentTotal: new Totals().sum }
    }
  }

  async close(): Promise<void> {
    await this.reused.close()
    await this.known.close()
  }
}
