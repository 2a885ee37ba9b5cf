import { marked } from '../../marks.ts'
import type { SummaryContext, TextContext } from '../../report/context.ts'
import {
  formatBytes,
  formatColumns,
  formatCount,
  formatRate,
  formatSeconds,
  formatSome,
  formatTime,
  oneLine,
  parenthesised,
  someLines,
} from '../../report/format.ts'
import { code, escapeMarkdown as escape, fenced, table, withinLimit } from '../../report/markdown.ts'
import { leftOutLines, remarkLines } from '../../sources/remarks.ts'
import { madeWhen } from '../../report/summary-parts.ts'
import { rowsOf } from '../back-up-again.ts'
import { afterwardsLines } from './afterwards.ts'
import { missingLines } from './missing.ts'
import type { RestoreResult } from './result.ts'
import { pauseText } from './swapped.ts'
import { tookText } from './took.ts'

export function restoreHeadline(result: RestoreResult): string {
  const { mode, target, snapshot } = result
  const what = restoredPart(result)
  if (mode === 'verify-only') return `${what} of snapshot ${snapshot} could be restored; ${untouched(result)} was touched`
  const part = (result.missing ?? []).length > 0 ? 'in part ' : ''
  return `${what} of snapshot ${snapshot} restored ${part}into ${target} (mode ${mode})${keptText(result)}`
}

/** The place of the content from before, to be read after a verdict. */
function keptText({ swapped, safety }: RestoreResult): string {
  if (swapped) return `; the database from before is kept as ${swapped.kept}`
  return safety ? `; the content from before is in snapshot ${safety.snapshot} of set ${safety.set}` : ''
}

/** Reasons why a restore is not complete. */
export function restoreProblems(result: RestoreResult): string[] {
  const what = restoredPart(result)
  const done = result.steps === undefined ? 'was restored' : 'would be restored'
  const ending = nothingLeft(result) ? `was not restored into ${result.target}` : `was restored into ${result.target} with an error`
  return [
    ...(result.missing ?? []).map((missing) => `${what} ${done} in part; damaged in the backup, and missing: ${missing}`),
    ...result.errors.map((error) => `${what} ${ending}: ${error}`),
    ...(result.notResumed === undefined ? [] : [result.notResumed]),
  ]
}

/** Whether everything that was asked for is restored. */
export function isComplete({ errors, missing = [] }: Pick<RestoreResult, 'errors' | 'missing'>): boolean {
  return errors.length === 0 && missing.length === 0
}

export function restoreText(result: RestoreResult, context: TextContext): string {
  const { errors, entries, restored, read = result.size } = result
  const seconds = result.seconds - (result.took?.safety ?? 0)
  const checked = result.mode === 'verify-only'
  const program = restorer(result)
  const counts = bucketCounts(result)
  const facts = [
    ['snapshot', `${result.snapshot}, of ${formatTime(result.time, context.timeZone)}`],
    ['read', `${sizeText(result)} in ${formatSeconds(seconds)} ${parenthesised(formatRate(read, seconds))}`],
    [
      'entries',
      checked
        ? `${entries.toLocaleString('en-US')} in the archive${selectedText(result)}`
        : `${restored.toLocaleString('en-US')} of ${entries.toLocaleString('en-US')} restored`,
    ],
    ...(counts ? [
      ['unchanged', `${counts.unchanged} of them, there already`],
      ['deleted', `${counts.deleted} that the backup does not have`],
    ] : []),
    ...(result.took && !checked ? [['took', tookText(result.took)]] : []),
    ...(result.after ? afterwardsLines(result.after) : []),
  ]
  const headline = checked
    ? `Checked ${restoredPart(result)}; ${untouched(result)} was touched`
    : `${outcomeOf(result)}: ${restoredPart(result)} into ${result.target} (mode ${result.mode})`
  return [
    headline,
    formatColumns(facts, '  '),
    ...restoreNotes(result, MARKED).flatMap((note) => ['', ...note.split('\n').map((line) => `  ${oneLine(line)}`)]),
    ...(errors.length > 0 ? [
      '',
      `${formatCount(errors.length, 'error')}${program === undefined ? '' : ` from ${program}`}:`,
      ...together(errors).map((error) => `  ${error}`)
    ] : []),
    ...(result.database !== undefined && errors.some((error) => UNMET_CONSTRAINT.test(error))
      ? ['', rowsOf({ snapshot: result.snapshot, database: result.database })] : []),
  ].join('\n')
}

/** Bytes of the streams, and those of them that were read if that is not all. */
function sizeText({ size, read }: Pick<RestoreResult, 'size' | 'read'>): string {
  return read === undefined ? formatBytes(size) : `${formatBytes(read)} of ${formatBytes(size)}`
}

function selectedText({ selected }: Pick<RestoreResult, 'selected'>): string {
  return selected ? `, ${selected.entries.toLocaleString('en-US')} of them selected` : ''
}

function outcomeOf(result: RestoreResult): string {
  if (isComplete(result)) return 'Restored'
  if (nothingLeft(result)) return 'NOT restored'
  return result.errors.length > 0 ? 'Restored with errors' : 'Restored IN PART'
}

export function restoreSummary(result: RestoreResult, context: SummaryContext): string {
  const { errors, mode } = result
  const database = `${result.part === undefined ? '' : `${escape(result.part)} of `}${code(restoredName(result))}`
  const sign = result.passedOver ? '⚠️' : '✅'
  const failed = nothingLeft(result) ? 'not restored:' : 'restored with'
  const headline =
    mode === 'verify-only'
      ? `${sign} Lifeboat: ${database} checked, every byte; ${untouched(result)} was touched`
      : isComplete(result)
        ? `${sign} Lifeboat: ${database} restored`
        : errors.length === 0
          ? `❌ Lifeboat: ${database} restored in part, ${formatCount(result.missing!.length, 'thing')} missing`
          : `❌ Lifeboat: ${database} ${failed} ${formatCount(errors.length, 'error')}`
  const entries = result.entries.toLocaleString('en-US')
  return withinLimit([
    `### ${headline}`,
    `From snapshot ${madeWhen(result, context)}.`,
    table(
      ['Target', 'Mode', 'Entries', 'Size', 'Duration'],
      [[
        code(result.target),
        mode,
        mode === 'verify-only' ? `${entries}${selectedText(result)}` : `${result.restored.toLocaleString('en-US')} of ${entries}`,
        sizeText(result),
        formatSeconds(result.seconds),
      ]],
      3,
    ),
    ...summaryDetails(result),
  ])
}

/** The state of the target, the time, and all else that there is to tell of a restore, in Markdown. */
export function summaryDetails(result: RestoreResult): string[] {
  const { errors, mode } = result
  const counts = bucketCounts(result)
  return [
    ...(result.after ? [afterwardsLines(result.after).map(summaryLine).join('\n')] : []),
    ...(result.took && mode !== 'verify-only' ? [`The time: ${escape(tookText(result.took))}.`] : []),
    ...(counts ? [`Unchanged, there already: ${counts.unchanged} of them. Deleted, not in the backup: ${counts.deleted}.`] : []),
    ...restoreNotes(result).map((note) => note.split('\n').map((line) => escape(line)).join('\n')),
    ...(errors.length > 0 ? [`${restorer(result) ?? 'The program'} said:`, fenced('text', together(errors).join('\n'))] : []),
  ]
}

export function summaryLine([label, text]: readonly [string, string]): string {
  return `- **${label[0]!.toUpperCase()}${label.slice(1)}:** ${escape(oneLine(text))}`
}

/** Errors that are equal but for the name of the file, on one line with their number. */
function together(errors: readonly string[]): string[] {
  return [...Map.groupBy(errors, (error) => error.replace(/^tar: .*: (?=Cannot )/s, '')).values()].map((alike) =>
    alike.length === 1 ? alike[0]! : `${alike[0]} (${alike.length.toLocaleString('en-US')} errors like this)`)
}

/** Whether a restore with errors left nothing of the backup in the target. */
function nothingLeft({ left }: Pick<RestoreResult, 'left'>): boolean {
  return left === 'unchanged' || left === 'dropped'
}

/** The warnings name the others. */
const MOST_PASSED_OVER = 3

/** More names than anyone reads; the JSON result has them all. */
const MOST = 50

/** Of pg_restore, about rows: every restore of the snapshot meets the same. */
const UNMET_CONSTRAINT = /violates (?:check|foreign key|not-null|unique|exclusion) constraint|is violated by some row/

/** Inputs as a text names them: that which applies the settings of the database, and those that choose another source. */
interface NextInputs {
  settings: string
  database: string
  volume: string
  all: string
}

const MARKED: NextInputs = {
  settings: marked`‹database-settings: true›`, database: marked`‹database›`, volume: marked`‹volume› and ‹target›`,
  all: marked`‹all: true›`,
}
const IN_SUMMARY: NextInputs = {
  settings: 'database-settings: true', database: 'database', volume: 'volume and target', all: 'all: true',
}
const NO_OTHERS: NonNullable<RestoreResult['others']> = { databases: [], volumes: [] }

/**
 * Work of a restore beside the entries that it counts, and objects that it left out: a paragraph each, with a line for each object left
 * out. `inputs`: how the reader is told of the inputs that he may need next.
 */
export function restoreNotes(result: RestoreResult, inputs: NextInputs = IN_SUMMARY): string[] {
  const { selection, databaseSettings, refreshed = [], removed = [], errors, backup, passedOver = [], missing = [] } = result
  const { madeGlobals } = result
  const { databases, volumes } = result.others ?? NO_OTHERS
  const ways = [...(databases.length > 0 ? [inputs.database] : []), ...(volumes.length > 0 ? [inputs.volume] : [])]
  const others = [...databases.map((name) => `database ${name}`), ...volumes.map((name) => `volume ${name}`)]
  const { added = [], kept = [] } = selection ?? {}
  const leftOut = [...(selection?.leftOut ?? []), ...(result.roleless ?? [])]
  return [
    ...(result.swapped ? [
      pauseText(result.swapped),
    ] : []),
    ...(passedOver.length > 0 ? [
      `A newer snapshot was passed over: ${passedOver.slice(0, MOST_PASSED_OVER).map(oneLine).join('. ')}.`,
    ] : []),
    ...(missing.length > 0 ? [missingLines(result).join('\n')] : []),
    ...(result.selected && result.selected.names.length > 0 ? [`A restore would select: ${some(result.selected.names)}.`] : []),
    ...(result.notResumed === undefined ? [] : [oneLine(result.notResumed)]),
    ...[remarkLines, leftOutLines].flatMap((lines) =>
      lines(backup ? [{ name: `The backup of ${result.volume ?? result.database ?? ''}`, ...backup }] : []).map(oneLine)),
    ...(result.read === undefined ? [] : [
      `Only the selected part of the archive was read, ${sizeText(result)}, and every chunk of it was checked. Other chunks, and the ` +
        'sum of the whole archive, were not.',
    ]),
    ...(added.length > 0 ? [`Restored too, as the selection depends on it: ${some(added)}.`] : []),
    ...(kept.length > 0 ? [`Left as the target has it, though the selection depends on it: ${some(kept)}.`] : []),
    ...(leftOut.length > 0 ? [[
      'Left out:',
      ...someLines(leftOut.map(({ what, why }) => oneLine(`${what}: ${why}`)), MOST).map((line) => `- ${line}`),
    ].join('\n')] : []),
    ...(madeGlobals ? [`Created at the server first, because it lacked them: ${some([
      ...madeGlobals.roles.map((name) => `role ${name}`), ...madeGlobals.tablespaces.map((name) => `tablespace ${name}`),
    ])}.`] : []),
    ...(removed.length === 0 ? [] : [result.swapped
      ? `Not in the backup, so only ${oneLine(result.swapped.kept)} has it: ${some(removed)}.`
      : `Removed, because the backup does not have it: ${some(removed)}.`]),
    ...(refreshed.length > 0 ? [`Materialized views filled from the restored rows: ${some(refreshed)}.`] : []),
    ...(databaseSettings === 'left as they are' && errors.length === 0
      ? ['Owner, privileges, comment and settings of the database itself are left as the target has them. ' +
          `To apply those of the backup, set ${inputs.settings}.`]
      : []),
    ...(others.length > 0 ? [
      `The snapshot also has: ${some(others)}. ${others.length === 1 ? 'It' : 'Each'} is restored on its own, with ${ways.join(', or ')}` +
        `; or everything at once, with ${inputs.all}.`,
    ] : []),
  ]
}

function some(names: readonly string[]): string {
  return formatSome(names.map(oneLine), MOST)
}

/** The name of the source that was restored. */
export function restoredName({ database, volume }: Pick<RestoreResult, 'database' | 'volume'>): string {
  return volume ?? database ?? ''
}

/** The same with the part of it, if not all of it was asked for. */
export function restoredPart(result: Pick<RestoreResult, 'database' | 'volume' | 'part'>): string {
  return `${result.part === undefined ? '' : `${result.part} of `}${restoredName(result)}`
}

/** The program whose errors they are. Undefined for a database of another kind than PostgreSQL, whose results alone have `left`. */
function restorer({ volume, left }: Pick<RestoreResult, 'volume' | 'left'>): string | undefined {
  if (volume !== undefined) return 'tar'
  return left === undefined ? undefined : 'pg_restore'
}

/** The kind of target that a restore which only checks leaves alone. */
function untouched({ volume }: Pick<RestoreResult, 'volume'>): string {
  return volume === undefined ? 'no database' : 'no file'
}

/** Of a restore into a bucket: the objects that were there already, and those deleted. */
function bucketCounts(
  { unchanged, deleted }: Pick<RestoreResult, 'unchanged' | 'deleted'>,
): { unchanged: string; deleted: string } | undefined {
  if (unchanged === undefined || deleted === undefined) return undefined
  return { unchanged: formatCount(unchanged, 'object'), deleted: formatCount(deleted, 'object') }
}
