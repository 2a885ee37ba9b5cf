import { mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { ChildError, collect, feed, startChild } from '../child.ts'
import { LifeboatError, messageOf } from '../error.ts'
import { databaseDefinition } from './archive.ts'
import { anyClient } from './client-download/choose.ts'
import { programOf } from './clients.ts'
import { clientEnvironment } from './connection.ts'
import { blot, explain } from './errors.ts'
import type { QueryContext } from './query.ts'
import { hintFor, parseRestoreOutput } from './restore-output.ts'
import { checkOptions, oneTransaction, type Plan, planRestore, type RestoreOptions } from './restore-plan.ts'
import { createDatabase, databaseExists, dropDatabase, findMaintenance, readTarget, requireEmpty, requireNoRows } from './target.ts'

export interface RestoreOutcome {
  /** Archive entries selected, and of these restored; every error counts as an entry that is not. */
  entries: number
  restored: number
  /** Every error pg_restore printed; the restore has failed unless there is none. */
  errors: string[]
  hint?: string
  /** What is in the target now: everything selected, a part of it, or what was there before. */
  left: 'everything' | 'part' | 'unchanged'
}

/** Restores an archive. Throws `LifeboatError` when it cannot start, or breaks off; errors of single entries are in the outcome. */
export async function restoreArchive(options: RestoreOptions): Promise<RestoreOutcome> {
  checkOptions(options)
  const { target, clients, provide, variables, signal, mode } = options
  const context: QueryContext = { connection: target, client: await anyClient(clients, provide), variables, signal }
  if (mode === 'create') return restoreIntoNew(options, context)
  const { major } = await readTarget(context)
  const plan = await planRestore(options, major)
  if (mode === 'empty') await (options.only === 'data' ? requireNoRows(context) : requireEmpty(context))
  return run(options, plan)
}

async function restoreIntoNew(options: RestoreOptions, context: QueryContext): Promise<RestoreOutcome> {
  const { target, signal } = options
  const { database } = target
  if (database === undefined) throw new LifeboatError('the target URL names no database to create', { hint: 'end it with the name: postgres://…/app', status: 2 })
  const maintenance = await findMaintenance(context)
  const plan = await planRestore(options, maintenance.target.major)
  if (await databaseExists(database, maintenance)) {
    throw new LifeboatError(`${target.where} exists already`, { hint: 'give another name, or restore with mode empty or clean' })
  }
  const definition = await databaseDefinition(options.archive(), plan.archive)
  signal.throwIfAborted()
  // From here to the drop nothing is interrupted: a database that was made is always accounted for.
  const { signal: _, ...steady } = maintenance
  await createDatabase(target, database, definition, steady)
  let outcome: RestoreOutcome
  try {
    outcome = await run(options, plan)
  } catch (error) {
    await dropAgain(database, steady, messageOf(error))
    throw error
  }
  if (outcome.errors.length === 0) return outcome
  await dropAgain(database, steady, outcome.errors[0]!)
  return { ...outcome, restored: 0, left: 'unchanged' }
}

async function dropAgain(database: string, maintenance: QueryContext, why: string): Promise<void> {
  try {
    await dropDatabase(database, maintenance)
  } catch (cause) {
    throw new LifeboatError(`the restore failed (${why}), and the new database "${database}" could not be dropped: ${messageOf(cause)}`, {
      hint: `drop it by hand: DROP DATABASE "${database}"`, cause })
  }
}

async function run(options: RestoreOptions, plan: Plan): Promise<RestoreOutcome> {
  const folder = await makeStaging(options.temporary)
  try {
    const parameters = [...plan.parameters]
    if (options.mode === 'clean') parameters.push('--clean', '--if-exists')
    if (oneTransaction(options)) parameters.push('--single-transaction')
    if (plan.list) {
      const file = path.join(folder, 'list')
      await writeFile(file, `${plan.list.join('\n')}\n`, { mode: 0o600 })
      parameters.push(`--use-list=${file}`)
    }
    if (options.jobs === 1) return await pgRestore(parameters, heldBack(followed(options, 'restoring')), options, plan)
    const file = path.join(folder, 'archive.dump')
    await stage(followed(options, 'staging'), file)
    return await pgRestore([...parameters, `--jobs=${options.jobs}`, file], [], options, plan)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function makeStaging(temporary: string): Promise<string> {
  try {
    await mkdir(temporary, { recursive: true, mode: 0o700 })
    return await mkdtemp(path.join(temporary, 'restore-'))
  } catch (cause) {
    throw new LifeboatError(`cannot make a folder for staging: ${messageOf(cause)}`, { hint: 'point TMPDIR (RUNNER_TEMP) to a folder that can be written to', cause })
  }
}

async function pgRestore(parameters: string[], input: AsyncIterable<Buffer> | [], options: RestoreOptions, plan: Plan): Promise<RestoreOutcome> {
  const { target, variables, signal, report } = options
  try {
    const child = startChild(programOf(plan.archive.client, 'pg_restore'), ['--no-password', `--dbname=${target.parameters}`, ...parameters], {
      environment: clientEnvironment(target, variables), signal, stderrLimit: 4 * 1024 * 1024 })
    const ended = collect(child).then(() => undefined, (error: unknown) => error)
    await feed(child, input, { toTheEnd: true, spent: true })
    return judge(await ended, blot((await child.exit).stderr, target.secrets), options, plan.entries)
  } catch (error) {
    if (options.mode === 'empty' && !oneTransaction(options)) {
      report.warning(`the restore broke off: ${target.where} may hold a part of the archive now`, 'drop and create that database before you restore again')
    }
    throw explain(error, 'restore', target)
  }
}

/** Decides what a pg_restore that has ended did. `error` is undefined when it exited with 0. */
function judge(error: unknown, stderr: string, options: RestoreOptions, entries: number): RestoreOutcome {
  const { errors, warnings, finished, unknownSettings } = parseRestoreOutput(stderr)
  const rolledBack = oneTransaction(options) && errors.length > 0
  if (error !== undefined && !(error instanceof ChildError && (finished || rolledBack))) throw error
  for (const warning of warnings) options.report.warning(`pg_restore: ${warning}`)
  for (const setting of new Set(unknownSettings)) options.report.info(`the target server does not know the setting ${setting}: passed over`)
  if (errors.length === 0) return { entries, restored: entries, errors, left: 'everything' }
  const hint = hintFor(errors)
  const restored = rolledBack ? 0 : Math.max(0, entries - errors.length)
  return { entries, restored, errors, ...(hint && { hint }), left: rolledBack ? 'unchanged' : 'part' }
}

/**
 * Hands each piece on only when the next, or a clean end, has come. pg_restore cannot complete, and commit, an archive whose
 * last bytes it is not given: they wait for the check of the whole stream at its end.
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
      hint: 'a parallel restore needs room for the whole archive: free some, point TMPDIR (RUNNER_TEMP) elsewhere, or set jobs to 1', cause })
  }
}
