import type { Environment } from '../../environment.ts'
import { warningOf } from '../../report/warnings.ts'
import type { BackupInputs } from './inputs.ts'
import { parseEncryptionKey } from '../../repository/keys.ts'
import { openKeys } from '../../repository/open-keys.ts'
import { largestOf } from '../../sources/growth.ts'
import type { SourceContext } from '../../sources/source-kind.ts'
import { Destinations } from './destinations.ts'
import { stopwatch } from '../../process/elapsed.ts'
import { PreviousBackups } from './previous.ts'
import { beginSnapshot, commitSnapshot } from './new-snapshot.ts'
import { despite, whileQuiet } from '../quiesce.ts'
import type { BackupResult } from './result.ts'
import { OpenedSources } from './opened-sources.ts'
import { Recovery } from './recovery.ts'
import { sourcesOf } from './sources.ts'
import { type RecordedSource, storeUntilSound } from './store-sources.ts'
import { warnOfEmpty, warnOfHeldPrune, warnOfOtherKey, warnOfRecipients, warnOfShrinking } from './warnings.ts'

export const NOT_BACKED_UP = 'Fix the command or what it reports, and back up again. Nothing was backed up.'

/**
 * Backs up every source into one snapshot of the set, and reads it back. Throws, and puts no snapshot, unless all of them ended well.
 * `until`: of a safety backup, until when it is kept. It may be of other sources than the one before: nothing is compared, every byte is
 * read, and nothing is pruned.
 */
export async function backup(inputs: BackupInputs, environment: Environment, until?: Date): Promise<BackupResult> {
  const elapsed = stopwatch(environment)
  const { set } = inputs
  parseEncryptionKey(inputs.key)
  const context: SourceContext = { ...environment, clientInstall: inputs.clientInstall }
  const sources = new OpenedSources(() => sourcesOf(inputs, context))
  const destinations = await Destinations.open(inputs, environment)
  let previous: PreviousBackups | undefined
  try {
    await sources.open()
    await destinations.prepare()
    const { store } = destinations
    const keys = await openKeys(
      inputs.key,
      {
        store,
        recipients: inputs.recipients,
        create: true,
        onDamaged: warningOf(environment.report),
        onNewKey: () => environment.report.info(`a new key was made for ${store.name}; only this passphrase opens it`),
      },
    )
    const earlier = previous = await PreviousBackups.load(store, keys, inputs, environment)
    const { known, reused } = earlier
    const standing = until ? undefined : await Recovery.of(inputs, store, keys, environment)
    if (!until) warnOfRecipients(known, environment)
    if (earlier.otherKey) warnOfOtherKey(earlier.otherKey, set, keys.fingerprint, environment)
    if (!until) destinations.tellOfLacking(earlier)
    await destinations.lookForSpace(known.newest?.added)

    const begun = await beginSnapshot(store, keys, earlier, inputs, environment)
    const { result: read, notResumed } = await whileQuiet(
      inputs.hooks,
      environment,
      () => storeUntilSound(sources, begun, until ? [] : (known.newest?.sources ?? []), environment),
      NOT_BACKED_UP,
    )
    const { snapshot: { id, time, writer }, stored } = read
    const results = stored.map(({ result }) => result)
    const done = await despite(notResumed, environment, async () => {
      const { checked, damaged } = await reused.conclude(set)
      await standing?.keep()
      const committed = await commitSnapshot(read, store, keys, { ...inputs, until }, elapsed, environment)
      environment.leaves?.(`snapshot ${id} of set ${set} was stored`)
      const { held, ...compared } = until
        ? { shrunk: [], largest: [] }
        : await compareWith(earlier, destinations, { id, size: committed.size, stored, damaged }, inputs, environment)
      // Frees the facts of many tables: reading the snapshot back needs the memory.
      stored.length = 0
      await sources.close()
      // Chunks are looked for before they are reused, so they are not looked for again.
      const prune = { prune: !until && notResumed === undefined, held, damaged }
      const concluded = await destinations.conclude(id, keys, earlier, new Set(writer.reused()), context, prune)
      return { ...committed, ...compared, ...concluded, ...(keys.identity !== undefined && { checked }) }
    })
    const { added, newChunks, deltaChunks, forRecipients, repaired } = writer
    return {
      snapshot: id,
      set,
      time: time.toISOString(),
      ...done,
      added,
      newChunks,
      deltaChunks,
      levels: [...writer.levels].map(([level, chunks]) => ({ level, chunks })).toSorted((one, other) => other.chunks - one.chunks),
      seconds: elapsed.seconds(),
      ...(forRecipients.chunks > 0 && { forRecipients }),
      ...(repaired.chunks > 0 && { repaired }),
      ...(earlier.otherKey && { otherKey: earlier.otherKey }),
      ...(notResumed !== undefined && { notResumed }),
      ...(standing && { recovered: standing.recovered }),
      onShrink: inputs.onShrink,
      sources: results,
      ...(await earlier.recentWith(id)),
    }
  } finally {
    await sources.close()
    await previous?.close()
    await destinations.close()
  }
}

/**
 * Warns of what has become much less or is empty. `damaged`: keys of objects that this backup found damaged. `held`: why nothing is pruned
 * then.
 */
async function compareWith(
  earlier: PreviousBackups,
  destinations: Destinations,
  { id, size, stored, damaged }: { id: string; size: number; stored: readonly RecordedSource[]; damaged: ReadonlySet<string> },
  { set, retention }: Pick<BackupInputs, 'set' | 'retention'>,
  environment: Environment,
): Promise<Pick<BackupResult, 'shrunk' | 'largest'> & { held?: string }> {
  const { newest } = earlier
  const isDamaged = newest !== undefined && earlier.newestIsDamaged(damaged)
  const before = { id: newest?.id, damaged: isDamaged, set, places: destinations.having(newest?.id, earlier) }
  const records = stored.map(({ record }) => record)
  const shrunk = await earlier.shrunk(records, size)
  warnOfShrinking(shrunk, id, before, environment)
  warnOfEmpty(stored.map(({ result }) => result), shrunk, environment)
  const held = shrunk.length > 0 ? 'something lost more than half of what it had, or is gone' : undefined
  if (held !== undefined && Object.keys(retention).length > 0) warnOfHeldPrune(held, before, environment)
  return { shrunk, largest: largestOf(newest?.sources, records), ...(held !== undefined && { held }) }
}
