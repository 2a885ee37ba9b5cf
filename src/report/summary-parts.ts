import { formatAge, formatTime } from './format.ts'
import { code, escapeMarkdown as escape, fenced } from './markdown.ts'
import type { SummaryContext, When } from './context.ts'
import {
  restoreCommand, restoreInto, restoreStep, restoreVariables, severalSources, volumesNotShown, type SnapshotContent,
} from './recipe.ts'

/** How to restore everything in a snapshot. */
export function restoring(content: SnapshotContent, context: SummaryContext): string {
  const several = severalSources(content)
  const secret = several && content.databases.length > 0 ? '; the secret is the URL of a server, without the name of a database' : ''
  const more = volumesNotShown(content)
  return details('How to restore this snapshot', [
    `As a step of a workflow, into ${restoreInto(content)}${secret}:`,
    fenced('yaml', restoreStep(context.action, context.reference, content)),
    `At a terminal, with ${restoreVariables(content, (name) => `\`${name}\``)} set:`,
    fenced('sh', restoreCommand('lifeboat', content, ' \\\n  ')),
    ...(more > 0 ? [`The other ${more} volumes need a line each in \`map\`.`] : []),
    ...(several ? ['For one source alone, give its name as `database` or `volume` in place of `all`.'] : []),
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
