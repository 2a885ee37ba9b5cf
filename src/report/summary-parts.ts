import { formatAge, formatTime } from './format.ts'
import { code, escapeMarkdown as escape, fenced } from './markdown.ts'
import type { SummaryContext, When } from './context.ts'
import { restoreCommand, restoreInto, restoreStep, restoreVariables, type SnapshotContent } from './recipe.ts'

export function restoring(content: SnapshotContent, context: SummaryContext): string {
  const several = content.databases.length > 1
  return details('How to restore this snapshot', [
    `As a step of a workflow, into ${restoreInto(content)}${several ? '; each database by its name' : ''}:`,
    fenced('yaml', restoreStep(context.action, context.reference, content)),
    `At a terminal, with ${restoreVariables(content, (name) => `\`${name}\``)} set:`,
    fenced('sh', restoreCommand('node dist/cli.js', content, ' \\\n  ')),
    'Without Lifeboat: `RECOVERY.md` in the store says how.',
  ].join('\n\n'))
}

export function details(title: string, content: string): string {
  return `<details><summary>${title}</summary>\n\n${content}\n\n</details>`
}

export function madeWhen(result: { snapshot: string; set: string; time: string }, { timeZone, now }: When): string {
  return `${code(result.snapshot)} of set **${escape(result.set)}**, made ${formatTime(result.time, timeZone)}, ` +
    `${formatAge(result.time, now)} ago`
}
