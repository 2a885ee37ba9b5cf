import type { DoctorResult } from './result.ts'
import { formatColumns, formatCount } from '../../report/format.ts'
import { escapeMarkdown as escape, table, withinLimit } from '../../report/markdown.ts'
import { details } from '../../report/summary-parts.ts'

export function doctorHeadline({ checks }: DoctorResult): string {
  const bad = checks.filter(({ state }) => state === 'bad').length
  const warnings = checks.filter(({ state }) => state === 'warning').length
  const found = [...(bad > 0 ? [formatCount(bad, 'problem')] : []), ...(warnings > 0 ? [formatCount(warnings, 'warning')] : [])]
  return `${formatCount(checks.length, 'check')}: ${found.length > 0 ? found.join(' and ') : 'all is well'}`
}

const MARKS = { good: 'ok', warning: 'WARNING', bad: 'PROBLEM' } as const

export function doctorText(result: DoctorResult): string {
  const parts = [...Map.groupBy(result.checks, ({ about }) => about)].map(([about, checks]) => [
    about,
    formatColumns(checks.map(({ check, state, says }) => [MARKS[state], check, says]), '  '),
    ...checks.flatMap(({ check, fix }) => (fix === undefined ? [] : [`  ${check}: ${fix}`])),
  ])
  const origins = result.inputs.map(({ name, from, value = 'secret' }) => [name, value, from])
  const inputs = origins.length === 0 ? [] : [`inputs\n${formatColumns(origins, '  ')}`]
  return [...inputs, ...parts.map((lines) => lines.join('\n')), doctorHeadline(result)].join('\n\n')
}

export function doctorSummary(result: DoctorResult): string {
  const mark = { good: '✅', warning: '⚠️', bad: '❌' } as const
  const worst = (['bad', 'warning'] as const).find((state) => result.checks.some((check) => check.state === state)) ?? 'good'
  const problemsFirst = (['bad', 'warning', 'good'] as const).flatMap((wanted) => result.checks.filter(({ state }) => state === wanted))
  const rows = problemsFirst.map(({ about, check, state, says, fix }) => [
    mark[state],
    escape(about),
    escape(check),
    escape(says),
    escape(fix ?? ''),
  ])
  const origins = result.inputs.map(({ name, from, value = 'secret' }) => [escape(name), escape(value), escape(from)])
  return withinLimit([
    `### ${mark[worst]} Lifeboat doctor: ${doctorHeadline(result)}`,
    table(['', 'About', 'Check', 'Found', 'What to do'], rows),
    ...(origins.length === 0 ? [] : [details('Where the inputs come from', table(['Input', 'Value', 'From'], origins))]),
  ])
}
