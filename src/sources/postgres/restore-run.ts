import { mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { performance } from 'node:perf_hooks'
import { secondsSince } from '../../process/elapsed.ts'
import { LifeboatError, messageOf } from '../../error.ts'
import { besideAgain, keepBeside } from './clean/beside.ts'
import { DROP_ALL } from './clean/drop-all.ts'
import { lockFirst } from './clean/locks.ts'
import { changed } from './contents.ts'
import { DROP_FIRST } from './interruption.ts'
import { restoreInParallel } from './parallel-restore.ts'
import { outcomeWith, pgRestore } from './pg-restore.ts'
import { followed, readingOf } from './reading.ts'
import type { RestoreOutcome } from './restore-outcome.ts'
import { oneTransaction, type RestoreOptions, type RestorePlan, selectionReport } from './restore-plan.ts'
import { droppedWithTable } from './selection.ts'
import { staged } from './staged.ts'

/**
 * Runs pg_restore for the entries of the plan. Throws `LifeboatError` if it is interrupted; errors of single entries are in the outcome.
 */
export async function runRestore(options: RestoreOptions, plan: RestorePlan): Promise<RestoreOutcome> {
  const folder = await makeStaging(options.temporary)
  try {
    const parameters = [...plan.parameters]
    const { missing = [] } = plan
    if (plan.count === 0) return { entries: missing.length, restored: 0, errors: [], left: 'everything', missing }
    if (options.mode === 'clean' && !options.dropOthers) parameters.push('--clean', '--if-exists')
    if (oneTransaction(options)) parameters.push('--single-transaction')
    const clean = (bytes: AsyncGenerator<Buffer>) =>
      plan.replaced
        ? changed(bytes, {
          dropless: droppedWithTable(plan.contents),
          first: lockFirst(plan.replaced, options.lockTimeout) + (options.dropOthers ? DROP_ALL : '') +
            (plan.last === undefined ? '' : keepBeside(plan.replaced)),
          ...(plan.last !== undefined && { added: { count: 1, before: () => undefined, last: besideAgain(plan.last, plan.replaced) } }),
        }) : bytes
    const restored = async (): Promise<RestoreOutcome> => {
      if (options.jobs > 1 && options.blocks?.summed)
        return restoreInParallel({ options, plan, folder, parameters }, options.blocks, reading.wanted ?? (() => true))
      if (plan.selection || plan.missing || plan.roleless) parameters.push(await useList(folder, plan))
      if (options.jobs === 1) return restoreOne(parameters, heldBack(clean(followed(reading, options, 'restoring'))), options, plan)
      const file = path.join(folder, 'archive.dump')
      await staged(folder, () => stage(followed(reading, options, 'staging'), file))
      return outcomeWith(await pgRestore([...parameters, `--jobs=${options.jobs}`, file], [], options, plan), plan.count, options)
    }
    const reading = readingOf(options, plan)
    const report = selectionReport(plan, options.only)
    const roleless = plan.roleless && { roleless: plan.roleless.leftOut }
    const outcome = await restored().catch((error: unknown) => {
      if (options.mode === 'empty' && !oneTransaction(options) && !options.signal.aborted)
        options.report.warning(`the restore broke off: ${options.target.where} may be partly restored`, DROP_FIRST)
      throw error
    })
    const gone = options.mode === 'clean' && outcome.left === 'everything' ? (plan.others?.go ?? []) : []
    return {
      ...outcome, entries: outcome.entries + missing.length, ...(plan.missing && { missing }),
      ...(report && { selection: report }), ...roleless,
      ...(reading.size < options.size && { read: reading.size }), ...(gone.length > 0 && { removed: gone }),
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** One pg_restore, which makes indexes when it has all rows. */
async function restoreOne(
  parameters: readonly string[], input: AsyncIterable<Buffer>, options: RestoreOptions, plan: RestorePlan,
): Promise<RestoreOutcome> {
  let fed = performance.now()
  const errors = await pgRestore(parameters, input, options, plan, () => (fed = performance.now()))
  return { ...outcomeWith(errors, plan.count, options), phases: { indexes: secondsSince(fed) } }
}

async function useList(folder: string, { entries, last }: RestorePlan): Promise<string> {
  const file = path.join(folder, 'list')
  const ids = [...entries.map(({ id }) => id), ...(last === undefined ? [] : [last])]
  await staged(folder, () => writeFile(file, ids.map((id) => `${id};\n`).join(''), { mode: 0o600 }))
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

async function stage(bytes: AsyncIterable<Buffer>, file: string): Promise<void> {
  const handle = await open(file, 'wx', 0o600)
  try {
    for await (const piece of bytes) await handle.writeFile(piece)
  } finally {
    await handle.close()
  }
}
