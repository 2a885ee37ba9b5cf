import { marked } from '../../marks.ts'
import { isAhead } from '../../repository/catalog.ts'
import { dependedOnLines, dependedOnPart, lostLines } from '../artifacts.ts'
import { provenText } from '../proven.ts'
import { backupsIn } from './restorable.ts'
import type { ListedSnapshot, ListResult } from './result.ts'
import { formatAge, formatBytes, formatColumns, formatCount, formatTime, oneLine } from '../../report/format.ts'
import { code, escapeMarkdown as escape, link, madeIn, shortened, shortTime, table, unbroken, withinLimit } from '../../report/markdown.ts'
import { restoreInto, restoreVariables, shownRestore, type SnapshotContent } from '../../report/recipe.ts'
import { keysText } from '../../repository/other-key.ts'
import { isSafetySet } from '../../repository/safety-set.ts'
import { isAtLeast, type Level } from '../../repository/levels.ts'
import { isGood } from '../../repository/proofs.ts'
import { namesByNoun } from '../../sources/nouns.ts'
import type { TextContext } from '../../report/context.ts'
import { afterFailedDrill, rowsOf, verifyAll } from '../back-up-again.ts'
import { wholeSourcesMarkdown, wholeSourcesText } from '../whole-sources.ts'

export function listHeadline({ snapshots, store }: ListResult): string {
  return `${formatCount(snapshots.length, 'snapshot')} in ${store}${madeByRestores(snapshots)}`
}

/** A safety backup is no backup that somebody planned. Nothing is said of them where there are no others. */
function madeByRestores(snapshots: ListResult['snapshots']): string {
  const safeties = snapshots.filter(({ set }) => isSafetySet(set)).length
  return safeties > 0 && safeties < snapshots.length ? `, ${safeties} of them by restores` : ''
}

export function listText(result: ListResult, context: TextContext): string {
  const { snapshots, store } = result
  if (context.format === 'markdown') return listMarkdown(result, context, snapshots.length).join('\n\n')
  if (result.missing) return `${store}: ${missingSet(result.missing)}`
  if (snapshots.length === 0) {
    if (result.empty) return marked`${store} has no backups yet: ‹lifeboat backup› makes the first.`
    const unsound = unsoundLines(result)
    return unsound.length > 0 ? unsound.join('\n') : `${store} has no such snapshot.`
  }
  const now = new Date(result.listed)
  return [
    ...tableOf(snapshots, now, context),
    '',
    `${listHeadline(result)}.`,
    ...lostLines(result),
    ...dependedOnLines(result.artifacts),
    ...unsoundLines(result),
    ...recommendation(result, context),
  ].join('\n')
}

/** The columns of the text, by the names that the input `columns` takes. */
export const textColumns = ['snapshot', 'time', 'age', 'set', 'size', 'added', 'verified', 'notes'] as const
type TextColumn = (typeof textColumns)[number]

const TEXT_COLUMNS: Readonly<Record<TextColumn, { head: string; cell(one: ListedSnapshot, now: Date, timeZone: string): string }>> = {
  snapshot: { head: 'SNAPSHOT', cell: ({ id }) => id },
  time: { head: 'TIME', cell: ({ time }, _, timeZone) => formatTime(time, timeZone) },
  age: { head: 'AGE', cell: ({ time }, now) => formatAge(time, now) },
  set: { head: 'SET', cell: ({ set }) => set },
  size: { head: 'SIZE', cell: ({ size }) => formatBytes(size) },
  added: { head: 'ADDED', cell: ({ added }) => formatBytes(added) },
  verified: { head: 'VERIFIED', cell: proofText },
  notes: { head: 'CONTENT AND NOTES', cell: about },
}

/** Columns that are left out at a narrow terminal, one after the other. An id has the time, too. */
const LEFT_OUT: readonly TextColumn[] = ['added', 'time', 'size', 'age']
/** Characters of the last column that stay; before other columns are left out, it is cut. */
const LEAST_NOTES = 24
/** Characters of the name of a set that stay where the other columns leave no room for it. */
const LEAST_SET = 16

/** The lines of the table: at a terminal the newest last, where one looks first, and no wider than it. */
function tableOf(snapshots: readonly ListedSnapshot[], now: Date, { columns, width, timeZone }: TextContext): string[] {
  const standing = snapshots.map((one) => ({ ...one, proofs: withoutDisproved(one.proofs) }))
  const lines = (chosen: readonly TextColumn[], short = false, longestSet = Infinity): string[] => {
    const shown = short
      ? standing.map((one) => ({ ...one, proofs: enoughProofs(one.proofs), set: withoutMiddle(one.set, longestSet) }))
      : standing
    const rows = shown.map((snapshot) => chosen.map((name) => TEXT_COLUMNS[name].cell(snapshot, now, timeZone)))
    return formatColumns([chosen.map((name) => TEXT_COLUMNS[name].head), ...(width === undefined ? rows : rows.toReversed())]).split('\n')
  }
  if (columns) return lines(columns.flatMap((name) => textColumns.filter((known) => known === name)))
  if (width === undefined) return lines(textColumns)
  const whole = lines(textColumns)
  if (longest(whole) <= width) return whole
  // Rows of several sets must be told apart, and safety backups from those that somebody planned.
  const known = textColumns.filter((name) => name !== 'set' || new Set(snapshots.map(({ set }) => set)).size > 1)
  const narrower = LEFT_OUT.map((_, most) => known.filter((name) => !LEFT_OUT.slice(0, most).includes(name)))
  const last = known.filter((name) => !LEFT_OUT.includes(name))
  const withoutNotes = (chosen: readonly TextColumn[]): number => longest(lines(chosen.filter((name) => name !== 'notes'), true))
  const chosen = [...narrower, last].find((one) => withoutNotes(one) + 2 + LEAST_NOTES <= width)
  const room = width - withoutNotes(last.filter((name) => name !== 'set')) - LEAST_NOTES - 4
  const shown = chosen ? lines(chosen, true) : lines(last, true, Math.max(LEAST_SET, room))
  return shown.map((line) => (line.length <= width ? line : shortened(line, width - 1)))
}

/** Names of sets often differ at their ends alone. */
function withoutMiddle(name: string, most: number): string {
  if (name.length <= most) return name
  const end = Math.floor((most - 1) / 2)
  return `${name.slice(0, most - 1 - end)}…${name.slice(-end)}`
}

function longest(lines: readonly string[]): number {
  return lines.reduce((most, { length }) => Math.max(most, length), 0)
}

/** Without failures that a later verification of the same level, or a higher one, has disproved. */
function withoutDisproved(proofs: ListedSnapshot['proofs']): ListedSnapshot['proofs'] {
  return proofs.filter(({ level, result, time }) =>
    result !== 'failed' || !proofs.some((later) => isGood(later) && later.time > time && isAtLeast(later.level, level)))
}

/** Of those that verified, the one of the highest level tells enough; every other outcome stays. */
function enoughProofs(proofs: ListedSnapshot['proofs']): ListedSnapshot['proofs'] {
  const verified = proofs.filter(({ result }) => result === 'verified')
  const best = verified.find(({ level }) => verified.every((other) => isAtLeast(level, other.level)))
  return proofs.filter((one) => one === best || one.result !== 'verified')
}

export function missingSet({ set, sets }: NonNullable<ListResult['missing']>): string {
  return `set ${oneLine(set)} has no snapshots; there ${sets.length === 1 ? 'is' : 'are'}: ${sets.map(oneLine).join(', ')}.`
}

function otherKeyLines({ snapshots, otherKey }: ListResult): string[] {
  if (!otherKey) return []
  const [one, some] = ['The snapshot was not', `None of the ${formatCount(snapshots.length, 'snapshot')} was`]
  const made = snapshots.length === 1 ? one : some
  return [`${made} made with the key given (${otherKey.given}): named is ${keysText(otherKey.fingerprints)}.`]
}

function unsoundLines({ unsound }: ListResult): string[] {
  return unsound.map(({ snapshot, why, failedDrill }) =>
    `Snapshot ${snapshot} ${failedDrill ? 'FAILED ITS DRILL' : 'is DAMAGED'}: ${oneLine(why)}.`)
}

/** `DAMAGED`; `DRILL FAILED` of one that is whole. */
function flawLabel({ damage, failedDrill }: Pick<ListedSnapshot, 'damage' | 'failedDrill'>): string | undefined {
  return damage === undefined ? undefined : failedDrill ? 'DRILL FAILED' : 'DAMAGED'
}

/** Only what can be relied on is recommended. */
function recommendation({ snapshots, restorable, parts = [], unsound, listed }: ListResult, context: TextContext): string[] {
  const { destination } = context
  // The newest of all says nothing about the other sets.
  if (new Set(backupsIn(snapshots).map(({ set }) => set)).size > 1) {
    return [marked`‹lifeboat list› with ‹set› shows how to restore the newest of a set.`]
  }
  const chosen = snapshots.find(({ id }) => id === restorable)
  const drilled = unsound.find(({ failedDrill }) => failedDrill)
  const ofDrilled = snapshots.filter(({ id }) => id === drilled?.snapshot).flatMap(({ set, id: snapshot }) =>
    [afterFailedDrill({ destination, set, snapshot }), rowsOf({ destination, set, snapshot })])
  if (!chosen) {
    const [first] = snapshots
    if (ofDrilled.length > 0) return ofDrilled
    if (unsound.length === 0 || first === undefined) return []
    const found = new Set(unsound.map(({ snapshot }) => snapshot))
    const keyed = snapshots.some(({ authentic }) => authentic)
    const perhaps = backupsIn(snapshots).find(({ id, authentic, damage }) =>
      damage === undefined && !found.has(id) && (authentic || !keyed))
    const tells = `${verifyAll(first.set)} tells.`
    const older = perhaps
      ? `None of the newest is known to be whole; an older one may be: ${tells}`
      : `None of them is known to be whole. If objects were put back since, ${tells}`
    const newest = snapshots.find(({ id }) => found.has(id))
    if (newest?.sources === undefined)
      return [`${older} ${marked`‹lifeboat restore; set: ${first.set}; skip-damaged: true› brings back what is whole.`}`]
    const whole = parts.map((part) => wholeSourcesText(part, { destination, set: first.set }))
    return [older, ...whole, ...restoreLines('what is whole of the newest', { ...contentOf(newest, destination), partly: true }, context)]
  }
  const newer = backupsIn(snapshots).filter(({ time }) => time > chosen.time)
  const why = [
    ...(unsound.some(({ failedDrill }) => !failedDrill) ? ['is whole'] : []),
    ...(unsound.some(({ failedDrill }) => failedDrill) ? ['failed no drill'] : []),
    ...(newer.some(({ partial }) => partial) && !chosen.partial ? ['is complete'] : []),
    ...(newer.some(({ authentic }) => chosen.authentic && !authentic) ? ['this key opens'] : []),
    ...(newer.some(({ id }) => isAhead(id, new Date(listed))) ? ['is not dated in the future'] : []),
  ]
  const newest = ['the newest', ...why.slice(0, 1).map((one) => `that ${one}`), ...why.slice(1).map((one) => `and that ${one}`)].join(' ')
  return [...ofDrilled, ...restoreLines(newest, contentOf(chosen, destination), context)]
}

function contentOf({ set, id, sources = [] }: ListedSnapshot, destination: string): SnapshotContent {
  return { destination, set, snapshot: id, ...namesByNoun(sources) }
}

function restoreLines(what: string, content: SnapshotContent, context: TextContext): string[] {
  return [
    `To restore ${what} into ${restoreInto(content)}, with ${restoreVariables(content)} set:`,
    shownRestore(context, content),
  ]
}

/** The facts about a snapshot beside its figures, in one line. */
function about(
  { sources, pinned, tags, description, retention, expires, authentic, key, damage, failedDrill, partial, until }: ListedSnapshot,
  now: Date,
  timeZone: string,
): string {
  return [
    damage === undefined ? '' : `${flawLabel({ damage, ...(failedDrill && { failedDrill }) })!}: ${oneLine(damage)}`,
    partial ? `PARTIAL${partialText(sources)}` : '',
    sources?.map(({ name }) => oneLine(name)).join(', '),
    pinned ? 'pinned' : '',
    // The reasons of a policy say it as well.
    until === undefined || retention?.keep ? '' : `kept until ${formatTime(until, timeZone)}`,
    tags.map((tag) => `#${tag}`).join(' '),
    description === undefined ? '' : oneLine(description),
    retention && `${retention.keep ? 'kept' : 'to go'}: ${retention.reasons.join(', ')}`,
    expires === undefined ? '' : `expires ${formatExpiry(expires, now)}`,
    authentic ? '' : `key ${key}, not checked`,
  ].filter((part) => part).join('  ')
}

/** The missing parts, if a key can read them. */
function partialText(sources: ListedSnapshot['sources'] = []): string {
  const missing = sources.flatMap(({ name, partial = [] }) => partial.map((text) => `${name}: ${text}`))
  return missing.length > 0 ? ` (${oneLine(missing.join('; ')).slice(0, MOST_CHARACTERS)})` : ''
}

/** `read, 3 days ago`; what is wrong comes first, where no narrow terminal cuts it off. */
function proofText(snapshot: ListedSnapshot, now: Date): string {
  const { partial, failedDrill } = snapshot
  const flaw = failedDrill ? undefined : flawLabel(snapshot) // Its proof says that the drill failed.
  return [...(flaw === undefined ? [] : [flaw]), ...(partial ? ['PARTIAL'] : []), ...proofsOf(snapshot, now)].join(', ')
}

function proofsOf({ proofs, drill }: Pick<ListedSnapshot, 'proofs' | 'drill'>, now: Date): string[] {
  return proofs.map(({ level, result, time }) => {
    const shown = result === 'verified' ? level : `${level} ${result.toUpperCase()}`
    const figures = level === 'drill' && result === 'verified' && drill ? ` (${provenText(drill)})` : ''
    return `${shown} ${formatAge(time, now)} ago${figures}`
  })
}

/** `in 3 days`. */
export function formatExpiry(expires: string, now: Date): string {
  const left = Date.parse(expires) - now.getTime()
  return left <= 0 ? 'now' : `in ${formatAge(now.toISOString(), new Date(expires))}`
}

/** More rows than anyone reads would push the summary over its limit. */
const MOST_ROWS = 200

/** A description is a sentence; in a table its beginning will do. */
const MOST_CHARACTERS = 80

type MarkdownContext = Pick<TextContext, 'destination' | 'timeZone'>

export function listSummary(result: ListResult, context: MarkdownContext): string {
  return withinLimit(listMarkdown(result, context, MOST_ROWS))
}

function listMarkdown(result: ListResult, { destination, timeZone }: MarkdownContext, mostRows: number): string[] {
  const { snapshots, parts = [] } = result
  const now = new Date(result.listed)
  const shown = snapshots.slice(0, mostRows)
  const filled = COLUMNS
    .map(({ head, always, cell }) => ({ head, always, cells: shown.map((snapshot) => cell(snapshot, now, timeZone)) }))
    .filter(({ always, cells }) => always || cells.some((cell) => cell !== ''))
  const same = shown.length > 1 ? filled.filter(({ always, cells }) => !always && cells.every((cell) => cell === cells[0])) : []
  const sameText = same.map(({ head, cells }) => `${head.toLowerCase()} ${cells[0]!}`).join('; ')
  const columns = filled.filter((column) => !same.includes(column))
  const rows = shown.map((_, row) => columns.map(({ cells }) => cells[row]!))
  const aside = madeByRestores(snapshots)
  const failedDrills = result.unsound.some(({ failedDrill }) => failedDrill)
  const newest = snapshots.find(({ set }) => aside === '' || !isSafetySet(set))
  const age = newest ? `${aside}, the newest ${aside === '' ? '' : 'backup '}${formatAge(newest.time, now)} old` : ''
  return [
    `### Lifeboat: ${formatCount(snapshots.length, 'snapshot')} in ${code(result.store)}${age}`,
    ...(result.missing ? [escape(missingSet(result.missing))] : []),
    ...(result.unsound.length > 0 ? [
      ...unsoundLines(result).map((line) => `❌ ${escape(line)}`),
      result.restorable === undefined
        ? `None of the newest ${failedDrills ? 'can be relied on' : 'is known to be whole'}.`
        : `The newest that is whole${failedDrills ? ', and failed no drill,' : ''} is ${code(result.restorable)}.`,
      ...parts.map((part) => wholeSourcesMarkdown(part, { destination, set: snapshots[0]!.set })),
    ] : []),
    ...otherKeyLines(result).map((line) => `⚠️ ${line}`),
    ...setsOf(snapshots, now),
    ...(same.length > 0 ? [`Of all${snapshots.length > mostRows ? ' that are shown' : ''}: ${sameText}.`] : []),
    ...(rows.length > 0 ? [table(columns.map(({ head }) => (head === MADE ? madeIn(timeZone) : head)), rows, ['Size', 'Added'])] : []),
    ...(snapshots.length > mostRows ? [`The newest ${mostRows} are shown; the output \`result\` has them all.`] : []),
    ...lostLines(result).map((line) => `⚠️ ${escape(line)}`),
    ...dependedOnPart(result.artifacts),
  ]
}

const MADE = 'Made'

/** A verification at a high level says more than a good one at a lower level, which is left out. */
function verifiedCell({ proofs, drill, damage, failedDrill }: ListedSnapshot, now: Date): string {
  const isImplied = (level: Level): boolean =>
    proofs.some((other) => other.result === 'verified' && other.level !== level && isAtLeast(other.level, level))
  const telling = withoutDisproved(proofs).filter(({ level, result }) => result !== 'verified' || !isImplied(level))
  const flaw = failedDrill ? '❌ drill failed' : '❌ damaged'
  const lines = [...(damage === undefined ? [] : [flaw]), ...proofsOf({ proofs: telling, ...(drill && { drill }) }, now)]
  return lines.map((line) => unbroken(escape(line))).join('<br>')
}

/** The beginning of a text, for a table. */
function brief(text: string): string {
  return escape(shortened(text, MOST_CHARACTERS))
}

/**
 * Columns that no row has anything for are left out, and those with the same in all rows are one line above the table. GitHub shows some
 * 1,000 pixels of a table: as few columns as possible, or what is on the right is cut.
 */
const COLUMNS: readonly { head: string; always?: true; cell: (snapshot: ListedSnapshot, now: Date, timeZone: string) => string }[] = [
  { head: 'Snapshot', always: true, cell: ({ id, run }) => (run ? link(code(id), run) : code(id)) },
  { head: MADE, always: true, cell: ({ time }, _, timeZone) => shortTime(time, timeZone) },
  { head: 'Size', always: true, cell: ({ size }) => unbroken(formatBytes(size)) },
  { head: 'Added', always: true, cell: ({ added }) => unbroken(formatBytes(added)) },
  { head: 'Verified', always: true, cell: verifiedCell },
  { head: 'Set', cell: ({ set }) => escape(set) },
  { head: 'Sources', cell: ({ sources = [] }) => brief(sources.map(({ name }) => name).join(', ')) },
  { head: 'About', cell: ({ pinned, partial, until }) => [
    ...(partial ? ['PARTIAL'] : []), ...(pinned ? ['pinned'] : []), ...(until === undefined ? [] : [`until ${until.slice(0, 10)}`]),
  ].join(', ') },
  { head: 'Tags', cell: ({ tags }) => brief(tags.join(', ')) },
  { head: 'Description', cell: ({ description = '' }) => brief(description) },
  {
    head: 'Kept',
    cell: ({ retention }) => (retention ? brief(`${retention.keep ? '' : 'to go: '}${retention.reasons.join(', ')}`) : ''),
  },
  { head: 'Expires', cell: ({ expires }, now) => (expires === undefined ? '' : unbroken(formatExpiry(expires, now))) },
  { head: 'Key', cell: ({ authentic, key }) => (authentic ? '' : `${code(key)}, not checked`) },
]

/** With several sets, how old the newest backup of each is: one that has fallen behind does not show in a long list. */
function setsOf(newestFirst: ListResult['snapshots'], now: Date): string[] {
  const sets = Map.groupBy(newestFirst, ({ set }) => set)
  if (sets.size < 2) return []
  const rows = [...sets].slice(0, MOST_ROWS).map(
    ([set, snapshots]) => [
      escape(set),
      snapshots.length.toLocaleString('en-US'),
      formatAge(snapshots[0]!.time, now),
      formatBytes(snapshots[0]!.size),
    ],
  )
  return [table(['Set', 'Snapshots', 'Age of the newest', 'Its size'], rows, 3)]
}
