import { performance } from 'node:perf_hooks'
import type { Environment } from '../../environment.ts'
import { LifeboatError, messageOf } from '../../error.ts'
import { marked, markedCommand } from '../../marks.ts'
import { formatCount } from '../../report/format.ts'
import { warningOf } from '../../report/warnings.ts'
import {
  decodedOr, findSnapshot, idOf, noSuchSet, readAuthentic, setOf, type SnapshotChoice, snapshotKeys,
} from '../../repository/catalog.ts'
import { checkListing } from '../../repository/listing.ts'
import { copyKeyFiles } from '../../repository/key-files.ts'
import type { Keys } from '../../repository/keys.ts'
import type { Level } from '../../repository/levels.ts'
import { openKeys } from '../../repository/open-keys.ts'
import { noneOfKey, requireSnapshotOfKey } from '../../repository/other-key.ts'
import { DamagedChunk } from '../../repository/reader.ts'
import { type CopyOptions, copySnapshot } from '../../repository/copy.ts'
import { CopiedDamage } from '../../repository/copy-damage.ts'
import { OtherKey } from '../../repository/snapshot.ts'
import { openOrMakeRepository, openRepository } from '../../repository/repository.ts'
import { authenticatorOf } from '../../repository/authenticator.ts'
import { openStore, warnOfLoss } from '../../stores/destination.ts'
import type { Store } from '../../stores/store.ts'
import { secondsSince } from '../../process/elapsed.ts'
import { afterFailedDrill } from '../back-up-again.ts'
import { warnIfClosed } from '../key-files/closed.ts'
import { lookingAs } from '../with-store.ts'
import type { CopyInputs } from './inputs.ts'
import type { CopyResult } from './result.ts'

/**
 * Copies snapshots from one store to another, oldest first, as they are: encrypted, and only what the other store lacks, or knows to be
 * damaged, is transferred. A snapshot that the first store does not have whole is not put there; it is in the result, and the
 * others are copied.
 */
export async function copy(inputs: CopyInputs, environment: Environment): Promise<CopyResult> {
  const started = performance.now()
  const from = await openStore(inputs.from, { ...inputs.access, set: inputs.set }, environment)
  try {
    warnOfLoss(inputs.destination, environment)
    await openRepository(from, marked`‹from›`)
    const keys = await openKeys(inputs.key, { store: from, create: false, onDamaged: warningOf(environment.report) })
    await requireSnapshotOfKey(from, keys)
    const chosen = await choose(from, keys, inputs, environment)
    await requireOneOfKey(chosen.toReversed(), inputs.set, from, keys, environment.signal)
    const snapshots: CopyResult['snapshots'] = []
    const verification = (set: string) => verify(inputs.destination, { set, snapshot: 'all', level: 'read' })
    let made = false
    for (const [set, ofSet] of Map.groupBy(chosen, setOf)) {
      // For each set again: artifacts are put for one set.
      const to = await openStore(inputs.destination, { ...inputs.access, set }, environment)
      try {
        to.groups?.authenticate(authenticatorOf(keys))
        made = (await openOrMakeRepository(to, inputs)) || made
        await copyKeyFiles(from, to, new Set([keys, ...keys.others].map(({ fingerprint }) => fingerprint)))
        if (!to.groups) await warnIfClosed(to, inputs.key, environment.report)
        const damage = await CopiedDamage.of(from, to, keys, set, warningOf(environment.report))
        for (const key of ofSet) {
          const activity = `copying snapshot ${snapshots.length + 1} of ${chosen.length}`
          snapshots.push(
            await copyOne(
              key,
              from,
              to,
              inputs.destination,
              { keys, damage, grace: inputs.grace },
              environment,
              (bytes) => environment.report.progress({ activity, done: bytes }),
            ),
          )
        }
        if (damage.unchecked.size > 0) {
          const [count, one] = [formatCount(damage.unchecked.size, 'object'), damage.unchecked.size === 1]
          environment.report.warning(
            `set ${set}: ${count} that ${inputs.destination.text} lacked, or knows to be damaged, ${one ? 'is' : 'are'} the same ` +
              `there as in ${from.name} now, and ${one ? 'was' : 'were'} not checked`,
            `Verify that store with the identity: ${verification(set)}.`,
          )
        }
      } finally {
        await to.close()
      }
    }
    const copied = snapshots.reduce((sum, { bytes }) => sum + bytes, 0)
    for (const [set, ofSet] of Map.groupBy(snapshots.filter(({ repaired }) => repaired !== undefined), (one) => one.set)) {
      const objects = formatCount(ofSet.reduce((sum, { repaired = 0 }) => sum + repaired, 0), 'object')
      environment.report.info(
        `set ${set}: ${objects} missing or damaged in ${inputs.destination.text} before can be read there now. ` +
          `Verify the snapshots of that store: ${verification(set)}`,
      )
    }
    for (const [set, ofSet] of Map.groupBy(snapshots, (one) => one.set)) warnOfRepaired(set, ofSet, inputs.from, environment)
    const places = { from: from.name, to: inputs.destination.text, ...(made && { newStore: true as const }) }
    return { ...places, snapshots, bytes: copied, seconds: secondsSince(started) }
  } finally {
    await from.close()
  }
}

/** The command that verifies snapshots of one of the two stores. */
function verify({ text }: CopyInputs['destination'], given: { set: string; snapshot: string; level: Level }): string {
  return markedCommand('verify', { ...given, destination: text })
}

/** Tells which snapshots of a set have to be verified again in the store that they come from: of drills, which take long, the newest. */
function warnOfRepaired(set: string, copied: CopyResult['snapshots'], from: CopyInputs['from'], { report }: Environment): void {
  for (const [level, ofLevel] of Map.groupBy(copied, ({ repairedSince }) => repairedSince)) {
    if (level === undefined) continue
    const newest = ofLevel.at(-1)!.snapshot
    const those = ofLevel.length > 1 ? `${ofLevel.length} snapshots, the newest ${newest},` : `snapshot ${newest}`
    const snapshot = ofLevel.length > 1 && level !== 'drill' ? 'all' : newest
    report.warning(
      `set ${set}: ${those} failed verification at level ${level} in ${from.text}; the objects damaged then have been found good since`,
      `Verify that store once more: ${verify(from, { set, snapshot, level })}.`,
    )
  }
}

/** Keys of the snapshots to copy, oldest first; without a set those of every set. Throws when there is none. */
async function choose(
  from: Store, keys: Keys, { set, snapshot }: Pick<CopyInputs, 'set' | 'snapshot'>, environment: Environment,
): Promise<string[]> {
  const find = async (inSet: string, choice: SnapshotChoice): Promise<string> => (await findSnapshot(
    from,
    keys,
    inSet,
    choice,
    lookingAs(environment),
  )).key
  if (snapshot !== 'all' && snapshot.kind === 'id') return [await find(set ?? '', snapshot)]
  const all = (await snapshotKeys(from, set)).toReversed()
  if (all.length === 0) {
    await checkListing(from, set)
    throw set === undefined ? new LifeboatError(
      `${from.name} has no snapshot to copy`,
      { hint: marked`Check ‹from›. The first backup makes a snapshot.` },
    ) : await noSuchSet(from, set, marked`‹from›`)
  }
  if (snapshot === 'all') return all
  const newest: string[] = []
  for (const one of new Set(all.map(setOf))) newest.push(await find(one, snapshot))
  return newest
}

/** Throws if all are of other keys: nothing can be copied then, and no store is made for it. The newest are most often of this one. */
async function requireOneOfKey(
  newestFirst: readonly string[], set: string | undefined, from: Store, keys: Keys, signal: AbortSignal,
): Promise<void> {
  const fingerprints = new Set<string>()
  for (const key of newestFirst) {
    signal.throwIfAborted()
    const unread: LifeboatError[] = []
    await decodedOr(unread, () => readAuthentic(from, key, keys))
    if (!(unread[0] instanceof OtherKey)) return
    fingerprints.add(unread[0].fingerprint)
  }
  throw noneOfKey({ name: set === undefined ? from.name : `set ${set} of ${from.name}` }, newestFirst.length, keys, [...fingerprints])
}

async function copyOne(
  key: string,
  from: Store,
  to: Store,
  destination: CopyInputs['destination'],
  how: Pick<CopyOptions, 'keys' | 'damage' | 'grace'>,
  environment: Environment,
  onBytes: (bytes: number) => void,
): Promise<CopyResult['snapshots'][number]> {
  const { signal, report } = environment
  const snapshot = idOf(key)
  const set = setOf(key)
  try {
    const { isNew, bytes, chunks, repaired, problem, failed = 'read', ...standing } = await copySnapshot(
      key,
      { ...how, from, to, signal, now: () => environment.now(), onBytes, onDamaged: warningOf(report) },
    )
    if (standing.damaged !== undefined) {
      report.warning(
        `snapshot ${snapshot} of set ${set} is damaged in ${from.name}: ${standing.damaged}`,
        'Its copy is no better, unless the other store had these objects before. Back up again, and verify the copy: ' +
          `${verify(destination, { set, snapshot, level: failed })}.`,
      )
    }
    if (standing.failedDrill !== undefined)
      report.warning(
        `snapshot ${snapshot} of set ${set} failed its drill in ${from.name}: ${standing.failedDrill}`,
        `Its copy is the same. ${afterFailedDrill({ destination: destination.text, set, snapshot })}`,
      )
    return {
      snapshot, set, outcome: problem !== undefined ? 'failed' : isNew ? 'copied' : 'was there', bytes, chunks,
      ...standing, ...(repaired > 0 && { repaired }), ...(problem !== undefined && { problem }),
    }
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof LifeboatError)) throw error
    if (error instanceof DamagedChunk) report.warning(
      `snapshot ${snapshot} of set ${set} is not whole in ${from.name}, and was not copied: ${error.message}`,
      'Verify that store, which records the damage, and back up again: the new snapshot can be copied. To restore what is whole of this ' +
        `one, from that store: ${markedCommand('restore', { snapshot, 'skip-damaged': 'true' })}.`,
    )
    return { snapshot, set, outcome: 'failed', bytes: 0, chunks: 0, problem: messageOf(error) }
  }
}
