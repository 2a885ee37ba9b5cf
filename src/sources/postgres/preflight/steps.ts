import { formatBytes, formatCount, formatSeconds, formatSome, formatTime, listedName, oneLine } from '../../../report/format.ts'
import { type DatabaseSettings, createStatement } from '../database-settings.ts'
import type { Entry } from '../contents.ts'
import type { Others } from '../clean/others.ts'
import type { RestoreOutcome } from '../restore-outcome.ts'
import { readingOf } from '../reading.ts'
import { isWhole, type RestoreOptions, type RestorePlan } from '../restore-plan.ts'
import { RELATIONS } from '../selection.ts'
import type { SwapSettings } from '../settings.ts'
import { backUpStep } from '../../checks.ts'
import type { Share } from '../../share.ts'
import { MARGIN, type Room } from './checks.ts'

interface Planned {
  /** Of the database itself, if they are applied. */
  settings: DatabaseSettings | undefined
  /** The name and the options of a database that is made. */
  creates?: { name: string; options: DatabaseSettings['options']; major: number }
  /** Whether the target is backed up first. */
  backsUp?: boolean
  /** Steps after the restore. */
  last?: readonly string[]
}

/** The outcome of a dry run: the steps of a restore, in order. */
export function dryRun(
  options: RestoreOptions, plan: RestorePlan, { settings, creates, backsUp, last = [] }: Planned, { disk, connections, server }: Room,
): RestoreOutcome {
  const { mode, target: { where }, size, jobs, only } = options
  // The size of a part in the server is not known.
  const databaseSize = plan.selection || only !== undefined ? undefined : options.databaseSize
  const reading = readingOf(options, plan)
  const bytes = reading.size < size ? `of which ${formatBytes(reading.size)} of ${formatBytes(size)} are read` : formatBytes(size)
  const room = databaseSize === undefined ? '' : `; on the server's disk it needs about ${formatBytes(databaseSize)}` +
    (disk === undefined ? ', and the server does not tell how much is free' : `, ${formatBytes(disk.free)} are free`)
  const { roles, tablespaces } = options.coming ?? { roles: [], tablespaces: [] }
  const globals = [...roles.map((name) => `role ${name}`), ...tablespaces.map((name) => `tablespace ${name}`)]
  const what = `${formatCount(plan.count, 'entry', 'entries')} of the archive${only ? ` (only: ${only})` : ''}`
  const steps = [
    ...(backsUp ? [backUpStep(where)] : []),
    ...(globals.length > 0 ? [`Create at the server, which lacks them: ${formatSome(globals.map(oneLine), MOST_NAMED)}.`] : []),
    ...(creates ? [`Make a database: ${oneLine(createStatement(creates.name, creates.options, creates.major))}.`] : []),
    ...(settings && creates ? ['Apply its owner, privileges and settings.'] : []),
    ...(mode === 'clean' ? [
      `In one transaction: drop ${dropped(options, plan)}, and restore ${what}, ${bytes}${room}. ` +
        `Before that, wait until nobody uses these tables, for ${formatSeconds(options.lockTimeout / 1000)} at most. ` +
        `Clients that read or write these tables wait meanwhile${isWhole(options) ? '; with mode swap they do not' : ''}.`,
      ...removes(plan.others, options.dropOthers), ...(options.dropOthers ? [] : [stays(plan.others?.stay)]),
    ] : [`Restore ${what}, ${bytes}, with ${formatCount(jobs, 'connection')}${room}.`]),
    ...(settings && !creates ? ['Apply the owner, privileges and settings of the database.'] : []),
    ...last,
  ]
  const shares = sharesOf({ ...options, databaseSize }, { disk, connections })
  const { missing } = plan
  return {
    entries: plan.count + (missing ?? []).length, restored: 0, errors: [], left: 'unchanged', ...(missing && { missing }),
    planned: { steps, shares, server },
  }
}

const MOST_NAMED = 20

/** The objects of the target that mode clean drops. */
function dropped({ dropOthers, target: { where } }: RestoreOptions, { selection, entries, there }: RestorePlan): string {
  if (dropOthers) return `all objects of ${where}`
  if (!selection) return `the objects of ${where} that are in the archive`
  const relations = entries.filter(({ kind }) => RELATIONS.has(kind))
  const { found = [], lacking = [] } = Object.groupBy(relations, (entry) => (there?.has(entry) ? 'found' : 'lacking'))
  const which = [...(found.length > 0 ? [namesOf(found)] : []), ...(lacking.length > 0 ? [`not there: ${namesOf(lacking)}`] : [])]
  return `the objects of ${where} that are selected${which.length > 0 ? ` (${which.join('; ')})` : ''}`
}

function namesOf(relations: readonly Entry[]): string {
  return formatSome(relations.map(({ schema, name }) => listedName(`${schema}.${name}`)), MOST_NAMED)
}

/** Objects that the backup does not have, and that are dropped all the same. */
function removes(others: Others | undefined, all: boolean): string[] {
  const { go } = others ?? { go: [] }
  if (all) {
    const which = go.length === 0 ? 'none was found' : `${formatCount(go.length, 'object')}: ${formatSome(go.map(listedName), MOST_NAMED)}`
    return [`With that, remove what the backup does not have, with all rows and large objects, for good: ${which}.`]
  }
  if (go.length === 0) return []
  return [`Drop with their tables ${formatCount(go.length, 'partition')} that the backup does not have, and all rows in them: ` +
    `${formatSome(go.map(listedName), MOST_NAMED)}.`]
}

/** The part of a target that mode clean does not touch. */
function stays(others: readonly string[] | undefined): string {
  if (others === undefined) return 'Everything else in the target stays as it is.'
  if (others.length === 0) return 'The target has no tables or views that the backup does not have.'
  const which = formatSome(others.map(listedName), MOST_NAMED)
  return `Leave ${formatCount(others.length, 'table or view', 'tables and views')} that the backup does not have as they are: ${which}.`
}

function sharesOf(
  { databaseSize, jobs, target }: Pick<RestoreOptions, 'jobs' | 'target'> & { databaseSize: number | undefined },
  { disk, connections }: { disk: Room['disk'] | undefined; connections: Room['connections'] },
): Share[] {
  const { server, environment: { PGUSER: user } } = target
  return [
    ...(disk && databaseSize !== undefined ? [{
      what: `the disk of ${server}`, at: `this machine, ${disk.device}`, measure: 'bytes' as const, needed: databaseSize * MARGIN,
      free: disk.free,
    }] : []),
    { what: server, at: server, measure: 'connections', needed: jobs + 1, free: connections.server },
    ...(connections.role === null || user === undefined ? [] : [{
      what: `the role ${user} at ${server}`, at: `${server}, ${user}`, measure: 'connections' as const, needed: jobs + 1,
      free: connections.role,
    }]),
  ]
}

/** The name of a database that is kept has the time of the exchange, which is not known before. */
function withoutTime(name: string): string {
  return name.replace(/_\d{8}_\d{6}$/, '_DATE_TIME')
}

/** The last steps of a restore that exchanges databases. */
export function swapSteps(
  where: string,
  tables: number,
  { lockTimeout, terminate, drill, lacks }: Pick<SwapSettings, 'lockTimeout' | 'terminate' | 'drill'> & { lacks: readonly string[] },
  kept: { name: string; until: string },
): string[] {
  return [
    `Count the rows of ${formatCount(tables, 'table')}, and run ANALYZE.`,
    ...(drill ? ['Compare the new database with the backup, entry by entry.'] : []),
    ...exchangeSteps(where, 'the two', { lockTimeout, terminate }, kept),
    ...(lacks.length > 0 ? [
      `Not in the backup ${lacks.length === 1 ? 'is' : 'are'} ${formatCount(lacks.length, 'table or view', 'tables and views')} of ` +
        `${where}, which only the database that is kept has then: ${formatSome(lacks.map(oneLine), MOST_NAMED)}.`,
    ] : []),
  ]
}

/** The exchange of a database for another. `databases`: both, to be read after "Exchange ". */
export function exchangeSteps(
  where: string, databases: string, { lockTimeout, terminate }: Pick<SwapSettings, 'lockTimeout' | 'terminate'>,
  kept: { name: string; until: string },
): string[] {
  return [
    terminate
      ? `End the sessions of others in ${where}.`
      : `Wait until nobody else is connected to ${where}, for ${formatSeconds(lockTimeout / 1000)} at most.`,
    `Exchange ${databases} in one transaction. The database that is there now is kept as ${withoutTime(kept.name)}, at least until ` +
      `${formatTime(kept.until, 'UTC')}.`,
  ]
}
