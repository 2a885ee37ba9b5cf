import type { DatabaseDiff, DiffResult, FilesDiff } from './result.ts'
import { formatBytes, formatColumns, formatCount, formatShare, formatTime, oneLine } from '../../report/format.ts'
import { rowsText } from '../show/report.ts'
import type { TextContext } from '../../report/context.ts'

export function diffHeadline({ from, to, content }: DiffResult): string {
  return `${formatShare(content.sharedBytes, content.bytes)} of the content of ${to.snapshot} is in ${from.snapshot} as well`
}

export function diffText(result: DiffResult, { timeZone }: TextContext): string {
  const { from, to, content } = result
  return [
    formatColumns([from, to].map(({ snapshot, set, time, size }, index) => [index === 0 ? 'from' : 'to', snapshot, set, formatTime(time, timeZone), formatBytes(size)])),
    `${formatBytes(content.sharedBytes)} of ${formatBytes(content.bytes)} (${formatShare(content.sharedBytes, content.bytes)}) are the same chunks: ${content.sharedChunks.toLocaleString('en-US')} of ${content.chunks.toLocaleString('en-US')}`,
    ...result.sources.flatMap((source) => ['', ...sourceText(source)]),
  ].join('\n')
}

function sourceText({ name, kind, from, to, identical, database, files }: DiffResult['sources'][number]): string[] {
  const sizes = from === null ? `added, ${formatBytes(to!)}` : to === null ? `removed, was ${formatBytes(from)}` : changed(from, to, formatBytes)
  const head = `${oneLine(name)} (${kind}): ${sizes}`
  if (identical) return [head, '  identical, byte for byte']
  return [head, ...(database ? databaseText(database) : []), ...(files ? filesText(files) : [])]
}

/** Nothing but the sign tells a table that was added from one that was removed, so it stands first. */
function databaseText({ settings, tables, entries }: DatabaseDiff): string[] {
  const rows = [
    ...settings.map(({ name, from, to }) => [sign(from, to), oneLine(name), [from, to].filter((text) => text !== null).map(oneLine).join(' -> ')]),
    ...tables.removed.map(({ name, rows, bytes }) => ['-', `table ${oneLine(name)}`, `${rowsText(rows)} rows, ${formatBytes(bytes)}`]),
    ...tables.added.map(({ name, rows, bytes }) => ['+', `table ${oneLine(name)}`, `${rowsText(rows)} rows, ${formatBytes(bytes)}`]),
    ...tables.changed.map(({ name, rows, bytes }) => ['~', `table ${oneLine(name)}`, `${changed(rows.from, rows.to, rowsText)} rows, ${changed(bytes.from, bytes.to, formatBytes)}`]),
    ...entries.removed.map((entry) => ['-', 'entry', oneLine(entry)]),
    ...entries.added.map((entry) => ['+', 'entry', oneLine(entry)]),
  ]
  return [...(rows.length === 0 ? ['  the same versions and settings, tables, estimates of rows and sizes, and entries of the archive'] : [formatColumns(rows, '  ')]), '  Rows of tables were not compared; their numbers and sizes are estimates of the server.']
}

function filesText({ added, removed, changed: different, identical, alike }: FilesDiff): string[] {
  const rows = [
    ...removed.map(({ path, size }) => ['-', formatBytes(size), '', oneLine(path)]),
    ...added.map(({ path, size }) => ['+', formatBytes(size), '', oneLine(path)]),
    ...different.map((file) => ['~', changed(file.from, file.to, formatBytes), differencesText(file), oneLine(file.path)]),
  ]
  const counts = `${formatCount(added.length, 'entry', 'entries')} added, ${removed.length.toLocaleString('en-US')} removed, ${different.length.toLocaleString('en-US')} changed`
  const rest = [
    ...(identical > 0 ? [`${identical.toLocaleString('en-US')} identical`] : []),
    ...(alike > 0 ? [`${alike.toLocaleString('en-US')} with the same size, time, mode and owner (content not compared)`] : []),
  ]
  return [`  ${[counts, ...rest].join('; ')}`, ...(rows.length > 0 ? [formatColumns(rows, '  ')] : [])]
}

/** Of a file of the same size, another time is no proof of another content, nor of the same. */
function differencesText({ type, what }: FilesDiff['changed'][number]): string {
  const open = type === 'f' && !what.some((one) => one === 'kind' || one === 'size' || one === 'content')
  return what.map((one) => (one === 'time' && open ? 'time (content may differ)' : one)).join(', ')
}

function sign(from: string | null, to: string | null): string {
  return from === null ? '+' : to === null ? '-' : '~'
}

function changed<T>(from: T, to: T, format: (value: T) => string): string {
  return from === to ? format(to) : `${format(from)} -> ${format(to)}`
}
