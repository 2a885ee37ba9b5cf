import { markedCommand } from '../marks.ts'
import { formatSome } from '../report/format.ts'
import { code, isPlain } from '../report/markdown.ts'
import type { DividedSources } from '../repository/wholeness.ts'
import { isDatabase } from '../sources/nouns.ts'

/** Sources of a damaged snapshot that the damage does not touch, and the names of the others. */
export interface WholeSources {
  snapshot: string
  whole: readonly { name: string; kind: string }[]
  damaged: readonly string[]
}

/** More commands than anyone runs. */
const MOST_NAMED = 5

/** Of a snapshot (id) whose sources were looked at, those that are sought. */
export function wholeSources(snapshot: string, { whole, damaged }: DividedSources, isSought: (name: string) => boolean): WholeSources {
  return {
    snapshot,
    whole: whole.filter(({ name }) => isSought(name)).map(({ name, kind }) => ({ name, kind })),
    damaged: damaged.map(({ name }) => name),
  }
}

interface Place {
  set: string
  destination?: string
}

/** `Snapshot … has all of app (its uploads is damaged): lifeboat restore --snapshot … --database app.` `place`: of the snapshot. */
export function wholeSourcesText(found: WholeSources, place: Place): string {
  return sentence(found, found.whole, place, (name) => name)
}

/** The same in Markdown; with commands for names that Markdown shows as they are. */
export function wholeSourcesMarkdown(found: WholeSources, place: Place): string {
  return sentence(found, found.whole.filter(({ name }) => isPlain(name)), place, code)
}

function sentence(
  { snapshot, whole, damaged }: WholeSources, restored: WholeSources['whole'], place: Place, shown: (name: string) => string,
): string {
  const list = (names: readonly string[]): string => formatSome(names.map(shown), MOST_NAMED)
  const commands = restored.slice(0, MOST_NAMED).map((source) =>
    markedCommand('restore', { ...place, snapshot, [isDatabase(source) ? 'database' : 'volume']: source.name }))
  const others = damaged.length > 0 ? ` (its ${list(damaged)} ${damaged.length === 1 ? 'is' : 'are'} damaged)` : ''
  return `Snapshot ${shown(snapshot)} has all of ${list(whole.map(({ name }) => name))}${others}` +
    `${commands.length > 0 ? ': ' : ''}${commands.join(', ')}.`
}
