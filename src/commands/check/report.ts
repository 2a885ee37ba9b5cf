import type { Freshness } from '../../repository/freshness.ts'
import { isAtLeast } from '../../repository/levels.ts'
import { provenText } from '../proven.ts'
import { dependedOnLines, dependedOnPart, lostLines } from '../artifacts.ts'
import type { CheckResult } from './result.ts'
import type { Failure } from '../../report/failure.ts'
import { formatColumns, formatCount, formatTime, oneLine } from '../../report/format.ts'
import { bullets, code, escapeMarkdown as escape, shortTime, table, withinLimit } from '../../report/markdown.ts'

interface Shown {
  destination: string
  timeZone: string
}

/** `26 h`, `8 days`: whole hours up to two days. */
export function formatDuration(milliseconds: number): string {
  const hours = milliseconds / 3_600_000
  if (hours < 2) return formatCount(Math.floor(hours * 60), 'minute')
  return hours < 48 ? `${Math.floor(hours)} h` : `${Math.floor(hours / 24)} days`
}

function age(time: string, result: CheckResult): string {
  return `${formatDuration(Date.parse(result.time) - Date.parse(time))} old`
}

/** `20261201T020000Z-1a2b3c4d, 3 days ago: 4 min 12 s, 2,651,188 rows equal`. */
function lastDrill({ snapshot, time, figures }: NonNullable<Freshness['drilled']>, { time: now }: CheckResult): string {
  const ago = formatDuration(Date.parse(now) - Date.parse(time))
  return `${snapshot}, ${ago} ago${figures ? `: ${provenText(figures)}` : ''}`
}

/** The last proof; that of the newest verified snapshot before it, if it has one: a verification of all reads the oldest last. */
function lastProof(
  { snapshot, level, time }: NonNullable<Freshness['proof']>, { verified }: Pick<Freshness, 'verified'>, timeText: (time: string) => string,
): string {
  const last = `of ${snapshot}, ${timeText(time)}`
  if (snapshot === verified?.snapshot) return `${level}, ${timeText(time)}`
  if (!verified || !isAtLeast(verified.level, level)) return `${level} ${last}`
  return `${verified.level}, ${timeText(verified.verifiedAt)}; after it ${last}`
}

export const PASSED_OVER =
  'If it has another key, and that was not on purpose, look at the key of the runs that back up: the right key does not open what they ' +
  'store. If it was, check with the new key, too.'

/** A newest snapshot of another key: anyone who can write to the store can forge it, so it is told of, and does not fail the check. */
export function passedOver({ store, set, newest, verified, unreadable }: CheckResult['sets'][number]): string[] {
  if (!verified || newest === verified.snapshot || unreadable === undefined) return []
  const where = store === undefined ? '' : `${store}: `
  return [`${where}set ${set}: the newest snapshot, ${newest}, cannot be read, and is not checked: ${unreadable}`]
}

function passedOverLines({ sets }: CheckResult): string[] {
  return sets.flatMap(passedOver).flatMap((text) => [`⚠️ ${escape(text)}`, PASSED_OVER])
}

/** Each name once, in whichever destinations the set is. */
function names(sets: CheckResult['sets']): string[] {
  return [...new Set(sets.map(({ set }) => set))]
}

export function checkHeadline({ sets, problems, store }: CheckResult): string {
  if (problems.length > 0) return problems.join('; ')
  const partial = names(sets.filter(({ verified }) => verified?.partial))
  const lacking = partial.length > 0 ? `; backed up in part: ${partial.join(', ')}` : ''
  return `${formatCount(names(sets).length, 'set')} in ${store}: all is fresh${lacking}`
}

type State = Pick<CheckResult['sets'][number], 'verified' | 'problems' | 'unsound' | 'missing' | 'unproven'>

/** The worst that is known of a set, and the snapshot that it is known of, if it is not the newest verified one. */
function stateOf({ verified, problems, unsound, missing, unproven }: State): { state: string; of?: string | undefined } {
  const damaged = unsound.find(({ failedDrill }) => !failedDrill)
  if (damaged) return { state: 'DAMAGED', of: damaged.snapshot }
  if (missing.length > 0) return { state: 'MISSING', of: missing[0] }
  if (unsound.length > 0) return { state: 'DRILL FAILED', of: unsound[0]!.snapshot }
  if (unproven) return { state: 'NOT PROVEN' }
  if (problems.length > 0) return { state: 'STALE' }
  return { state: verified?.partial ? 'PARTIAL' : 'ok' }
}

/** Worse than that a backup is too old, or not proven; the worst first. */
const WORSE = [['DAMAGED', 'damaged backups'], ['MISSING', 'missing backups'], ['DRILL FAILED', 'backups that failed a drill']] as const

/** The worst that was found; undefined if backups are only too old, or not proven. */
export function worstOf({ sets }: CheckResult): string | undefined {
  const states = new Set(sets.map((one) => stateOf(one).state))
  return WORSE.find(([state]) => states.has(state))?.[1]
}

export function checkText(result: CheckResult, { timeZone }: Shown): string {
  const timeText = (time: string): string => formatTime(time, timeZone)
  const rows = result.sets.map(({ set, verified, proof, drilled, ...known }) => {
    const { state, of } = stateOf({ verified, ...known })
    const inPart = verified?.partial && state !== 'PARTIAL' ? ', PARTIAL' : ''
    const newest = verified
      ? `${verified.snapshot}, ${timeText(verified.time)}, ${age(verified.time, result)}${inPart}`
      : 'no verified snapshot'
    return [
      state,
      set,
      of === undefined ? newest : `${of}; ${verified ? `the newest that is whole and verified: ${newest}` : newest}`,
      proof ? `last proof: ${lastProof(proof, { verified }, timeText)}` : '',
      drilled ? `last drill: ${lastDrill(drilled, result)}` : '',
    ]
  })
  return [
    ...(rows.length > 0 ? [formatColumns(inStores(rows, result, oneLine))] : []),
    ...(rows.length > 0 && result.problems.length > 0 ? [''] : []),
    ...result.problems,
    ...(result.advice.length > 0 ? ['', ...result.advice] : []),
    ...lostLines(result),
    ...dependedOnLines(result.artifacts),
    ...(result.issue ? [`Issue ${result.issue.state}: ${result.issue.url}`] : []),
  ].join('\n')
}

/** Of several destinations, each row names that of its set. */
function inStores(rows: readonly string[][], { sets }: CheckResult, shown: (store: string) => string): string[][] {
  return rows.map(([state, ...row], index) => {
    const { store } = sets[index]!
    return [state!, ...(store === undefined ? [] : [shown(store)]), ...row]
  })
}

function setsTable(result: CheckResult, { timeZone }: Shown): string {
  const drills = result.sets.some(({ drilled }) => drilled)
  const rows = result.sets.map(({ set, newest, verified, proof, drilled, problems }) => [
    problems.length > 0 ? '❌' : verified?.partial ? '⚠️' : '✅',
    escape(set),
    newest === undefined ? '' : code(newest),
    verified ? `${code(verified.snapshot)}, ${age(verified.time, result)}${verified.partial ? ', ⚠️ partial' : ''}` : 'none',
    proof ? lastProof(proof, { verified }, (time) => shortTime(time, timeZone)) : 'none',
    ...(drills ? [drilled ? lastDrill(drilled, result) : 'never'] : []),
  ])
  const columns = ['Set', 'Newest snapshot', 'Newest verified', `Last verified (${escape(timeZone)})`]
  const heads = ['', ...(result.stores ? ['Store'] : []), ...columns]
  return table([...heads, ...(drills ? ['Last drill'] : [])], inStores(rows, result, code))
}

function problemsAndAdvice({ problems, advice }: CheckResult): string[] {
  return [...(problems.length > 0 ? [bullets(problems)] : []), ...(advice.length > 0 ? ['**What to do:**', bullets(advice)] : [])]
}

function inactiveLines({ inactive }: CheckResult): string[] {
  return inactive.map(
    ({ name, path }) => `GitHub has switched off the schedule of ${escape(name)} (${code(path)}): enable it on the Actions page.`,
  )
}

/** Of several destinations, those that have problems, if any has. */
function placeOf({ stores, problems: all }: CheckResult, { destination }: Shown): string {
  const shown = stores?.filter(({ problems }) => all.length === 0 || problems > 0)
  return shown ? shown.map(({ name }) => code(name)).join(' and ') : code(destination)
}

export function checkSummary(result: CheckResult, shown: Shown): string {
  const stale = result.problems.length > 0
  // Of several destinations, one may lack a set, or be out of reach.
  const ofSets = result.sets.flatMap(({ problems }) => problems)
  const told = ofSets.length === result.problems.length
  const unproven = stale && told && result.sets.every((one) => one.unproven || one.problems.length === 0)
  const worst = worstOf(result)
  const found = worst === undefined ? `backups are ${stale ? unproven ? 'not proven' : 'not fresh' : 'fresh'}` : `there are ${worst}`
  return withinLimit([
    `### ${stale ? '❌' : '✅'} Lifeboat: ${found} in ${placeOf(result, shown)}`,
    ...problemsAndAdvice(result),
    ...(result.sets.length > 0 ? [setsTable(result, shown)] : []),
    ...passedOverLines(result),
    ...lostLines(result).map((line) => `⚠️ ${escape(line)}`),
    ...dependedOnPart(result.artifacts),
    ...inactiveLines(result).map((line) => `⚠️ ${line}`),
  ])
}

type ShownInIssue = Shown & { run?: string }

/** The text of the issue, as long as it is open, and when it is closed. */
export function issueText(result: CheckResult, shown: ShownInIssue): string {
  const stale = result.problems.length > 0
  return withinLimit([
    stale
      ? `The backups in ${placeOf(result, shown)} are not as fresh as they should be:`
      : `The backups in ${placeOf(result, shown)} are fresh again.`,
    ...problemsAndAdvice(result),
    ...(result.sets.length > 0 ? [setsTable(result, shown)] : []),
    ...passedOverLines(result),
    ...inactiveLines(result),
    `${lookedAt(result.time, shown)}${stale ? ' This issue is closed once they are fresh again.' : ''}`,
  ])
}

/** The same where nothing could be found out. */
export function failureIssueText({ message, causes, hint }: Failure, time: Date, shown: ShownInIssue): string {
  return withinLimit([
    `Whether the backups in ${code(shown.destination)} are fresh cannot be found out:`,
    bullets([message, ...causes.map((cause) => `because: ${cause}`)]),
    ...(hint === undefined ? [] : [`What to do: ${escape(hint)}`]),
    `${lookedAt(time.toISOString(), shown)} This issue is closed once they can be looked at, and are fresh.`,
  ])
}

function lookedAt(time: string, { timeZone, run }: ShownInIssue): string {
  return `Looked at ${formatTime(time, timeZone)}${run === undefined ? '' : ` by [this run](${run})`}.`
}
