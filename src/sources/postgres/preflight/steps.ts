import { formatBytes, formatCount, formatSeconds, oneLine } from '../../../report/format.ts'
import { type DatabaseSettings, createStatement } from '../database-settings.ts'
import type { QueryContext } from '../query.ts'
import type { RestoreOutcome } from '../restore-outcome.ts'
import type { RestoreOptions, RestorePlan } from '../restore-plan.ts'
import type { SwapSettings } from '../settings.ts'
import { freeSpace } from './checks.ts'

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
export async function dryRun(
  options: RestoreOptions, plan: RestorePlan, { settings, creates, backsUp, last = [] }: Planned, context: QueryContext,
): Promise<RestoreOutcome> {
  const { mode, target: { where }, size, databaseSize, jobs, only } = options
  const free = databaseSize === undefined ? undefined : await freeSpace(context)
  const room = databaseSize === undefined ? '' : `; on the server's disk it needs about ${formatBytes(databaseSize)}` +
    (free === undefined ? ', and the server does not tell how much is free' : `, ${formatBytes(free)} are free`)
  const what = `${formatCount(plan.count, 'entry', 'entries')} of the archive${only ? ` (only: ${only})` : ''}`
  const steps = [
    ...(backsUp ? [`Back up ${where} into the store: a safety backup. If that fails, nothing is restored.`] : []),
    ...(creates ? [`Make a database: ${oneLine(createStatement(creates.name, creates.options, creates.major))}.`] : []),
    ...(settings && creates ? ['Apply its owner, privileges and settings.'] : []),
    ...(mode === 'clean' ? [
      `In one transaction: drop the objects of ${where} that are in the archive, and restore ${what}, ${formatBytes(size)}. Objects that ` +
        `only the target has stay${room}.`,
    ] : [`Restore ${what}, ${formatBytes(size)}, with ${formatCount(jobs, 'connection')}${room}.`]),
    ...(settings && !creates ? ['Apply the owner, privileges and settings of the database.'] : []),
    ...last,
  ]
  return { entries: plan.count, restored: 0, errors: [], left: 'unchanged', steps }
}

/** The last steps of a restore that exchanges databases. */
export function swapSteps(
  where: string,
  tables: number,
  { lockTimeout, terminate, drill }: Pick<SwapSettings, 'lockTimeout' | 'terminate' | 'drill'>,
  kept: { name: string; until: Date },
): string[] {
  return [
    `Count the rows of ${formatCount(tables, 'table')}, and run ANALYZE.`,
    ...(drill ? ['Compare the new database with the backup, entry by entry.'] : []),
    terminate
      ? `End the sessions of others in ${where}.`
      : `Wait until nobody else is connected to ${where}, for ${formatSeconds(lockTimeout / 1000)} at most.`,
    'Exchange the two in one transaction. The database that is there now is kept as ' +
      `${kept.name}, at least until ${kept.until.toISOString()}.`,
  ]
}
