import type { SummaryContext, TextContext, When } from '../../report/context.ts'
import { formatAge, formatBytes, formatCount, formatSome, formatTime, oneLine, someLines } from '../../report/format.ts'
import { code, escapeMarkdown as escape, table, withinLimit } from '../../report/markdown.ts'
import { details } from '../../report/summary-parts.ts'
import { flawOf } from '../../repository/wholeness.ts'
import type { SetVerdict, VerdictResult } from './result.ts'

/** More than anyone reads; the JSON result has them all. */
const MOST = 500

export function verdictProblems({ sets, time }: VerdictResult): string[] {
  return sets.filter(({ state }) => state !== 'done').map((one) => problemOf(one, new Date(time)))
}

function problemOf({ set, job, state, snapshot, made, why, ...flaw }: SetVerdict, now: Date): string {
  if (state === 'unverified') return `set ${set} (job ${job}): snapshot ${snapshot!} is not verified: ${why!}`
  if (state === 'failed') return `set ${set} (job ${job}): ${snapshot === undefined ? '' : `snapshot ${snapshot} ${flawOf(flaw)}: `}${why!}`
  const age = made === undefined ? '' : formatAge(made, now)
  const before = snapshot === undefined ? 'it has no backup at all' : `its newest, ${snapshot}, is of another run and ${age} old`
  return `set ${set} (job ${job}) was not backed up by this run: ${before}`
}

export function verdictHeadline({ sets, done, unverified, failed, missing, size, added }: VerdictResult): string {
  const counted = [[unverified, 'not verified'], [failed, 'failed'], [missing, 'MISSING']] as const
  const problems = counted.filter(([count]) => count > 0).map(([count, word]) => `${count} ${word}`)
  const bad = problems.length > 0 ? `: ${problems.join(', ')}` : ''
  return `${done.toLocaleString('en-US')} of ${formatCount(sets.length, 'set')} backed up by this run${bad} ` +
    `(${formatBytes(size)} read, ${formatBytes(added)} added)`
}

export function verdictText(result: VerdictResult, { timeZone }: TextContext): string {
  const problems = verdictProblems(result)
  const remarks = remarksOn(result, { timeZone, now: new Date(result.time) })
  return [
    `${verdictHeadline(result)}, plan ${result.plan}, in ${result.store}`,
    ...someLines(problems, MOST).map((problem) => `  ${oneLine(problem)}`),
    ...remarks.map((remark) => `  ${oneLine(remark)}`),
  ].join('\n')
}

/** Facts that fail nothing. */
function remarksOn({ sets, oldest, unplanned = [] }: VerdictResult, { timeZone, now }: When): string[] {
  const done = sets.filter(({ state }) => state === 'done')
  const unverified = done.filter(({ verified }) => verified === undefined)
  const partial = done.filter(({ partial }) => partial)
  return [
    ...(unverified.length > 0 ? [`${formatCount(unverified.length, 'set')} not verified: ${namesOf(unverified)}`] : []),
    ...(partial.length > 0 ? [`${formatCount(partial.length, 'set')} backed up in part: ${namesOf(partial)}`] : []),
    ...(unplanned.length > 0 ? [`not in the plan, and not backed up: ${namesOf(unplanned.map((set) => ({ set })))}`] : []),
    ...(oldest
      ? [`the oldest backup is that of ${oldest.set}, ${formatTime(oldest.time, timeZone)}, ${formatAge(oldest.time, now)} ago`]
      : []),
  ]
}

function namesOf(sets: readonly { set: string }[]): string {
  return formatSome(sets.map(({ set }) => set), 20)
}

/** A job summary in Markdown. Pure. */
export function verdictSummary(result: VerdictResult, context: SummaryContext): string {
  const bad = result.sets.filter(({ state }) => state !== 'done')
  const careful = result.sets.some(({ verified, partial }) => verified === undefined || partial) || (result.unplanned?.length ?? 0) > 0
  const good = result.sets.filter(({ state }) => state === 'done')
  return withinLimit([
    `### ${bad.length > 0 ? '❌' : careful ? '⚠️' : '✅'} Lifeboat: ${verdictHeadline(result)}`,
    `Plan ${code(result.plan)} of ${formatTime(result.planned, context.timeZone)}, in ${code(result.store)}. ` +
      'Only snapshots that this run made count; their tag, which is signed, names the plan.',
    ...(bad.length > 0 ? [table(['Set', 'Job', 'State', 'Newest backup'], bad.slice(0, MOST).map((one) => badRow(one, context)))] : []),
    ...(bad.length > MOST ? [`The first ${MOST} of ${bad.length} are shown.`] : []),
    ...(bad.length > 0 ? [whatToDo(bad)] : []),
    remarksOn(result, context).map((remark) => `- ${escape(remark)}`).join('\n'),
    ...(good.length === 0 ? [] : [details(
      `The ${formatCount(good.length, 'set')} that ${good.length === 1 ? 'is' : 'are'} backed up`,
      table(['Set', 'Job', 'Snapshot', 'Verified'], good.slice(0, MOST).map(({ set, job, snapshot, verified, partial }) => [
        code(set), job, code(snapshot!), `${verified ?? '⚠️ no'}${partial ? ', ⚠️ in part' : ''}`,
      ])),
    )]),
  ])
}

function badRow({ set, job, state, snapshot, made, why }: SetVerdict, { timeZone, now }: When): string[] {
  const newest = made === undefined ? 'none' : `${code(snapshot!)}, ${formatTime(made, timeZone)}, ${formatAge(made, now)} old`
  return [code(set), job, `❌ ${stateText({ state, why })}`, newest]
}

function stateText({ state, why = '' }: Pick<SetVerdict, 'state' | 'why'>): string {
  if (state === 'missing') return 'not backed up by this run'
  return `${state === 'unverified' ? 'not verified' : 'failed'}: ${escape(why)}`
}

function whatToDo(bad: readonly SetVerdict[]): string {
  const jobs = [...new Set(bad.map(({ job }) => job))]
  return `**What to do:** look at the log of job ${formatSome(jobs, 10)}, then "Re-run failed jobs": the plan stays, those jobs run ` +
    'again, and this verdict after them. If a database was dropped since the plan, run the whole workflow again.'
}
