import type { Environment } from '../../environment.ts'
import { LifeboatError } from '../../error.ts'
import { inParallel } from '../../process/parallel.ts'
import { warningOf } from '../../report/warnings.ts'
import { atOnce, idOf, newestFirst, snapshotIfAuthentic, snapshotKeys } from '../../repository/catalog.ts'
import { type Card, readCards } from '../../repository/card.ts'
import type { Keys } from '../../repository/keys.ts'
import { type KnownChunks, loadKnown, loadNewest, type NewestSnapshot, SNAPSHOTS_BUILT_ON } from '../../repository/known.ts'
import { LIMITS } from '../../repository/limits.ts'
import { snapshotKey, type SourceRecord, storedBytes } from '../../repository/snapshot.ts'
import { Totals } from '../../repository/statistics.ts'
import { type Shrunk, shrunken } from '../../sources/shrink.ts'
import { inEach, storesOf } from '../../stores/several.ts'
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

/** The earlier backups of a set in one of the stores. */
interface Earlier extends Pick<KnownChunks, 'latest' | 'otherKey'> {
  store: Store
  /** Keys of the snapshots, newest first. */
  snapshots: readonly string[]
  newest: NewestSnapshot | undefined
}

/**
 * The earlier backups of a set. A new backup reuses chunks of those that all its stores have, and is compared with the newest that one of
 * them has: a store that is new, or lost its backups, does not hide what shrank since those in another.
 */
export class PreviousBackups {
  readonly known: KnownChunks
  /** The newest snapshot that a store has and that could be opened. */
  readonly newest: NewestSnapshot | undefined
  /** Id of the newest snapshot that a store has and that is authentic. */
  readonly latest: string | undefined
  readonly otherKey: KnownChunks['otherKey']
  /** Reads back a part of the chunks that are reused. */
  readonly reused: ReusedCheck
  readonly #store: Store
  readonly #keys: Keys
  readonly #set: string
  /** Keys of the snapshots that all stores have, and the bytes of the largest of them. */
  readonly #listed: { snapshots: readonly string[]; largest: number }
  readonly #stores: readonly Earlier[]
  readonly #report: Environment['report']

  private constructor(
    store: Store,
    keys: Keys,
    { set, checkReused }: Pick<BackupInputs, 'set' | 'checkReused'>,
    listed: { snapshots: readonly string[]; largest: number },
    known: KnownChunks,
    stores: readonly Earlier[],
    environment: Environment,
  ) {
    this.#store = store
    this.#keys = keys
    this.#set = set
    this.#listed = listed
    this.#stores = stores
    this.#report = environment.report
    this.known = known
    const all = [known, ...stores]
    this.newest = all.flatMap(({ newest }) => newest ?? []).toSorted((a, b) => (a.id < b.id ? 1 : -1))[0]
    this.latest = all.flatMap(({ latest }) => latest ?? []).toSorted().at(-1)
    this.otherKey = all.find(({ otherKey }) => otherKey)?.otherKey
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
    const stores = storesOf(store).length === 1
      ? storesOf(store).map((one) => ({ store: one, snapshots, newest: undefined, latest: undefined, otherKey: undefined }))
      : await inEach(store, (one) => earlierIn(one, keys, inputs.set, known, environment))
    return new PreviousBackups(store, keys, inputs, { snapshots, largest }, known, stores, environment)
  }

  /** Ids of the snapshots that all stores have. */
  get ids(): Set<string> {
    return new Set(this.#listed.snapshots.map(idOf))
  }

  /** How many snapshots of the set a store has, whoever made them; undefined if it was not asked. */
  countIn(store: Store): number | undefined {
    return this.#stores.find((one) => one.store === store)?.snapshots.length
  }

  /** Told of an object that turned out damaged when a difference was made from it. */
  foundDamaged(error: LifeboatError): void {
    warningOf(this.#report)(error)
    this.reused.found(error)
  }

  /** Whether a store has the snapshot. */
  isIn(store: Store, id: string): boolean {
    return this.#stores.some((one) => one.store === store && one.snapshots.includes(snapshotKey(this.#set, id)))
  }

  /** Whether the newest snapshot needs an object that is damaged, as was known before, or found since. `found`: keys of such objects. */
  newestIsDamaged(found: ReadonlySet<string>): boolean {
    return this.newest === this.known.newest ? this.known.newestIsDamaged(found) : this.newest!.damaged
  }

  /**
   * Why a store keeps all that it has: nothing was compared with its earlier snapshots, so this backup may lack what only they have.
   * With a write key nothing is pruned anyway.
   */
  uncomparedIn(store: Store): string | undefined {
    if (this.newest || this.#keys.identity === undefined || this.countIn(store) === 0) return undefined
    return 'no earlier backup could be read, so nothing tells whether something was lost since'
  }

  /**
   * Everything that lost more than half since the newest snapshot. With a write key its sources are unknown, and only the size of the
   * whole is compared.
   */
  async shrunk(records: readonly SourceRecord[], size: number): Promise<Shrunk[]> {
    if (this.newest) return shrunken(this.newest.sources, records)
    const { recent } = await this.#recentOf(this.#everywhere.slice(0, 1))
    return shrunkenAsAWhole(recent[0], size, this.#set)
  }

  /** The sizes of the new snapshot and of those before it. */
  recentWith(id: string): Promise<Recent> {
    return this.#recentOf([snapshotKey(this.#set, id), ...this.#everywhere])
  }

  /** Keys of the snapshots that a store has, newest first. */
  get #everywhere(): string[] {
    return newestFirst([...new Set(this.#stores.flatMap(({ snapshots }) => snapshots))])
  }

  /** A store that has the snapshot. */
  #having(key: string): Store {
    if (this.#listed.snapshots.includes(key)) return this.#store
    return this.#stores.find(({ snapshots }) => snapshots.includes(key))?.store ?? this.#store
  }

  /** The backup is stored already: if snapshots cannot be read, that is a warning. */
  async #recentOf(snapshots: readonly string[]): Promise<Recent> {
    const totals = new Totals()
    const sizesOf = async (key: string, card: Card | undefined): Promise<BackupResult['recent'][number] | undefined> => {
      if (card) {
        const { id, time, size, added } = card.header
        return { snapshot: id, time, size, added, stored: card.stored }
      }
      const snapshot = await snapshotIfAuthentic(this.#having(key), key, this.#keys)
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

/** Reads only snapshots that are newer than those that all stores have. */
async function earlierIn(store: Store, keys: Keys, set: string, known: KnownChunks, { report }: Environment): Promise<Earlier> {
  const snapshots = await snapshotKeys(store, set)
  const common = (keys.identity === undefined ? known.latest : known.newest?.id) ?? ''
  const newer = snapshots.filter((key) => idOf(key) > common)
  return { store, snapshots, ...(await loadNewest(store, keys, set, newer, warningOf(report))) }
}
