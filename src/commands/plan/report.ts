import { formatBytes, formatColumns, formatCount, formatSome, oneLine } from '../../report/format.ts'
import { code, escapeMarkdown as escape, table, withinLimit } from '../../report/markdown.ts'
import { details } from '../../report/summary-parts.ts'
import { expectedSentence, leftOutLines, missedAmong, missedList } from '../sets/left-out.ts'
import type { PlannedItem, PlannedJob, PlanResult } from './result.ts'
import { ofServer } from '../sets/server-databases.ts'

/** More than anyone reads; the JSON result has them all. */
const MOST = 200

export function planHeadline({ jobs, size }: PlanResult): string {
  return `${itemsText(jobs.flatMap(({ items }) => items))} of ${formatBytes(size)} for ${formatCount(jobs.length, 'job')}`
}

export function planText(result: PlanResult): string {
  const { jobs, leftOut, notChosen } = result
  const items = jobs.flatMap(({ job, items }) => items.map((item) => [job, item.set, formatBytes(item.size), oneLine(nameOf(item))]))
  return [
    `Plan ${result.plan}: ${planHeadline(result)}`,
    '',
    formatColumns([['JOB', 'SET', 'SIZE', 'NAME'], ...items.slice(0, MOST)], '  '),
    ...(items.length > MOST ? [`  and ${items.length - MOST} more`] : []),
    ...(notChosen > 0 ? ['', `${formatCount(notChosen, 'database')} of these servers ${notChosen === 1 ? 'is' : 'are'} not chosen.`] : []),
    ...leftOutLines(leftOut),
  ].join('\n')
}

/** A job summary in Markdown. Pure. */
export function planSummary(result: PlanResult): string {
  const { jobs, leftOut, notChosen } = result
  return withinLimit([
    `### ${missedAmong(leftOut).length > 0 ? '⚠️' : '✅'} Lifeboat: ${planHeadline(result)}`,
    `Plan ${code(result.plan)}. Its snapshots have the tag ${code(`plan:${result.plan}`)}.` +
      (notChosen > 0 ? ` ${formatCount(notChosen, 'database')} of these servers ${notChosen === 1 ? 'is' : 'are'} not chosen.` : ''),
    ...missedList(leftOut),
    table(['Job', 'Size', 'Items', 'Largest'], jobs.map(jobRow)),
    details('The items of each job', jobs.slice(0, MOST).map(({ job, items }) => `**${job}**: ${listed(items)}`).join('\n\n')),
    ...expectedSentence(leftOut),
  ])
}

function jobRow({ job, size, items }: PlannedJob): string[] {
  return [job, formatBytes(size), itemsText(items), `${escape(nameOf(items[0]!))}, ${formatBytes(items[0]!.size)}`]
}

function listed(items: readonly PlannedItem[]): string {
  return formatSome(items.map((item) => `${escape(nameOf(item))} (${formatBytes(item.size)})`), MOST)
}

function nameOf({ name, server, noun }: PlannedItem): string {
  return noun === 'volume' ? `volume ${name}` : `${name}${ofServer(server)}`
}

function itemsText(items: readonly PlannedItem[]): string {
  const volumes = items.filter(({ noun }) => noun === 'volume').length
  const databases = items.length - volumes
  return [...(databases > 0 ? [formatCount(databases, 'database')] : []), ...(volumes > 0 ? [formatCount(volumes, 'volume')] : [])].join(
    ' and ',
  )
}
