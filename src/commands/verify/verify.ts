import { performance } from 'node:perf_hooks'
import type { Environment } from '../../environment.ts'
import { LifeboatError, messageOf } from '../../error.ts'
import { slicesIn } from '../../inputs/group.ts'
import { drillOptions } from '../../inputs/kind-options.ts'
import { warningOf } from '../../report/warnings.ts'
import { findSnapshot, idOf, noSnapshotIn, readAuthentic, setMeant, snapshotKeys } from '../../repository/catalog.ts'
import type { Keys } from '../../repository/keys.ts'
import { safetyBackupHint } from '../../repository/safety-backups.ts'
import { SetProofs } from '../../repository/set-proofs.ts'
import { type AuthenticSnapshot, timeOfId } from '../../repository/snapshot.ts'
import { damageIn, newestGood, objectsOf, type DividedSources } from '../../repository/wholeness.ts'
import { isDatabase } from '../../sources/nouns.ts'
import { requireNewest } from '../../repository/withheld.ts'
import { NotFound, type Store } from '../../stores/store.ts'
import { VERSION } from '../../version.ts'
import { secondsSince } from '../../process/elapsed.ts'
import { inParallel } from '../../process/parallel.ts'
import { afterFailedDrill, BACK_UP_AGAIN, rowsOf } from '../back-up-again.ts'
import { compareRecoveryFiles, lookingAs, setFor, withStore } from '../with-store.ts'
import type { VerifyInputs } from './inputs.ts'
import { isDamage } from './outcome.ts'
import { keepProofs } from './proof.ts'
import type { SnapshotVerified, Unmet, VerifyResult } from './result.ts'
import type { Level } from '../../repository/levels.ts'
import { verifySnapshot } from './verify-snapshot.ts'
import { wholeSources, wholeSourcesText } from '../whole-sources.ts'

/**
 * Reads a snapshot back, or each of a set, and says whether it is good. Throws only for what leaves nothing to verify: no store, wrong
 * key, no such snapshot.
 */
export async function verify(inputs: VerifyInputs, environment: Environment): Promise<VerifyResult> {
  const started = performance.now()
  const { snapshot: choice, level } = inputs
  const attesting = inputs.attest ? inputs.access : undefined
  const set = choice === 'all' ? inputs.set : setFor(inputs.set, choice)
  return withStore({ ...inputs, set }, environment, async (store, keys) => {
    await compareRecoveryFiles(store, environment)
    const context = { ...environment, clientInstall: inputs.clientInstall }
    const drill = slicesIn(drillOptions, inputs)
    const verifyOne = async (snapshot: AuthenticSnapshot, proofs: SetProofs): Promise<SnapshotVerified> =>
      verifySnapshot(snapshot, level, store, context, { suspects: await proofs.damagedSince(new Date(snapshot.header.time)), drill })
    const list = (set: string): Promise<SetProofs> => SetProofs.list(store, keys, set, warningOf(environment.report))
    if (choice !== 'all') {
      const newer: SnapshotVerified[] = []
      const looking = lookingAs(environment)
      const snapshot = await findSnapshot(store, keys, inputs.set, choice, {
        ...looking,
        onPassedOver: (error, { key, reason }) => {
          looking.onPassedOver(error, { key })
          // The snapshot that was asked for is damaged; one taken in its place says nothing about it.
          if (!isDamage(reason) || choice.kind === 'id') return
          newer.push(unread(key, inputs.set, level, { problem: messageOf(reason), damaged: true }))
        },
      })
      if (level !== 'list') await store.groups?.requireRequests(objectsOf(snapshot).keys(), { withNeeds: false })
      const found = await verifyOne(snapshot, await list(snapshot.header.set))
      const { kept, ...attested } = await keepProofs([found], store, snapshot.keys, environment, attesting)
      const all = [...newer, found]
      const advice = await adviceAbout(all, kept, store, keys, environment)
      const one = newer.length === 0 ? found : { ...together(all), seconds: secondsSince(started), snapshots: all }
      return { ...one, ...attested, advice }
    }
    const found: SnapshotVerified[] = []
    const meant = await setMeant(store, inputs.set)
    const proofs = await list(meant)
    const all = await snapshotKeys(store, meant)
    await store.groups?.requireRequests(all, { withNeeds: level !== 'list' })
    for (const key of all) {
      const snapshot = await readable(key, store, keys)
      if (snapshot) found.push('header' in snapshot ? await verifyOne(snapshot, proofs) : unread(key, meant, level, snapshot))
    }
    if (found.length === 0) throw await noSnapshotIn(store, meant)
    await requireNewest(store, all[0]!)
    const read = found.filter(({ versions }) => Object.keys(versions).length > 0)
    const { kept, ...attested } = await keepProofs(read, store, keys, environment, attesting)
    return {
      ...together(found),
      ...attested,
      seconds: secondsSince(started),
      advice: await adviceAbout(found, kept, store, keys, environment),
      snapshots: found,
    }
  })
}

interface Unread {
  problem: string
  damaged: boolean
}

/** Undefined for one that is gone. */
async function readable(key: string, store: Store, keys: Keys): Promise<AuthenticSnapshot | Unread | undefined> {
  try {
    return await readAuthentic(store, key, keys)
  } catch (error) {
    if (error instanceof NotFound) return undefined
    if (!(error instanceof LifeboatError)) throw error
    return { problem: messageOf(error), damaged: isDamage(error) }
  }
}

/** A snapshot object that cannot be read. Without a signature that holds, there is nothing to keep a proof of. */
function unread(key: string, set: string, level: Level, { problem, damaged }: Unread): SnapshotVerified {
  const snapshot = idOf(key)
  return {
    snapshot,
    set,
    time: timeOfId(snapshot),
    level,
    result: damaged ? 'failed' : 'could not verify',
    problems: [problem],
    damaged: [],
    good: [],
    chunks: 0,
    bytes: 0,
    seconds: 0,
    sources: [],
    versions: {},
  }
}

const WORST_FIRST = ['failed', 'could not verify', 'verified'] as const

function together(found: readonly SnapshotVerified[]): SnapshotVerified {
  const sum = (count: (one: SnapshotVerified) => number): number => found.reduce((total, one) => total + count(one), 0)
  const failed = found.filter(({ result }) => result === 'failed')
  const { unmet: _, failedDrill: __, ...newest } = found[0]!
  return {
    ...newest,
    result: WORST_FIRST.find((result) => found.some((one) => one.result === result))!,
    ...(failed.length > 0 && failed.every(({ unmet }) => unmet !== undefined) && { unmet: worstOf(failed) }),
    ...(failed.length > 0 && failed.every(({ failedDrill }) => failedDrill) && { failedDrill: true }),
    problems: found.flatMap(({ snapshot, problems }) => problems.map((problem) => `${snapshot}: ${problem}`)),
    damaged: [...new Set(found.flatMap(({ damaged }) => damaged))],
    good: [...new Set(found.flatMap(({ good }) => good))],
    chunks: sum(({ chunks }) => chunks),
    bytes: sum(({ bytes }) => bytes),
    sources: [],
    versions: Object.assign({ lifeboat: VERSION }, ...found.map(({ versions }) => versions)),
  }
}

function worstOf(unmet: readonly SnapshotVerified[]): Unmet {
  return unmet.every((one) => one.unmet === 'all else verified') ? 'all else verified' : 'not all else verified'
}

const ABOUT_CONDITIONS =
  'The backup is whole, and what was restored from it is equal: either the data was not as expected when the backup was made, or ' +
  'the condition is wrong.'

/** Advice about snapshots of a set that failed; `kept`: whether the next backup will know of the damage. */
async function adviceAbout(
  found: readonly SnapshotVerified[],
  kept: boolean,
  store: Store,
  keys: Keys,
  { report }: Environment,
): Promise<string[]> {
  const failed = found.filter(({ result, unmet }) => result === 'failed' && !unmet)
  const unmet = found.some((one) => one.unmet === 'all else verified') ? [ABOUT_CONDITIONS] : []
  if (failed.length === 0) return unmet
  const { set } = failed[0]!
  const ids = new Set(failed.map(({ snapshot }) => snapshot))
  const damaged = new Set(failed.flatMap((one) => one.damaged))
  const snapshots = await snapshotKeys(store, set)
  const proofs = await SetProofs.list(store, keys, set, warningOf(report))
  const sources = failedSources(failed[0]!)
  // Of the others that failed for objects, sources may be whole.
  const hit = new Map(failed.slice(1).filter((one) => one.damaged.length > 0).map((one) => [one.snapshot, failedSources(one)]))
  const others = snapshots.filter((key) => !ids.has(idOf(key)) || hit.has(idOf(key)))
  const newest = async (wanted: readonly string[]): Promise<Alternative | undefined> => {
    const { good } = await newestGood(store, keys, others, {
      proofs, verified: false, damaged, bySource: true,
      wanted: (names, id) => wanted.every((name) => names.includes(name) && !hit.get(id)?.includes(name)),
    })
    return good && { id: good.snapshot.header.id, wanted, parts: good.parts }
  }
  const good = await newest(sources)
  const parts = good || sources.length < 2 ? []
    : (await inParallel(sources.slice(0, MOST_SOUGHT), 2, (source) => newest([source]))).filter((part) => part !== undefined)
  const backups = failed.every(({ failedDrill }) => failedDrill)
    ? aboutFailedDrills(failed, found, snapshots)
    : await aboutBackups(set, ids, damaged, kept, snapshots, store, keys)
  const safety = good ? undefined : await safetyBackupHint(store, keys, set, {
    wanted: (names) => sources.some((source) => names.includes(source)), damaged,
    has: `${sources.length > 1 ? 'some of ' : ''}${sources.join(', ')}`,
  }, warningOf(report))
  return [...unmet, ...backups, aboutRestores({ good, parts, sources }, failed, set), ...(safety === undefined ? [] : [safety])]
}

/** The sources that a restore has to find in another snapshot: those that failed, or all where none did by itself. */
function failedSources({ sources }: SnapshotVerified): string[] {
  const failed = sources.filter(({ result }) => result !== 'verified')
  return (failed.length > 0 ? failed : sources).map(({ name }) => name)
}

/** A backup repairs what it would list itself: nothing in an older snapshot. */
async function aboutBackups(
  set: string,
  failed: ReadonlySet<string>,
  damaged: ReadonlySet<string>,
  kept: boolean,
  snapshots: readonly string[],
  store: Store,
  keys: Keys,
): Promise<string[]> {
  const [newestKey] = snapshots
  if (newestKey === undefined) return []
  const id = idOf(newestKey)
  const newest = await readable(newestKey, store, keys)
  const hit = failed.has(id) || (newest !== undefined && 'header' in newest && damageIn(newest, damaged) !== undefined)
  if (!hit) {
    return [`The newest snapshot, ${id}, is not affected; a new backup is not needed.`]
  }
  if (damaged.size === 0) return [BACK_UP_AGAIN[newest !== undefined && 'header' in newest ? 'intact' : 'damaged'](set)]
  return [kept ? BACK_UP_AGAIN.damaged(set) : 'The next backup does not know of the damage, as this result could not be kept. ' +
    'Verify again where it can be, then back up: that stores again what is damaged.']
}

/** Of snapshots that all are whole: the source is to be corrected, and the rows of the newest of them can be had now. */
function aboutFailedDrills(
  failed: readonly SnapshotVerified[], found: readonly SnapshotVerified[], snapshots: readonly string[],
): string[] {
  const { set, snapshot, sources } = failed[0]!
  const newest = snapshots[0] && idOf(snapshots[0])
  const passed = found.some((one) => one.snapshot === newest && one.result === 'verified')
  const database = sources.find((source) => source.failedDrill && isDatabase(source))?.name
  const many = sources.filter(isDatabase).length > 1
  return [
    passed ? `The newest snapshot, ${newest}, passed its drill: a new backup is not needed.` : afterFailedDrill({ set, snapshot }),
    ...(database === undefined ? [] : [rowsOf({ snapshot, ...(many && { database }) })]),
  ]
}

/** The newest other snapshot that has these sources whole. */
interface Alternative {
  id: string
  wanted: readonly string[]
  parts: DividedSources
}

/** Each takes a look at all snapshots of the set. */
const MOST_SOUGHT = 10

/** `parts`: for each of the sources the newest that has it, if none has all. */
function aboutRestores(
  { good, parts, sources }: { good: Alternative | undefined; parts: readonly Alternative[]; sources: readonly string[] },
  failed: readonly SnapshotVerified[],
  set: string,
): string {
  const drills = failed.some(({ failedDrill }) => failedDrill)
  const having = sources.length === 0 ? '' : ` with ${sources.join(', ')}`
  if (good) {
    if (good.parts.damaged.length > 0) return wholePart([good], set)
    const sound = drills ? 'failed no drill' : 'not known to be damaged'
    return `To restore now, use snapshot ${good.id}, the newest${having} that is whole and ${sound}.`
  }
  const sound = drills ? ' and failed no drill' : ''
  const none = `No ${failed.length === 1 ? 'other ' : ''}snapshot of set ${set}${having} is known to be whole${sound}.`
  return [none, ...[...Map.groupBy(parts, ({ id }) => id).values()].map((some) => wholePart(some, set))].join(' ')
}

/** Alternatives that are the same snapshot. */
function wholePart(some: readonly Alternative[], set: string): string {
  const { id, parts } = some[0]!
  const names = new Set(some.flatMap(({ wanted }) => wanted))
  return wholeSourcesText(wholeSources(id, parts, (name) => names.has(name)), { set })
}
