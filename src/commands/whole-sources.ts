import { markedCommand } from '../marks.ts'
import { formatSome } from '../report/format.ts'
import { isDatabase } from '../sources/nouns.ts'

/** Sources of a damaged snapshot that the damage does not touch, and the names of the others. */
export interface WholeSources {
  snapshot: string
  whole: readonly { name: string; kind: string }[]
  damaged: readonly string[]
}

/** More commands than anyone runs. */
const MOST_NAMED = 5

/** `Snapshot … has all of app (its uploads is damaged): lifeboat restore --snapshot … --database app.` `place`: of the snapshot. */
export function wholeSourcesText({ snapshot, whole, damaged }: WholeSources, place: { set: string; destination?: string }): string {
  const commands = whole.slice(0, MOST_NAMED).map((source) =>
    markedCommand('restore', { ...place, snapshot, [isDatabase(source) ? 'database' : 'volume']: source.name }))
  const others = damaged.length > 0 ? ` (its ${formatSome(damaged, MOST_NAMED)} ${damaged.length === 1 ? 'is' : 'are'} damaged)` : ''
  return `Snapshot ${snapshot} has all of ${formatSome(whole.map(({ name }) => name), MOST_NAMED)}${others}: ${commands.join(', ')}.`
}
