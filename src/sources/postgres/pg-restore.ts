import { ChildError, collect, feed, startChild } from '../../process/child.ts'
import { isWaiting, waitsFor } from './clean/locks.ts'
import { programOf } from './clients.ts'
import { restoreEnvironment } from './data-only.ts'
import { blot, clientError } from './errors.ts'
import { DROP_FIRST } from './interruption.ts'
import type { RestoreOutcome } from './restore-outcome.ts'
import { hintFor, parseRestoreOutput, withoutRows } from './restore-output.ts'
import { oneTransaction, type RestoreOptions, type RestorePlan } from './restore-plan.ts'

/**
 * Runs pg_restore with an archive, or with none if it reads a file. Gives its errors for single entries; throws `LifeboatError` if it did
 * not come to its end. `fed`: is called when it has all of the archive.
 */
export async function pgRestore(
  parameters: readonly string[], input: AsyncIterable<Buffer> | [], options: RestoreOptions, plan: RestorePlan, fed?: () => void,
): Promise<string[]> {
  const { target, signal, report, variables } = options
  const { archive: { client }, replaced } = plan
  const waits = replaced && waitsFor(replaced, options.lockTimeout, { connection: target, client, variables, signal }, report)
  try {
    const child = startChild(
      programOf(client, 'pg_restore'),
      // Materialized views are filled by their owners, also those who see only what policies let them see. COPY never follows policies.
      ['--no-password', '--enable-row-security', `--dbname=${target.parameters}`, ...parameters],
      {
        environment: restoreEnvironment(options),
        signal,
        stderrLimit: 4 * 1024 * 1024,
        onStderr: (text) => isWaiting(text) && void waits?.().catch(() => undefined),
      },
    )
    const ended = collect(child).then(
      () => undefined,
      (error: unknown) => error,
    )
    await feed(child, input, { toTheEnd: true, spent: true })
    fed?.()
    return errorsOf(await ended, blot((await child.exit).stderr, target.secrets), options)
  } catch (error) {
    throw clientError(withoutRows(error, target.secrets), 'restore', target)
  }
}

/** The errors of a pg_restore that has ended. `error` is undefined if it exited with 0. */
function errorsOf(error: unknown, stderr: string, options: RestoreOptions): string[] {
  const { errors, warnings, finished, lost, unknownSettings } = parseRestoreOutput(stderr)
  const rolledBack = oneTransaction(options) && errors.length > 0
  if (error !== undefined && !(error instanceof ChildError && lost === undefined && (finished || rolledBack))) throw error
  for (const warning of warnings) options.report.warning(`pg_restore: ${warning}`)
  for (const setting of new Set(unknownSettings)) options.report.info(`the target server does not know the setting ${setting}: passed over`)
  return errors
}

/** Of a restore of so many entries that came to its end. */
export function outcomeWith(errors: string[], entries: number, options: RestoreOptions): RestoreOutcome {
  const rolledBack = oneTransaction(options) && errors.length > 0
  if (errors.length === 0) return { entries, restored: entries, errors, left: 'everything' }
  const again = options.mode === 'empty' && !rolledBack ? DROP_FIRST : undefined
  const hint = [hintFor(errors, options.roles, options), again].filter((text) => text !== undefined).join('\n')
  const restored = rolledBack ? 0 : Math.max(0, entries - errors.length)
  return { entries, restored, errors, ...(hint && { hint }), left: rolledBack ? 'unchanged' : 'part' }
}
