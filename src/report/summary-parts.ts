import { formatAge, formatTime } from './format.ts'
import { code, escapeMarkdown as escape, fenced } from './markdown.ts'
import type { SummaryContext, When } from './context.ts'
import { restorables, restoreCommand, restoreSteps, restoreVariables, type SnapshotContent } from './recipe.ts'

/** More steps than anyone copies. */
const MOST_SOURCES = 20

/** How to restore every source of a snapshot. */
export function restoring(content: SnapshotContent, context: SummaryContext): string {
  const all = restorables(content)
  const shown = all.slice(0, MOST_SOURCES)
  const commands = shown.map((source) => restoreCommand('lifeboat', content, ' \\\n  ', source))
  const variables = restoreVariables(content, (name) => `\`${name}\``)
  const terminal = content.databases.length > 1 ? 'At a terminal, each database into a target of its own,' : 'At a terminal,'
  return details('How to restore this snapshot', [
    `As ${all.length > 1 ? 'steps' : 'a step'} of a workflow, ${restoredInto(content)}:`,
    fenced('yaml', restoreSteps(context.action, context.reference, content, shown)),
    `${terminal} with ${variables} set:`,
    fenced('sh', commands.join('\n\n')),
    ...(shown.length < all.length ? [`The other ${all.length - shown.length} sources are restored in the same way, each by name.`] : []),
    'Without Lifeboat: `RECOVERY.md` in the store says how.',
  ].join('\n\n'))
}

function restoredInto({ databases, volumes = [] }: SnapshotContent): string {
  const database = databases.length > 1 ? 'each database into an empty one of its own' : 'the database into an empty one'
  const volume = volumes.length > 1 ? 'each volume into an empty folder' : 'the volume into an empty folder'
  return [...(databases.length > 0 ? [database] : []), ...(volumes.length > 0 ? [volume] : [])].join(', ')
}

export function details(title: string, content: string): string {
  return `<details><summary>${title}</summary>\n\n${content}\n\n</details>`
}

export function madeWhen(result: { snapshot: string; set: string; time: string }, { timeZone, now }: When): string {
  return `${code(result.snapshot)} of set **${escape(result.set)}**, made ${formatTime(result.time, timeZone)}, ` +
    `${formatAge(result.time, now)} ago`
}
