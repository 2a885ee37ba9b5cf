import type { Environment } from '../../environment.ts'
import { markedCommand } from '../../marks.ts'
import { EVERY_FILE } from '../../sources/files/selection.ts'
import { groupedByKind } from '../../sources/known-kinds.ts'
import type { Diagnosed, SourceContext } from '../../sources/source-kind.ts'
import { badFinding, type Finding } from '../../report/finding.ts'
import { formatBytes, formatCount } from '../../report/format.ts'
import { namedSets, readAuthentic, setOf, snapshotKeys } from '../../repository/catalog.ts'
import type { Keys } from '../../repository/keys.ts'
import { openKeys } from '../../repository/open-keys.ts'
import { keysText, requireSnapshotOfKey } from '../../repository/other-key.ts'
import { checkListing } from '../../repository/listing.ts'
import { differingProblem, differingRecoveryFiles } from '../../repository/recovery.ts'
import { openRepository, requirePlace } from '../../repository/repository.ts'
import { OtherKey } from '../../repository/snapshot.ts'
import { FileStore } from '../../stores/file/store.ts'
import { type Destination, openStore } from '../../stores/destination.ts'
import { isThere, type Store } from '../../stores/store.ts'
import { tryStore } from './try-store.ts'
import type { DoctorInputs } from './inputs.ts'
import type { DoctorResult } from './result.ts'
import { spaceIn } from '../space.ts'

/**
 * Tries destinations and databases for real, and says what to fix. Throws only when it is interrupted: what fails is what it is here to
 * tell.
 */
export async function doctor(inputs: DoctorInputs, environment: Environment): Promise<DoctorResult> {
  const tried: (Tried & { about: string })[] = []
  for (const one of inputs.destinations) tried.push({ about: one.text, ...(await tryDestination(one, inputs, environment)) })
  const { findings, size } = await tryDatabases(inputs, environment)
  const checks = [...tried.flatMap(({ checks }) => checks), ...lackingBackups(tried), ...findings]
  for (const { about, free } of tried) if (free !== undefined) checks.push(judgeSpace(about, free, size))
  return { checks, inputs: [...(environment.configuration?.origins ?? [])] }
}

/** Connects to each database, for real. `size`: of all of them, on their servers' disks. */
export async function tryDatabases(
  { databases, clientInstall, access }: Pick<DoctorInputs, 'databases' | 'clientInstall' | 'access'>, environment: Environment,
): Promise<Diagnosed> {
  const all: Diagnosed = { findings: [], size: 0 }
  const context: SourceContext = { ...environment, clientInstall }
  const { list, tunnel } = databases
  const given = list.map(({ name, ...location }) => ({ name, location, patterns: EVERY_FILE }))
  for (const [kind, some] of groupedByKind(given)) {
    const diagnosed = await kind.diagnose?.(some, { tunnel, ssh: access.ssh, timeout: access.timeout }, context)
    all.findings.push(...(diagnosed?.findings ?? []))
    all.size += diagnosed?.size ?? 0
  }
  return all
}

/**
 * Of what databases take on their server's disk, a first backup usually stores this much at most: there are no indexes in it, and it is
 * compressed. Where they hold what is compressed or encrypted already, it stores nearly all.
 */
const USUAL_PART = 1 / 3

/** `size`: of the databases, on their servers' disks; 0 when none was looked at. Pure. */
export function judgeSpace(about: string, free: number, size: number): Finding {
  const stores = `; a first backup of these databases usually stores up to ${formatBytes(size * USUAL_PART)}, and up to ` +
    `${formatBytes(size)} if most of it is compressed or encrypted already; later ones store what changed`
  const says = `${formatBytes(free)} free${size > 0 ? stores : ''}`
  if (size <= free) return { about, check: 'space', state: 'good', says }
  return {
    about,
    check: 'space',
    state: 'warning',
    says,
    fix: 'Free some space, or choose another destination, unless most of it is there already: later backups add only what changed.',
  }
}

interface Tried {
  checks: Finding[]
  /** Bytes that still fit, where that can be known. */
  free?: number | undefined
  /** Of several destinations that work: whether it has snapshots. */
  hasBackups?: boolean | undefined
}

/** Warns of each destination without a backup, if another has some. */
function lackingBackups(tried: readonly (Tried & { about: string })[]): Finding[] {
  const having = tried.find(({ hasBackups }) => hasBackups)
  if (!having) return []
  return tried.filter(({ hasBackups }) => hasBackups === false).map(({ about }) => ({
    about, check: 'backups', state: 'warning', says: `there are none, and ${having.about} has some`,
    fix: 'If there were some, look for the disk that is not mounted, or who deleted them. If it is new: ' +
      `${markedCommand('copy', { from: having.about, destination: about })}.`,
  }))
}

async function tryDestination(destination: Destination, inputs: DoctorInputs, environment: Environment): Promise<Tried> {
  const about = destination.text
  try {
    const store = await openStore(destination, { ...inputs.access, set: inputs.set }, environment)
    try {
      const checks = await tryStore(store, () => environment.now(), environment.signal)
      const works = checks.every(({ state }) => state !== 'bad')
      if (works && inputs.key !== undefined) checks.push(await tryKey(inputs.key, inputs.set, store))
      checks.push(...(await tryRecoveryFiles(store)))
      const hasBackups = works && inputs.destinations.length > 1 ? (await snapshotKeys(store)).length > 0 : undefined
      return { checks: checks.map((check) => ({ ...check, about })), free: await freeFor(store, environment), hasBackups }
    } finally {
      await store.close()
    }
  } catch (error) {
    environment.signal.throwIfAborted()
    return { checks: [badFinding(about, 'open', error)] }
  }
}

/** Artifacts are staged on this machine before they are uploaded. */
async function freeFor(store: Store, { report }: Environment): Promise<number | undefined> {
  try {
    await requirePlace(store)
  } catch {
    // `put` has told why. The space would be that of another disk.
    return undefined
  }
  return spaceIn(store.groups ? new FileStore(store.groups.staging) : store, undefined, { report })
}

/**
 * Whether a store that is made already carries this version's recovery files; people are told to run the script of a store with their
 * key.
 */
async function tryRecoveryFiles(store: Store): Promise<Finding[]> {
  if (store.groups || !(await isThere(store, 'lifeboat.json'))) return []
  const differing = await differingRecoveryFiles(store)
  if (differing.length === 0) {
    return [{ about: '', check: 'recovery', state: 'good', says: 'RECOVERY.md and recover.sh are those of this version' }]
  }
  const { message, hint } = differingProblem(store, differing)
  return [{ about: '', check: 'recovery', state: 'warning', says: message, fix: hint! }]
}

/** Snapshots that are looked at. */
const LOOKED_AT = 20

/** Whether the key opens the newest snapshots: that of each set, as far as so many are looked at, before all others. */
async function tryKey(encryptionKey: string, set: string, store: Store): Promise<Finding> {
  try {
    const empty: Finding = { about: '', check: 'key', state: 'good', says: 'the store is empty: the first backup will use it' }
    if ((await snapshotKeys(store)).length === 0) {
      if (await isThere(store, 'lifeboat.json')) await checkListing(store)
      return empty
    }
    await openRepository(store)
    const keys = await openKeys(encryptionKey, { store, create: false })
    await requireSnapshotOfKey(store, keys)
    // Where anyone can add some, only those that are signed are left once the key is known.
    const snapshots = await snapshotKeys(store)
    if (snapshots.length === 0) return empty
    const { opened, others } = await tryNewest(store, keys, snapshots, set)
    if (others.length > 0) {
      const among = newestOfEach(snapshots).filter((key) => others.some((other) => other.key === key)).map(setOf)
      return {
        about: '',
        check: 'key',
        state: 'warning',
        says: `opens only ${opened} of ${opened + others.length} snapshots that were tried: ${others.length} made with ` +
          keysText([...new Set(others.map(({ fingerprint }) => fingerprint))]) +
          (among.length > 0 ? `, with the newest of set ${namedSets(among)}` : ''),
        fix: 'Give the key that backups are made with: none of these keys opens all of them. If it was changed on purpose, keep the old ' +
          'one as long as you keep its backups (docs/keys.md).',
      }
    }
    const untried = Math.max(0, newestOfEach(snapshots).length - LOOKED_AT)
    return {
      about: '',
      check: 'key',
      state: 'good',
      says: `opens the store${keys.identity === undefined ? ' to write, not to read: it is a write key' : ''}` +
        (untried > 0 ? `; of ${formatCount(untried, 'more set')} no snapshot was tried` : ''),
    }
  } catch (error) {
    return badFinding('', 'key', error)
  }
}

/**
 * Reads so many of these snapshots, which are newest first: the newest of each set before all others. Throws when none opens, with the
 * reason why the first does not: others may have been put there by someone without the key.
 */
async function tryNewest(
  store: Store, keys: Keys, snapshots: readonly string[], set: string,
): Promise<{ opened: number; others: { key: string; fingerprint: string }[] }> {
  const newest = newestOfEach(snapshots)
  const problems: unknown[] = []
  const others: { key: string; fingerprint: string }[] = []
  let opened = 0
  for (const key of [...new Set([...newest.filter((one) => setOf(one) === set), ...newest, ...snapshots])].slice(0, LOOKED_AT)) {
    try {
      await readAuthentic(store, key, keys)
      opened++
    } catch (error) {
      problems.push(error)
      if (error instanceof OtherKey) others.push({ key, fingerprint: error.fingerprint })
    }
  }
  if (opened === 0) throw problems[0]
  return { opened, others }
}

function newestOfEach(snapshots: readonly string[]): string[] {
  return [...Map.groupBy(snapshots, setOf).values()].map(([first]) => first!)
}
