import { LifeboatError } from '../../../error.ts'
import type { Report } from '../../../environment.ts'
import type { DatabaseSettings } from '../database-settings.ts'
import type { QueryContext } from '../query.ts'
import type { RestoreOptions, RestorePlan } from '../restore-plan.ts'
import { requireRoles, requireTablespaces } from '../target.ts'
import {
  requireAvailable, requireConnections, requireCreateDb, requireLocale, requireOwnersAndGrantees, requireSpace,
} from './checks.ts'

/** Throws a LifeboatError for something that the target lacks. */
export type Check = () => Promise<void>

interface Wanted {
  /** Of the database itself, as far as they are applied. */
  settings: DatabaseSettings | undefined
  /** The options of a database that the restore makes. */
  creates?: DatabaseSettings['options']
  more?: readonly Check[]
}

/**
 * Everything that a restore needs at the target's server, checked before anything is changed. Throws one error for all that is missing.
 * Mode `empty` restores what it can: there, roles and extensions that are missing are warnings.
 */
export async function preflight(
  plan: RestorePlan,
  { settings, creates, more = [] }: Wanted,
  options: RestoreOptions,
  context: QueryContext,
): Promise<void> {
  const { target: { where }, roles, mode, jobs, databaseSize, report } = options
  const needed: Check[] = [
    () => requireOwnersAndGrantees(plan.needed, where, roles, context),
    () => requireAvailable(plan.needed.extensions, where, context),
  ]
  const partly = options.rolesLater === true || (mode === 'empty' && options.only !== 'data')
  if (partly) await allOf(needed, (error) => report.warning(error.message, error.hint))
  await requireAll([
    ...more,
    ...(partly ? [] : needed),
    ...(settings ? [() => requireRoles([...settings.roles], where, roles, context)] : []),
    () => requireTablespaces(options.noTablespaces ? [] : tablespacesOf(plan, settings), where, context),
    ...(creates ? [() => requireCreateDb(where, context), () => requireLocale(creates, where, context)] : []),
    () => requireConnections(jobs + 1, where, context),
    ...(databaseSize !== undefined && mode !== 'clean' && options.only === undefined && !plan.selection
      ? [() => requireSpace(databaseSize, where, context)] : []),
  ], report)
}

function tablespacesOf({ entries }: RestorePlan, settings: DatabaseSettings | undefined): string[] {
  const tablespaces = [
    ...entries.map(({ tablespace }) => tablespace),
    ...(settings?.options ?? []).map(({ name, value }) => (name === 'tablespace' && 'name' in value ? value.name : '')),
  ]
  return [...new Set(tablespaces)].filter((name) => name !== '' && name !== 'pg_default')
}

/** Makes all checks. One problem is thrown as it is; several are thrown as one error. */
async function requireAll(checks: readonly Check[], report: Report): Promise<void> {
  const problems: LifeboatError[] = []
  await allOf(checks, (error) => problems.push(error))
  const [first] = problems
  if (first === undefined) return
  if (problems.length === 1) throw first
  const hints = [...new Set(problems.flatMap(({ hint }) => (hint === undefined ? [] : [hint])))]
  report.info(`${problems.length} things keep the restore from starting; nothing was changed`)
  throw new LifeboatError(
    `the restore cannot start, and nothing was changed:\n${problems.map(({ message }) => `- ${message}`).join('\n')}`,
    { hint: hints.join('\n'), cause: first },
  )
}

async function allOf(checks: readonly Check[], found: (error: LifeboatError) => void): Promise<void> {
  for (const check of checks) {
    try {
      await check()
    } catch (error) {
      if (!(error instanceof LifeboatError) || error.status === 130) throw error
      found(error)
    }
  }
}
