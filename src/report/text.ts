import type { BackupResult, ListResult, RestoreResult, VerifyResult } from '../commands/results.ts'
import { formatBytes, formatColumns, formatCount, formatRate, formatSeconds, formatTime } from './format.ts'
import { restoreCommand, restoreVariables, verifyCommand } from './recipe.ts'

/** What a command did, for a person in a hurry; pure. Not yet redacted. */
export interface TextContext {
  /** How this program is called, to show the next command: `lifeboat`. */
  program: string
  /** `file:/mnt/backups`. */
  destination: string
  timeZone: string
}

export function backupHeadline({ sources, verified, size, added, snapshot }: BackupResult): string {
  return `${formatCount(sources.length, 'database')} backed up${verified === 'none' ? ', not verified' : ' and verified'}: ${formatBytes(size)} read, ${formatBytes(added)} added, snapshot ${snapshot}`
}

export function restoreHeadline({ mode, database, target, snapshot }: RestoreResult): string {
  return mode === 'verify-only' ? `${database} of snapshot ${snapshot} could be restored; no database was touched` : `${database} of snapshot ${snapshot} restored into ${target}`
}

export function verifyHeadline({ snapshot, level }: VerifyResult): string {
  return `snapshot ${snapshot} verified at level ${level}`
}

export function listHeadline({ snapshots, store }: ListResult): string {
  return `${formatCount(snapshots.length, 'snapshot')} in ${store}`
}

export function backupText(result: BackupResult, context: TextContext): string {
  const { snapshot, set, time, size, stored, added, seconds } = result
  const databases = result.sources.map(({ name }) => name)
  const facts = [
    ['snapshot', snapshot],
    ['time', formatTime(time, context.timeZone)],
    ['read', `${formatBytes(size)} in ${formatSeconds(seconds)} ${parenthesised(formatRate(size, seconds))}`],
    ['added', `${formatBytes(added)}: ${formatCount(result.newChunks, 'new chunk')} of ${result.chunks.toLocaleString('en-US')}, ${result.deltaChunks.toLocaleString('en-US')} stored as differences`],
    ['needs', `${formatBytes(stored)} in the store`],
    ['verified', verifiedText(result.verified)],
  ]
  const table = result.sources.map((source) => [source.name, formatBytes(source.size), `${formatBytes(source.added)} added`, formatSeconds(source.seconds)])
  return [
    `Backed up ${databases.join(', ')} to ${context.destination}, set ${set}`,
    formatColumns(facts, '  '),
    ...(table.length > 1 ? ['', formatColumns(table, '  ')] : []),
    '',
    `To restore it into an empty database, with ${restoreVariables(context)} set:`,
    `  ${restoreCommand(context.program, { destination: context.destination, set, snapshot, databases })}`,
  ].join('\n')
}

function verifiedText(level: BackupResult['verified']): string {
  if (level === 'none') return 'no (verify is none)'
  return level === 'list' ? 'list: every chunk is there and the archive is readable' : 'read: every byte was read back and compared'
}

const parenthesised = (text: string): string => (text === '' ? '' : `(${text})`)

export function restoreText(result: RestoreResult, context: TextContext): string {
  const { errors, entries, restored } = result
  const checked = result.mode === 'verify-only'
  const facts = [
    ['snapshot', `${result.snapshot}, of ${formatTime(result.time, context.timeZone)}`],
    ['read', `${formatBytes(result.size)} in ${formatSeconds(result.seconds)} ${parenthesised(formatRate(result.size, result.seconds))}`],
    ['entries', checked ? `${entries.toLocaleString('en-US')} in the archive` : `${restored.toLocaleString('en-US')} of ${entries.toLocaleString('en-US')} restored`],
  ]
  const headline = checked
    ? `Checked ${result.database}; no database was touched`
    : `${errors.length > 0 ? 'Restored with errors' : 'Restored'}: ${result.database} into ${result.target} (${result.mode})`
  return [
    headline,
    formatColumns(facts, '  '),
    ...(errors.length > 0 ? ['', `${formatCount(errors.length, 'error')} from pg_restore:`, ...errors.map((error) => `  ${error}`)] : []),
  ].join('\n')
}

export function verifyText(result: VerifyResult, context: TextContext): string {
  const content = { destination: context.destination, set: result.set, snapshot: result.snapshot, databases: result.sources.map(({ name }) => name) }
  const facts = [
    ['snapshot', `${result.snapshot}, of ${formatTime(result.time, context.timeZone)}`],
    ['level', result.level],
    ['checked', `${formatCount(result.chunks, 'chunk')}, ${formatBytes(result.bytes)} read in ${formatSeconds(result.seconds)}`],
    ...result.sources.map((source) => [source.name, `${formatBytes(source.size)}, ${formatCount(source.entries, 'archive entry', 'archive entries')}`]),
  ]
  const next = {
    verified:
      result.level === 'list'
        ? ['', 'To read and compare every byte:', `  ${verifyCommand(context.program, content)}`]
        : ['', 'To restore it into an empty database:', `  ${restoreCommand(context.program, content)}`],
    failed: ['', 'Do not rely on this snapshot. Make a new backup, and check an older snapshot with:', `  ${context.program} list --destination ${context.destination}`],
    'could not verify': [],
  }
  return [
    { verified: 'Verified', failed: 'FAILED: the snapshot is damaged', 'could not verify': 'Could not verify' }[result.result],
    formatColumns(facts, '  '),
    ...(result.problems.length > 0 ? ['', ...result.problems.map((problem) => `  ${problem}`)] : []),
    ...next[result.result],
  ].join('\n')
}

export function listText(result: ListResult, context: TextContext): string {
  const { snapshots } = result
  if (snapshots.length === 0) return `${result.store} holds no snapshot.`
  const rows = snapshots.map((snapshot) => [
    snapshot.id,
    formatTime(snapshot.time, context.timeZone),
    snapshot.set,
    formatBytes(snapshot.size),
    formatBytes(snapshot.added),
    [snapshot.sources?.map(({ name }) => name).join(', '), snapshot.tags.map((tag) => `#${tag}`).join(' '), snapshot.description]
      .filter((part) => part)
      .join('  '),
  ])
  const newest = snapshots.reduce((newest, snapshot) => (snapshot.time > newest.time ? snapshot : newest))
  const content = { destination: context.destination, set: newest.set, snapshot: newest.id, databases: newest.sources?.map(({ name }) => name) ?? [] }
  return [
    formatColumns([['SNAPSHOT', 'TIME', 'SET', 'SIZE', 'ADDED', ''], ...rows]),
    '',
    `${formatCount(snapshots.length, 'snapshot')} in ${result.store}. To restore the newest into an empty database:`,
    `  ${restoreCommand(context.program, content)}`,
  ].join('\n')
}
