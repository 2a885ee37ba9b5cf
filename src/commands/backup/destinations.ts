import { readAuthentic } from '../../repository/catalog.ts'
import type { Environment } from '../../environment.ts'
import { LifeboatError, messageOf } from '../../error.ts'
import { marked } from '../../marks.ts'
import { slicesIn } from '../../inputs/group.ts'
import { drillOptions } from '../../inputs/kind-options.ts'
import { warningOf } from '../../report/warnings.ts'
import { addKeyFiles, keyFiles, readKeyFiles } from '../../repository/key-files.ts'
import type { Keys } from '../../repository/keys.ts'
import { acceptLoss, missingHint, missingSnapshots, missingText } from '../../repository/references.ts'
import { renewRecoveryFiles } from '../../repository/recovery.ts'
import { openOrMakeRepository } from '../../repository/repository.ts'
import { snapshotKey } from '../../repository/snapshot.ts'
import { type Destination, openStore, warnOfLoss } from '../../stores/destination.ts'
import { SeveralStores } from '../../stores/several.ts'
import type { Store } from '../../stores/store.ts'
import { isDatabase } from '../../sources/nouns.ts'
import type { SourceContext } from '../../sources/source-kind.ts'
import { dependedOn, lostLines } from '../artifacts.ts'
import { afterFailedDrill, rowsOf } from '../back-up-again.ts'
import { drilled, keepProofs } from '../verify/proof.ts'
import { pruneAfterBackup } from '../prune/prune.ts'
import type { BackupInputs } from './inputs.ts'
import type { PreviousBackups } from './previous.ts'
import type { BackupResult, DestinationResult } from './result.ts'
import { warnIfClosed } from '../key-files/closed.ts'
import { spaceIn } from '../space.ts'
import { accessOf } from './access.ts'
import { warnOfExpiry, warnOfLacking } from './warnings.ts'
import { verifySnapshot, type Verifying } from '../verify/verify-snapshot.ts'

/** The inputs of a backup that its destinations need. */
type Wanted = Pick<
  BackupInputs,
  'key' | 'destinations' | 'destinationsRequired' | 'create' | 'access' | 'artifacts' | 'set' | 'retention' | 'pruning' |
  'timeZone' | 'verify' | 'attest' | keyof typeof drillOptions
>

/** A destination while a backup runs. */
interface OpenDestination {
  name: string
  store: Store
  /** Whether this run made the store. */
  made?: true
  /** Why it is given up. */
  failure?: unknown
  /** Bytes that still fitted when the backup began. */
  free?: number | undefined
}

/** The destinations of a backup. One that fails is given up, and the others go on; the failure of the only one, or the last, is thrown. */
export class Destinations {
  /** All of them, as one to write to. */
  readonly store: Store
  readonly #opened: readonly OpenDestination[]
  readonly #inputs: Wanted
  readonly #environment: Environment

  private constructor(opened: readonly OpenDestination[], inputs: Wanted, environment: Environment) {
    this.#opened = opened
    this.#inputs = inputs
    this.#environment = environment
    const onFailed = ({ store, error }: { store: Store; error: unknown }): void => this.#giveUp(
      opened.find((one) => one.store === store)!,
      error,
    )
    this.store = opened.length === 1 ? opened[0]!.store : new SeveralStores(opened.map(({ store }) => store), environment.signal, onFailed)
  }

  static async open(inputs: Wanted, environment: Environment): Promise<Destinations> {
    const opened: OpenDestination[] = []
    for (const destination of inputs.destinations) {
      warnOfLoss(destination, environment)
      const store = await openStore(destination, accessOf(inputs), environment)
      if (store.groups) warnOfExpiry(destination.text, inputs.retention, environment)
      opened.push({ name: destination.text, store })
    }
    return new Destinations(opened, inputs, environment)
  }

  /** Makes the stores that do not exist yet, and gives those without a key file of a key the files of the others. */
  async prepare(): Promise<void> {
    const all = this.store
    if (!(all instanceof SeveralStores)) return this.#prepareOne(all)
    await all.each((store) => this.#prepareOne(store))
    // Where anyone can add some (groups), key files are not to be handed on: `openKeys` writes them again.
    const each = async <T>(work: (store: Store) => Promise<T>): Promise<T[]> => (await all.each(
      async (store) => (store.groups ? [] : [await work(store)]),
    )).flat()
    const there = await each(keyFiles)
    if (new Set(there.map((ofOne) => ofOne.map(({ key }) => key).join(' '))).size < 2) return
    const lacking = new Set(there.flat().map(({ fingerprint }) => fingerprint).filter(
      (fingerprint) => !there.every((ofOne) => ofOne.some((file) => file.fingerprint === fingerprint)),
    ))
    // First read, then written: whichever fails is the one that is given up.
    const read = await each((store) => readKeyFiles(store, ({ fingerprint }) => lacking.has(fingerprint)))
    const files = new Map(read.flatMap((ofOne) => [...ofOne]))
    await each((store) => addKeyFiles(store, files))
    await each((store) => warnIfClosed(store, this.#inputs.key, this.#environment.report))
  }

  async #prepareOne(store: Store): Promise<void> {
    if (await openOrMakeRepository(store, this.#inputs)) {
      this.#opened.find((one) => one.store === store)!.made = true
      return
    }
    // Where objects lie in groups, each group carries those of the program that made it.
    if (store.groups) return
    const { report, signal } = this.#environment
    try {
      const renewed = await renewRecoveryFiles(store)
      if (renewed.length > 0) {
        report.warning(
          `${renewed.join(' and ')} in ${store.name} differed from this version's, and was written again`,
          'That is as it should be after an upgrade of Lifeboat. Otherwise someone changed it: look at who can write to the store.',
        )
      }
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof LifeboatError)) throw error
      // No backup depends on these files.
      report.warning(`RECOVERY.md and recover.sh in ${store.name} could not be compared or written again: ${error.message}`, error.hint)
    }
  }

  /** `lastAdded`: bytes that the last backup stored, if there is one. */
  async lookForSpace(lastAdded: number | undefined): Promise<void> {
    for (const one of this.#opened) if (one.failure === undefined) one.free = await spaceIn(one.store, lastAdded, this.#environment)
  }

  /** The destinations that have an earlier snapshot, or that may have it, if it is not known which it is. */
  having(id: string | undefined, earlier: PreviousBackups): Destination[] {
    return this.#inputs.destinations.filter((_, index) => {
      const { store, failure } = this.#opened[index]!
      return failure === undefined && (id === undefined || earlier.isIn(store, id))
    })
  }

  /** Warns of each destination that has no snapshot of the set although another has some. */
  tellOfLacking(earlier: PreviousBackups): void {
    const having = this.#opened.find(({ store }) => (earlier.countIn(store) ?? 0) > 0)
    if (!having) return
    for (const { name, store } of this.#opened) {
      if (earlier.countIn(store) === 0) warnOfLacking(name, having.name, this.#inputs.set, this.#environment)
    }
  }

  /**
   * Reads the snapshot back from each, and, with `prune`, prunes each by the policy, if there is one. `reused`: keys of chunks that were
   * looked for already; `damaged`: of objects that were found damaged meanwhile; `held`: why nothing is to be pruned.
   */
  async conclude(
    id: string,
    keys: Keys,
    earlier: PreviousBackups,
    reused: ReadonlySet<string>,
    context: SourceContext,
    { prune, held, damaged }: { prune: boolean; held?: string; damaged: ReadonlySet<string> },
  ): Promise<Pick<BackupResult, 'destinations' | 'complete' | 'verified'>> {
    const destinations: DestinationResult[] = []
    for (const one of this.#opened) {
      const how = { prune, held: held ?? (prune ? this.#uncomparedIn(one, earlier) : undefined) }
      const result = await this.#concludeIn(one, id, keys, { seen: reused, suspects: damaged }, context, how)
      const artifacts = result.problem === undefined ? await this.#dependedOn(one.store) : {}
      const made = one.made && { newStore: { key: keys.fingerprint } }
      const first = earlier.countIn(one.store) === 0 && { first: true as const }
      destinations.push({ ...result, ...made, ...first, ...artifacts, ...(one.free !== undefined && { free: one.free }) })
    }
    const whole = destinations.filter(({ problem }) => problem === undefined)
    if (whole.length === 0) throw this.#opened[0]!.failure
    const complete = whole.length === destinations.length || this.#inputs.destinationsRequired === 'one'
    return { destinations, complete, verified: whole.some(({ verified }) => verified === 'none') ? 'none' : this.#inputs.verify }
  }

  /** Why nothing is pruned in a destination. */
  #uncomparedIn({ name, store, failure }: OpenDestination, earlier: PreviousBackups): string | undefined {
    const uncompared = failure === undefined && Object.keys(this.#inputs.retention).length > 0 && earlier.uncomparedIn(store)
    if (!uncompared) return undefined
    this.#environment.report.warning(
      `nothing was pruned in ${name}: ${uncompared}`,
      'The next backup is compared with this one, and prunes by the policy again. Find out before it why no earlier one could be read: ' +
        marked`‹lifeboat verify; snapshot: all› with ‹set› tells.`,
    )
    return uncompared
  }

  /** The backup is stored by then: if this cannot be told, that is a warning. */
  async #dependedOn(store: Store): Promise<Pick<DestinationResult, 'artifacts' | 'lost'>> {
    try {
      const found = await dependedOn(store)
      for (const line of lostLines(found)) this.#environment.report.warning(line, 'This snapshot needs nothing of it.')
      return found
    } catch (error) {
      const { signal, report } = this.#environment
      signal.throwIfAborted()
      if (!(error instanceof LifeboatError)) throw error
      report.warning(`how many snapshots depend on each artifact is not known: ${error.message}`, error.hint)
      return {}
    }
  }

  async #concludeIn(
    one: OpenDestination,
    id: string,
    keys: Keys,
    how: Verifying,
    context: SourceContext,
    { prune, held }: { prune: boolean; held: string | undefined },
  ): Promise<DestinationResult> {
    const { name, store } = one
    try {
      if (one.failure !== undefined) return { name, verified: 'none', problem: messageOf(one.failure) }
      const back = await this.#readBack(one, id, keys, how, context)
      const { verified } = back
      const pruning = prune && Object.keys(this.#inputs.retention).length > 0
      // A prune tells of it as well.
      if (!pruning || held !== undefined || verified === 'none') await this.#tellOfMissing(one, keys)
      if (!pruning) return { name, ...back }
      if (held !== undefined) return { name, ...back, prune: { skipped: held } }
      const policy = { ...this.#inputs, destination: name }
      return { name, ...back, prune: await pruneAfterBackup(store, keys, policy, id, verified, this.#environment) }
    } catch (error) {
      const { signal, report } = this.#environment
      if (signal.aborted) {
        report.warning(`snapshot ${id} was stored in ${name} before the interruption, and is whole; only its verification was not finished`)
      }
      if (signal.aborted || this.#opened.length === 1) throw error
      this.#giveUp(one, error)
      return { name, verified: 'none', problem: messageOf(error) }
    }
  }

  async #readBack(
    { store, name }: OpenDestination,
    id: string,
    keys: Keys,
    how: Verifying,
    context: SourceContext,
  ): Promise<Pick<DestinationResult, 'verified' | 'drill' | 'attested'>> {
    const { verify, set, attest, access } = this.#inputs
    // An object can be found damaged, as a base, after the snapshot has come to list it.
    if (verify === 'none' && !how.suspects?.size) return { verified: 'none' }
    const key = snapshotKey(set, id)
    const snapshot = await readAuthentic(store, key, keys)
    const drill = slicesIn(drillOptions, this.#inputs)
    const found = await verifySnapshot(snapshot, verify === 'none' ? 'list' : verify, store, context, { ...how, drill })
    const { kept: _, ...attested } = await keepProofs([found], store, keys, this.#environment, attest ? access : undefined)
    const { result, unmet, failedDrill, problems } = found
    const figures = drilled(found.sources, found.seconds)
    if (result === 'verified') return { verified: verify, ...attested, ...(figures && { drill: figures }) }
    if (keys.identity === undefined && result === 'could not verify') {
      this.#environment.report.warning(
        `snapshot ${id} is stored in ${name}, its signature and the presence of every chunk are checked, but a write key cannot read ` +
          'it back',
        'Run verify with the identity somewhere else, for instance in a weekly job.',
      )
      return { verified: 'none', ...attested }
    }
    if (unmet === 'all else verified') {
      throw new LifeboatError(`snapshot ${id} was stored, and what was restored from it is equal, but: ${problems.join('; ')}`, {
        hint: 'The backup is whole. Look at the data of the source, or correct the condition.',
      })
    }
    if (unmet) {
      const found = 'a condition does not hold, and not all could be verified'
      throw new LifeboatError(`snapshot ${id} was stored, but ${found}: ${problems.join('; ')}`, {
        hint: 'Nothing was found damaged. Do not count on the backup before a verify has succeeded.',
      })
    }
    if (failedDrill) {
      const made = { destination: name, set, snapshot: id }
      const rows = found.sources.some((source) => source.failedDrill && isDatabase(source)) ? ` ${rowsOf(made)}` : ''
      throw new LifeboatError(`snapshot ${id} was stored, and failed its drill: ${problems.join('; ')}`, {
        hint: `No object of it was found damaged. ${afterFailedDrill(made)}${rows}`,
      })
    }
    const outcome = result === 'failed' ? 'does not verify' : 'could not be verified'
    throw new LifeboatError(`snapshot ${id} was stored but ${outcome}: ${problems.join('; ')}`, {
      hint:
        result === 'failed'
          ? 'Do not count on it, and verify earlier snapshots, which may share what is damaged. Run the backup again: it stores ' +
            'again what was found damaged.'
          : 'Do not count on it before a verify has succeeded.',
      status: result === 'failed' ? 1 : 3,
    })
  }

  async #tellOfMissing({ name, store }: OpenDestination, keys: Keys): Promise<void> {
    const { report } = this.#environment
    const { set } = this.#inputs
    const missing = await missingSnapshots(store, keys, set, warningOf(report))
    if (missing.length === 0) return
    report.warning(missingText(store, missing), missingHint(`once: ${acceptLoss(set, name)}`, set, name))
  }

  #giveUp(one: OpenDestination, error: unknown): void {
    one.failure = error
    this.#environment.report.warning(
      `${one.name} failed; the backup continues without it: ${messageOf(error)}`,
      error instanceof LifeboatError ? error.hint : undefined,
    )
  }

  async close(): Promise<void> {
    await this.store.close()
  }
}
