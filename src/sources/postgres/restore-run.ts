import { mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { performance } from 'node:perf_hooks'
import { ChildError, collect, feed, startChild } from '../../process/child.ts'
import { LifeboatError, messageOf } from '../../error.ts'
import { marked } from '../../marks.ts'
import { DROP_ALL } from './clean/drop-all.ts'
import { lockFirst } from './clean/locks.ts'
import { programOf } from './clients.ts'
import { changed, type Entry } from './contents.ts'
import { restoreEnvironment } from './data-only.ts'
import { blot, clientError } from './errors.ts'
import { DROP_FIRST } from './interruption.ts'
import type { RestoreOutcome } from './restore-outcome.ts'
import { hintFor, parseRestoreOutput } from './restore-output.ts'
import { oneTransaction, type RestoreOptions, type RestorePlan, selectionReport } from './restore-plan.ts'
import { droppedWithTable } from './selection.ts'

/**
 * Runs pg_restore for the entries of the plan. Throws `LifeboatError` if it is interrupted; errors of single entries are in the outcome.
 */
export async function runRestore(options: RestoreOptions, plan: RestorePlan): Promise<RestoreOutcome> {
  const folder = await makeStaging(options.temporary)
  try {
    const parameters = [...plan.parameters]
    const missing = plan.missing && { missing: plan.missing }
    if (plan.count === 0) return { entries: 0, restored: 0, errors: [], left: 'everything', ...missing }
    if (options.mode === 'clean' && !options.dropOthers) parameters.push('--clean', '--if-exists')
    if (oneTransaction(options)) parameters.push('--single-transaction')
    if (plan.selection || plan.missing || plan.roleless) parameters.push(await useList(folder, plan.entries))
    const clean = (bytes: AsyncGenerator<Buffer>) =>
      plan.replaced
        ? changed(bytes, {
          dropless: droppedWithTable(plan.contents),
          first: lockFirst(plan.replaced, options.lockTimeout) + (options.dropOthers ? DROP_ALL : ''),
        }) : bytes
    const restored = async (): Promise<RestoreOutcome> => {
      if (options.jobs === 1) return pgRestore(parameters, heldBack(clean(followed(options, 'restoring'))), options, plan)
      const file = path.join(folder, 'archive.dump')
      await stage(followed(options, 'staging'), file)
      return pgRestore([...parameters, `--jobs=${options.jobs}`, file], [], options, plan)
    }
    const report = selectionReport(plan, options.only)
    const roleless = plan.roleless && { roleless: plan.roleless.leftOut }
    const outcome = await restored()
    const gone = options.mode === 'clean' && outcome.left === 'everything' ? (plan.others?.go ?? []) : []
    return { ...outcome, ...(report && { selection: report }), ...missing, ...roleless, ...(gone.length > 0 && { removed: gone }) }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function useList(folder: string, entries: readonly Entry[]): Promise<string> {
  const file = path.join(folder, 'list')
  await writeFile(file, entries.map(({ id }) => `${id};\n`).join(''), { mode: 0o600 })
  return `--use-list=${file}`
}

async function makeStaging(temporary: string): Promise<string> {
  try {
    await mkdir(temporary, { recursive: true, mode: 0o700 })
    return await mkdtemp(path.join(temporary, 'restore-'))
  } catch (cause) {
    throw new LifeboatError(`cannot make a folder for staging: ${messageOf(cause)}`, {
      hint: 'Point TMPDIR (RUNNER_TEMP) to a folder that can be written to.',
      cause,
    })
  }
}

async function pgRestore(
  parameters: string[],
  input: AsyncIterable<Buffer> | [],
  options: RestoreOptions,
  plan: RestorePlan,
): Promise<RestoreOutcome> {
  const { target, signal, report } = options
  try {
    const child = startChild(
      programOf(plan.archive.client, 'pg_restore'),
      ['--no-password', `--dbname=${target.parameters}`, ...parameters],
      {
        environment: restoreEnvironment(options),
        signal,
        stderrLimit: 4 * 1024 * 1024,
      },
    )
    const ended = collect(child).then(
      () => undefined,
      (error: unknown) => error,
    )
    await feed(child, input, { toTheEnd: true, spent: true })
    const fed = performance.now()
    const outcome = judge(await ended, blot((await child.exit).stderr, target.secrets), options, plan.count)
    // Several jobs read a file, and make indexes beside rows.
    return options.jobs > 1 ? outcome : { ...outcome, phases: { indexes: Math.round(performance.now() - fed) / 1000 } }
  } catch (error) {
    if (options.mode === 'empty' && !oneTransaction(options) && !signal.aborted) {
      report.warning(`the restore broke off: ${target.where} may be partly restored`, DROP_FIRST)
    }
    throw clientError(error, 'restore', target)
  }
}

/** Decides the outcome of a pg_restore that has ended. `error` is undefined if it exited with 0. */
function judge(error: unknown, stderr: string, options: RestoreOptions, entries: number): RestoreOutcome {
  const { errors, warnings, finished, unknownSettings } = parseRestoreOutput(stderr)
  const rolledBack = oneTransaction(options) && errors.length > 0
  if (error !== undefined && !(error instanceof ChildError && (finished || rolledBack))) throw error
  for (const warning of warnings) options.report.warning(`pg_restore: ${warning}`)
  for (const setting of new Set(unknownSettings)) options.report.info(`the target server does not know the setting ${setting}: passed over`)
  if (errors.length === 0) return { entries, restored: entries, errors, left: 'everything' }
  const again = options.mode === 'empty' && !rolledBack ? DROP_FIRST : undefined
  const hint = [hintFor(errors, options.roles, options), again].filter((text) => text !== undefined).join('\n')
  const restored = rolledBack ? 0 : Math.max(0, entries - errors.length)
  return { entries, restored, errors, ...(hint && { hint }), left: rolledBack ? 'unchanged' : 'part' }
}

/**
 * Hands each piece on only when the next, or a clean end, has come. pg_restore cannot complete, and commit, an archive whose last bytes it
 * is not given: they wait for the check of the whole stream at its end.
 */
async function* heldBack(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let held: Buffer | undefined
  for await (const piece of bytes) {
    if (held) yield held
    held = piece
  }
  if (held) yield held
}

async function* followed({ archive, name, size, report, signal }: RestoreOptions, activity: string): AsyncGenerator<Buffer> {
  let done = 0
  for await (const bytes of archive()) {
    signal.throwIfAborted()
    done += bytes.length
    yield bytes
    report.progress({ activity: `${activity} ${name}`, done, total: size })
  }
}

async function stage(bytes: AsyncIterable<Buffer>, file: string): Promise<void> {
  try {
    const handle = await open(file, 'wx', 0o600)
    try {
      for await (const piece of bytes) await handle.writeFile(piece)
    } finally {
      await handle.close()
    }
  } catch (cause) {
    if (!(cause instanceof Error && 'syscall' in cause)) throw cause
    throw new LifeboatError(`cannot stage the archive in ${path.dirname(file)}: ${cause.message}`, {
      hint:
        'A parallel restore needs room for the whole archive: free some, point TMPDIR (RUNNER_TEMP) elsewhere, or ' +
        marked`set ‹jobs: 1›.`,
      cause,
    })
  }
}
