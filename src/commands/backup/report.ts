import type { TextContext } from '../../report/context.ts'
import {
  formatBytes,
  formatColumns,
  formatCount,
  formatRate,
  formatSeconds,
  formatTime,
  oneLine,
  parenthesised,
} from '../../report/format.ts'
import { restoreInto, restoreVariables, shownRestore } from '../../report/recipe.ts'
import { addedText } from '../../sources/added.ts'
import { inPart, leftOutLines, remarkLines } from '../../sources/remarks.ts'
import { formatSources, namesByNoun } from '../../sources/nouns.ts'
import { provenText } from '../proven.ts'
import { prunedAfter } from '../prune/report.ts'
import { notResumedProblem } from './not-resumed.ts'
import { type BackupResult, firstText } from './result.ts'
import { otherKeyText } from './other-key.ts'
import { failsByShrinking, shrunkLines } from './shrink.ts'

/** Tables of a source that fit on a line. */
const MOST_ADDED = 3

export function backupHeadline({ sources, verified, size, added, snapshot }: BackupResult): string {
  return `${formatSources(sources)} backed up${inPart(sources)}${verified === 'none' ? ', not verified' : ' and verified'}: ` +
    `${formatBytes(size)} read, ${formatBytes(added)} added, snapshot ${snapshot}`
}

/** The cost, once, of a recipient that was added. */
export function forRecipientsText({ chunks, bytes }: NonNullable<BackupResult['forRecipients']>): string {
  return `${formatCount(chunks, 'chunk')} (${formatBytes(bytes)}) stored once more, sealed to the recipients that were added; ` +
    'snapshots before this one stay closed to them'
}

/** The chunks that were stored again in place of damaged ones, and what that does not repair. */
export function repairedText({ chunks, bytes }: NonNullable<BackupResult['repaired']>): string {
  return `${formatCount(chunks, 'chunk')} (${formatBytes(bytes)}) stored again, as the earlier copy is known to be damaged; ` +
    'snapshots before this one that need it stay damaged'
}

/** `255 chunks at level 3 of zstd, 124 at level fast`, if there are any. */
export function levelsText({ levels }: Pick<BackupResult, 'levels'>): string[] {
  if (levels.length === 0) return []
  return [levels.map(({ level, chunks }, index) => index === 0
    ? `${formatCount(chunks, 'chunk')} at level ${levelName(level)} of zstd`
    : `${chunks.toLocaleString('en-US')} at level ${levelName(level)}`).join(', ')]
}

function levelName(level: number): string {
  return level < 0 ? 'fast' : `${level}`
}

export function backupText(result: BackupResult, context: TextContext): string {
  const { snapshot, set, time, size, stored, added, seconds } = result
  // Sources are read one after the other.
  const reading = result.sources.reduce((sum, source) => sum + source.seconds, 0)
  const names = namesByNoun(result.sources)
  const whole = result.destinations.filter(({ problem }) => problem === undefined)
  const where = { destination: whole[0]!.name }
  const facts = [
    ['snapshot', snapshot],
    ['time', formatTime(time, context.timeZone)],
    ['read', `${formatBytes(size)} in ${formatSeconds(reading)} ${parenthesised(formatRate(size, reading))}`],
    ['took', `${formatSeconds(seconds)} in all`],
    [
      'added',
      `${formatBytes(added)}: ${formatCount(result.newChunks, 'new chunk')} of ${result.chunks.toLocaleString('en-US')}, ` +
        `${result.deltaChunks.toLocaleString('en-US')} stored as differences`,
    ],
    ...levelsText(result).map((text) => ['compressed', text]),
    ...(result.repaired ? [['repaired', repairedText(result.repaired)]] : []),
    ...(result.forRecipients ? [['recipients', forRecipientsText(result.forRecipients)]] : []),
    ['needs', `${formatBytes(stored)} in the store`],
    ...newStores(result).map((text) => ['new store', text]),
    ...result.destinations.flatMap(({ name, free }) => (free === undefined ? [] : [[
      'free',
      `${formatBytes(free)} before this backup${result.destinations.length > 1 ? `, in ${name}` : ''}`,
    ]])),
    ...checkedText(result.checked).map((text) => ['checked', text]),
    ['verified', verifiedText(result)],
  ]
  const table = result.sources.map((source) => [
    source.name,
    source.amount ? formatCount(source.amount.count, source.amount.noun) : '',
    formatBytes(source.size),
    `${formatBytes(source.added)} added`,
    formatSeconds(source.seconds),
  ])
  return [
    `Backed up ${[...names.databases, ...names.volumes].join(', ')} to ${whole.map(({ name }) => name).join(' and ')}, set ${set}` +
      firstText(result),
    formatColumns(facts, '  '),
    ...block(result.otherKey ? [`WARNING: ${otherKeyText(result.otherKey, set)}: the key of this backup cannot open them.`] : []),
    '',
    formatColumns(table, '  '),
    ...block(result.sources.flatMap(({ name, addedByTable }) =>
      addedByTable ? [`${name}: added ${addedText(addedByTable, MOST_ADDED)}`] : [])),
    ...(result.shrunk.length > 0 ? [
      '',
      'Less than half of what the backup before ' +
        `had${failsByShrinking(result) ? ', so this step FAILED; the backup exists all the same' : ''}:`,
      ...shrunkLines(result.shrunk).map((line) => `  ${line}`)
    ] : []),
    ...block([...remarkLines(result.sources), ...leftOutLines(result.sources)]),
    ...result.destinations.flatMap(({ name, problem, prune }) => [
      ...(problem === undefined ? [] : ['', `NOT in ${name}: ${problem}`]),
      ...(prune === undefined ? [] : ['', ...(result.destinations.length > 1 ? [name] : []), ...prunedAfter(prune)]),
    ]),
    ...block(notResumedProblem(result).map((problem) => `FAILED: ${problem}`)),
    '',
    `To restore it into ${restoreInto(names)}, with ${restoreVariables({ ...where, ...names })} set:`,
    shownRestore(context, { ...where, set, snapshot, ...names }),
  ].join('\n')
}

/** A reader who expected earlier backups in this place gave a wrong path, or the disk is not mounted. */
export function newStores({ destinations }: BackupResult): string[] {
  return destinations.flatMap(({ name, newStore }) =>
    newStore ? [`${name} had no backups before, and opens with the key of fingerprint ${newStore.key}`] : [])
}

/** Of the check of what earlier backups stored. */
export function checkedText(checked: BackupResult['checked']): string[] {
  if (!checked) return ['the reused data of earlier backups is there with its size; a write key cannot read it back']
  const { chunks, bytes, damaged } = checked
  if (chunks + damaged === 0) return []
  const found = damaged === 0
    ? 'none damaged'
    : `${formatCount(damaged, 'object')} DAMAGED: earlier backups are hit, this one stores again what it needs of them`
  return [`${formatCount(chunks, 'chunk')} of earlier backups read back, ${formatBytes(bytes)}: ${found}`]
}

const block = (lines: readonly string[]): string[] => (lines.length > 0 ? ['', ...lines.map((line) => `  ${oneLine(line)}`)] : [])

/** `: 4 min 12 s, 2,651,188 rows equal`, of a backup that was drilled. */
export function provenBy({ destinations }: BackupResult): string {
  const drill = destinations.find((one) => one.drill)?.drill
  return drill ? `: ${provenText(drill)}` : ''
}

function verifiedText(result: BackupResult): string {
  const { verified: level, checked } = result

  if (level === 'none') return checked === undefined ? 'no: a write key cannot read it back' : 'no (verify is none)'
  return {
    list: 'list: every chunk is there and the archive is readable',
    read: 'read: every byte was read back and compared',
    drill: `drill: every database and volume was restored and compared${provenBy(result)}`,
  }[level]
}
