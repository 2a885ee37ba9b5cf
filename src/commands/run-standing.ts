import { createHash } from 'node:crypto'
import type { Environment } from '../environment.ts'
import { messageOf } from '../error.ts'
import { isGood } from '../notify/notice.ts'
import type { Keys } from '../repository/keys.ts'
import { openKeys } from '../repository/open-keys.ts'
import { openRepository } from '../repository/repository.ts'
import { keepStanding, readStanding } from '../repository/standing.ts'
import { openStore } from '../stores/destination.ts'
import type { Store } from '../stores/store.ts'
import { ownSetsOf } from './sets/set-names.ts'
import { destinationsOf, type Ended, type Notifying } from './notice.ts'
import { within } from './within.ts'

/** One that a standing is kept of: a set, or a run that has none. */
type Standing = Pick<NonNullable<Ended['sets']>[number], 'set' | 'status'>

/** The set of a run; undefined where each source has its own, and where none is read or written. */
export function setOf({ set, choice, part, afterSwap }: Notifying): string | undefined {
  return choice === undefined && part === undefined && afterSwap === undefined ? set : undefined
}

/**
 * Keeps in the store how the run ended, if it is not how the one before did; tells whether it changed to the good. At most `limit`
 * milliseconds; never throws.
 */
export async function standingChanged(
  command: string, ended: Ended, inputs: Notifying, environment: Environment, limit: number,
): Promise<boolean> {
  try {
    return await within(limit, (signal) => changedInAny(command, ended, inputs, { ...environment, signal }))
  } catch (error) {
    environment.report.info(`how this run ended is not kept for the next one: ${messageOf(error)}`)
    return false
  }
}

async function changedInAny(command: string, ended: Ended, inputs: Notifying, environment: Environment): Promise<boolean> {
  const { key, access } = inputs
  const standings = standingsOf(ended, inputs)
  const [first] = standings
  if (key === undefined || access === undefined || first === undefined) return false
  let changed = false
  for (const one of destinationsOf(inputs)) {
    const store = await openStore(one, { ...access, set: first.set }, environment)
    try {
      await openRepository(store)
      const keys = await openKeys(key, { store, create: false })
      for (const standing of standings) changed = (await changedAt(store, keys, command, standing, environment)) || changed
    } finally {
      await store.close()
    }
  }
  return changed
}

async function changedAt(
  store: Store, keys: Keys, command: string, { set, status }: Standing, { now }: Pick<Environment, 'now'>,
): Promise<boolean> {
  // Artifacts are found by the set.
  const own = store.groups?.ofSet(set) ?? store
  try {
    const about = { set, command, now: now() }
    const before = await readStanding(own, keys, about)
    const standing = isGood({ status }) ? 'good' : 'failed'
    // Nothing is kept of sets that never failed.
    if (standing === (before ?? 'good')) return false
    await keepStanding(own, keys, about, standing)
    await own.groups?.commit([])
    return before === 'failed'
  } finally {
    if (own !== store) await own.close()
  }
}

/**
 * The standings that the end of a run decides, apart from those that a good backup has looked at itself. A run with several sets that ended
 * before they were known (a server is down) has one of its own, which its next success ends.
 */
function standingsOf({ set, sets, status, recovered }: Ended, inputs: Notifying): Standing[] {
  const own = set ?? setOf(inputs)
  const { part } = inputs
  const named = part ? ownSetsOf(part) : own === undefined ? [] : [own]
  const known = sets ?? named.map((one) => ({ set: one, status }))
  const unknown = isGood({ status }) && recovered !== undefined ? [] : known
  const hasOwn = named.length === 0 && (sets === undefined || isGood({ status }))
  return hasOwn ? [{ set: runName(inputs), status }, ...unknown] : unknown
}

/** No set has this name. Of runs over one store, each selection of servers and databases has its own. */
function runName({ choice, databases }: Notifying): string {
  const selection = JSON.stringify([choice ?? null, databases?.list.map(({ name }) => name) ?? []])
  return `_${createHash('sha256').update(selection).digest('hex').slice(0, 16)}`
}
