import { kindIfKnown } from '../../sources/known-kinds.ts'
import { namesByNoun } from '../../sources/nouns.ts'
import type { ShownFile } from '../../sources/files/shown-file.ts'
import { isGood } from '../../repository/proofs.ts'
import { ageThen, recoveryOf } from '../proven.ts'
import type { ShownProof, ShownSource, ShowResult } from './result.ts'
import { formatAge, formatBytes, formatColumns, formatCount, formatSeconds, formatTime, oneLine } from '../../report/format.ts'
import { formatExpiry } from '../list/report.ts'
import { leftOutLines, remarkLines } from '../../sources/remarks.ts'
import { restoreInto, restoreVariables, shownRestore } from '../../report/recipe.ts'
import type { TextContext } from '../../report/context.ts'

export function showHeadline({ id, set, store }: ShowResult): string {
  return `Snapshot ${id} of set ${set} in ${store}`
}

export function showText(result: ShowResult, context: TextContext): string {
  const names = namesByNoun(result.sources ?? [])
  return [
    showHeadline(result),
    formatColumns(factsOf(result, context.timeZone), '  '),
    ...proofsOf(result, context.timeZone),
    ...(result.sources ?? []).flatMap((source) => ['', ...sourceText(source)]),
    ...(result.sources === undefined ? ['', 'Its content can be read only with the key that it was made with.'] : []),
    ...((result.sources ?? []).length === 0 || result.damage !== undefined ? [] : [
      '',
      `To restore it into ${restoreInto(names)}, with ${restoreVariables({ ...context, ...names })} set:`,
      shownRestore(context, { destination: context.destination, set: result.set, snapshot: result.id, ...names }),
    ]),
  ].join('\n')
}

function factsOf(result: ShowResult, timeZone: string): string[][] {
  const {
    id,
    time,
    listed,
    size,
    stored,
    added,
    chunks,
    newChunks,
    deltaChunks,
    key,
    authentic,
    recipients,
    tags,
    pinned,
    until,
    description,
    run,
    lifeboat,
    expires,
    damage,
    failedDrill,
    partial,
  } = result
  const now = new Date(listed)
  return [
    ['id', id],
    [
      'made',
      `${formatTime(time, timeZone)}, ${formatAge(time, now)} ago${lifeboat === undefined ? '' : `, by Lifeboat ${oneLine(lifeboat)}`}`,
    ],
    ...(run ? [[
      'run',
      `${oneLine(run.workflow)}, ${oneLine(run.url)}${run.attempt === '1' ? '' : `, attempt ${oneLine(run.attempt)}`}`,
    ]] : []),
    ...(description ? [['about', oneLine(description)]] : []),
    ...(tags.length > 0 ? [['tags', tags.map((tag) => `#${tag}`).join(' ')]] : []),
    ...(damage === undefined ? [] : [[failedDrill ? 'DRILL FAILED' : 'DAMAGED', oneLine(damage)]]),
    ...(partial ? [['PARTIAL', 'it lacks a part of what was backed up; its sources say which']] : []),
    ...(until === undefined ? [] : [['safety', `a safety backup, kept until ${formatTime(until, timeZone)}`]]),
    ['pinned', pinned ? 'yes: no retention policy deletes it' : 'no'],
    ...(expires === undefined ? [] : [['expires', `${formatTime(expires, timeZone)}, ${formatExpiry(expires, now)}`]]),
    ['size', formatBytes(size)],
    [
      'needs',
      `${formatBytes(stored)} in the store: ${formatCount(chunks, 'chunk')}, ${deltaChunks.toLocaleString('en-US')} of them stored ` +
        'as differences',
    ],
    [
      'added',
      `${formatBytes(added)}: ${formatCount(newChunks, 'new chunk')}, ${(chunks - newChunks).toLocaleString('en-US')} were there already`,
    ],
    [
      'key',
      `${key}, ${authentic ? 'signature verified' : 'signature NOT checked: this is what the store claims'}; sealed to ` +
        formatCount(recipients, 'recipient'),
    ],
  ]
}

function proofsOf({ proofs, listed, time: made }: ShowResult, timeZone: string): string[] {
  if (proofs.length === 0) return ['', 'It was never verified after the backup that made it, as far as the store tells.']
  const rows = proofs.map(({ level, result, time, seconds, bytes, versions = {} }) => [
    result === 'verified' ? result : result.toUpperCase(),
    level,
    `${formatTime(time, timeZone)}, ${formatAge(time, new Date(listed))} ago`,
    `${formatBytes(bytes)} in ${formatSeconds(seconds)}`,
    Object.entries(versions).map(([program, version]) => `${oneLine(program)} ${oneLine(version)}`).join(', '),
  ])
  return [
    '',
    'Verified:',
    formatColumns(rows, '  '),
    ...proofs.flatMap(drillLines(made)),
    ...proofs.flatMap(({ level, result, time, problems = [] }) => (problems.length === 0 ? [] : [
      `  ${level} of ${formatTime(time, timeZone)}: ${result}:`, ...problems.map((problem) => `    ${inputNames(oneLine(problem))}`),
    ])),
  ]
}

/** A stored text has inputs as it was written: `‹scratch-url›`. */
function inputNames(text: string): string {
  return text.replaceAll(/‹([a-z][^‹›]*)›/g, '`$1`')
}

/** The worth of a drill: the time that a recovery takes, the changes that would have been lost, and where. */
function drillLines(made: string): (proof: ShownProof) => string[] {
  return ({ drill, result, time }) => {
    if (!drill) return []
    const { download, compare, checks } = drill.seconds
    const comparison = `${isGood({ result }) ? 'equal' : 'compared'} (${formatBytes(drill.bytes)})`
    const parts = [
      `${formatCount(drill.rows, 'row')} and ${formatCount(drill.entries, 'entry', 'entries')} ${comparison}` +
        (drill.wording === false ? ', but not the wording of definitions, because the scratch server had another version' : ''),
      ...(drill.assertions ? [`${formatCount(drill.assertions, 'condition')} asked`] : []),
      `recovery took ${formatSeconds(recoveryOf(drill))}, of which ${formatSeconds(download)} for reading the store`,
      `comparing and checking ${formatSeconds(compare + checks)}`,
      ...[ageThen(made, time)].filter((age) => age !== undefined),
      `on ${oneLine(drill.machine)}`,
    ]
    return [`  Drill: ${parts.join('; ')}`]
  }
}

function sourceText(source: ShownSource): string[] {
  const { name, kind, size, streams, files } = source
  return [
    `${oneLine(name)} (${kind}): ${formatBytes(size)}`,
    formatColumns(streams.map(({ name, size, chunks }) => [oneLine(name), formatBytes(size), formatCount(chunks, 'chunk')]), '  '),
    ...[...remarkLines([source]), ...leftOutLines([source])].map((line) => `  ${oneLine(line)}`),
    ...(kindIfKnown(kind)?.describeText(source) ?? []),
    ...(files ? [formatColumns(files.map(fileRow), '  ')] : []),
  ]
}

function fileRow({ path, type, size, mtime, target }: ShownFile): string[] {
  return [
    type,
    formatBytes(size),
    new Date(Number(mtime) * 1000).toISOString().slice(0, 19).replace('T', ' '),
    `${oneLine(path) || '.'}${target === undefined ? '' : ` -> ${oneLine(target)}`}`,
  ]
}
